package table_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
)

// together starts child processes, lets them go all at once, and waits for them.
func (n *network) together(jobs ...job) {
	n.t.Helper()
	type process struct {
		cmd    *exec.Cmd
		start  io.WriteCloser
		stderr *strings.Builder
	}
	var all []process
	for _, j := range jobs {
		j.Readline = true
		p := process{cmd: n.child(j), stderr: new(strings.Builder)}
		p.cmd.Stderr = p.stderr
		var err error
		if p.start, err = p.cmd.StdinPipe(); err != nil {
			n.t.Fatal(err)
		}
		out, err := p.cmd.StdoutPipe()
		if err != nil {
			n.t.Fatal(err)
		}
		if err := p.cmd.Start(); err != nil {
			n.t.Fatal(err)
		}
		if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
			n.t.Fatalf("a child process said %q, %v", line, err)
		}
		all = append(all, p)
	}
	for _, p := range all {
		fmt.Fprintln(p.start, "go")
	}
	for _, p := range all {
		if err := p.cmd.Wait(); err != nil {
			n.t.Errorf("a child process: %v\n%s", err, p.stderr)
		}
	}
}

// Two processes at once, each with uplinks of its own: both end up installed. The
// same uplink from both is there once.
func TestTwoProcesses(t *testing.T) {
	forFamilies(t, func(t *testing.T, n *network, f family) {
		n.addLAN()
		before := n.snapshot()
		u1, u2 := n.uplink1(f), n.full(f)
		u1.Table, u2.Table = 0, 0 // claimed, without a name in the way
		u1.Name, u2.Name = "", ""
		rounds := times(200, 20)
		for _, x := range []struct {
			name string
			jobs []job
		}{
			{"different uplinks", []job{
				{Install: []table.SourceRoutedUplink{u1}, Remove: []table.SourceRoutedUplink{u1}, Repeat: rounds},
				{Install: []table.SourceRoutedUplink{u2}, Remove: []table.SourceRoutedUplink{u2}, Repeat: rounds},
			}},
			{"the same uplink", []job{
				{Install: []table.SourceRoutedUplink{u2}, Remove: []table.SourceRoutedUplink{u2}, Repeat: rounds},
				{Install: []table.SourceRoutedUplink{u2}, Remove: []table.SourceRoutedUplink{u2}, Repeat: rounds},
			}},
		} {
			n.together(x.jobs...)
			n.unchanged(x.name+", installed and removed", before)
			jobs := x.jobs
			for i := range jobs {
				jobs[i].Remove = nil
			}
			n.together(jobs...)
			n.wantNothingToDo(jobs[0].Install...)
			n.wantNothingToDo(jobs[1].Install...)
			want := 5 // 4 rungs, and 1 of the plain one
			if x.name == "the same uplink" {
				want = 4
			}
			if rules, err := rule.List(t.Context(), n.c, rule.Filter{Protocol: table.Protocol}); err != nil || len(rules) != want {
				t.Errorf("%s: %d rules, want %d, error %v:\n%s", x.name, len(rules), want, err, n.kernel())
			}
			n.remove(jobs[0].Install...)
			n.remove(jobs[1].Install...)
			n.unchanged(x.name, before)
		}
	})
}

// Many processes claim a table at once, and each gets one of its own; also those
// that do not wait for each other.
func TestClaims(t *testing.T) {
	const processes = 16
	for _, x := range []struct {
		name   string
		lonely bool
	}{{"one after the other", false}, {"without the lock", true}} {
		t.Run(x.name, func(t *testing.T) {
			n := newNetwork(t)
			var jobs []job
			for i := range processes {
				// Both families claim the same numbers.
				a := netip.MustParseAddr(fmt.Sprintf("10.2.0.%d", 100+i))
				gateway := netip.MustParseAddr(ip4.g2)
				if i%2 == 1 {
					a = netip.MustParseAddr(fmt.Sprintf("2001:db8:2::%d", 100+i))
					gateway = netip.MustParseAddr(ip6.g2)
				}
				n.server.Addr("u2", netip.PrefixFrom(a, map[bool]int{true: 24, false: 64}[a.Is4()]).String())
				u := table.SourceRoutedUplink{Interface: "u2", Gateway: gateway, Sources: []netip.Addr{a}, Etc: n.etc}
				jobs = append(jobs, job{Install: []table.SourceRoutedUplink{u}, Lonely: x.lonely})
			}
			n.together(jobs...)
			tables := make(map[rttables.ID]bool)
			for r, err := range rule.All(t.Context(), n.c, rule.Filter{Protocol: table.Protocol}) {
				if err != nil {
					t.Fatal(err)
				}
				tables[r.Table] = true
			}
			if len(tables) != processes {
				t.Errorf("%d processes have %d tables: %v\n%s", processes, len(tables), tables, n.kernel())
			}
			if strings.Contains(n.kernel(), "throw") {
				t.Errorf("a claim is left:\n%s", n.kernel())
			}
		})
	}
}

// Who has to wait says so when the context ends, and has changed nothing; another
// network namespace has a lock of its own.
func TestLock(t *testing.T) {
	n := newNetwork(t)
	before := n.snapshot()
	entered, leave := make(chan struct{}), make(chan struct{})
	held := make(chan error, 1)
	go func() {
		rec := &holder{Socket: n.c, entered: entered, leave: leave}
		held <- n.uplink2(ip4).Install(context.Background(), rec)
	}()
	<-entered
	during := n.snapshot()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	u := n.uplink1(ip4)
	for name, err := range map[string]error{
		"Install": u.Install(ctx, n.c), "Remove": u.Remove(ctx, n.c), "Recover": table.Recover(ctx, n.c),
	} {
		if !errors.Is(err, table.ErrLocked) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s beside another: %v, want ErrLocked and DeadlineExceeded", name, err)
		}
	}
	n.unchanged("those that wait", during)
	other := newNetwork(t)
	other.install(other.uplink2(ip4))
	// *netlink.Conn has the same lock.
	c, err := netlink.Dial(0, n.server.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := u.Install(ctx, c); !errors.Is(err, table.ErrLocked) {
		t.Errorf("Install with a *netlink.Conn: %v, want ErrLocked", err)
	}
	close(leave)
	if err := <-held; err != nil {
		t.Error(err)
	}
	if err := u.Install(t.Context(), c); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	n.remove(n.uplink1(ip4), n.uplink2(ip4))
	n.unchanged("Remove", before)
}

// A holder stops at the first request that changes something.
type holder struct {
	*route.Socket
	entered, leave chan struct{}
	once           bool
}

func (h *holder) Execute(m netlink.Message) ([]netlink.Message, error) {
	if m.Header.Type&3 != 2 && !h.once {
		h.once = true
		close(h.entered)
		<-h.leave
	}
	return h.Socket.Execute(m)
}

package table_test

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// together starts child processes, lets them go all at once, and waits for them.
func together(n *tabletest.Network, jobs ...tabletest.Job) {
	n.T.Helper()
	type process struct {
		cmd    *exec.Cmd
		start  io.WriteCloser
		stderr *strings.Builder
	}
	var all []process
	for _, j := range jobs {
		j.Readline = true
		p := process{cmd: n.Process(j), stderr: new(strings.Builder)}
		p.cmd.Stderr = p.stderr
		var err error
		if p.start, err = p.cmd.StdinPipe(); err != nil {
			n.T.Fatal(err)
		}
		out, err := p.cmd.StdoutPipe()
		if err != nil {
			n.T.Fatal(err)
		}
		if err := p.cmd.Start(); err != nil {
			n.T.Fatal(err)
		}
		if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
			n.T.Fatalf("a child process said %q, %v", line, err)
		}
		all = append(all, p)
	}
	for _, p := range all {
		fmt.Fprintln(p.start, "go")
	}
	for _, p := range all {
		if err := p.cmd.Wait(); err != nil {
			n.T.Errorf("a child process: %v\n%s", err, p.stderr)
		}
	}
}

// Two processes at once, each with uplinks of its own: both end up installed. The
// same uplink from both is there once.
func TestTwoProcesses(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		n.AddLAN()
		before := n.Snapshot()
		u1, u2 := n.Uplink1(f), n.FullUplink(f)
		u1.Table, u2.Table = 0, 0 // claimed, without a name in the way
		u1.Name, u2.Name = "", ""
		rounds := tabletest.Times(200, 20)
		for _, x := range []struct {
			name string
			jobs []tabletest.Job
		}{
			{"different uplinks", []tabletest.Job{
				{Install: []table.SourceRoutedUplink{u1}, Remove: []table.SourceRoutedUplink{u1}, Repeat: rounds},
				{Install: []table.SourceRoutedUplink{u2}, Remove: []table.SourceRoutedUplink{u2}, Repeat: rounds},
			}},
			{"the same uplink", []tabletest.Job{
				{Install: []table.SourceRoutedUplink{u2}, Remove: []table.SourceRoutedUplink{u2}, Repeat: rounds},
				{Install: []table.SourceRoutedUplink{u2}, Remove: []table.SourceRoutedUplink{u2}, Repeat: rounds},
			}},
		} {
			together(n, x.jobs...)
			n.WantSnapshot(x.name+", installed and removed", before)
			jobs := x.jobs
			for i := range jobs {
				jobs[i].Remove = nil
			}
			together(n, jobs...)
			n.WantNothingToDo(jobs[0].Install...)
			n.WantNothingToDo(jobs[1].Install...)
			want := 5 // 4 rungs, and 1 of the plain one
			if x.name == "the same uplink" {
				want = 4
			}
			if rules, err := rule.List(t.Context(), n.Conn, rule.Filter{Protocol: table.Protocol}); err != nil || len(rules) != want {
				t.Errorf("%s: %d rules, want %d, error %v:\n%s", x.name, len(rules), want, err, n.Kernel())
			}
			n.Remove(jobs[0].Install...)
			n.Remove(jobs[1].Install...)
			n.WantSnapshot(x.name, before)
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
			n := tabletest.NewNetwork(t)
			var jobs []tabletest.Job
			for i := range processes {
				// Both families claim the same numbers.
				a := netip.MustParseAddr(fmt.Sprintf("10.2.0.%d", 100+i))
				gateway := netip.MustParseAddr(tabletest.IPv4.G2)
				if i%2 == 1 {
					a = netip.MustParseAddr(fmt.Sprintf("2001:db8:2::%d", 100+i))
					gateway = netip.MustParseAddr(tabletest.IPv6.G2)
				}
				n.Server.Addr("u2", netip.PrefixFrom(a, map[bool]int{true: 24, false: 64}[a.Is4()]).String())
				u := table.SourceRoutedUplink{Interface: "u2", Gateway: gateway, Sources: []netip.Addr{a}, Etc: n.Etc}
				jobs = append(jobs, tabletest.Job{Install: []table.SourceRoutedUplink{u}, Lonely: x.lonely})
			}
			together(n, jobs...)
			tables := make(map[rttables.ID]bool)
			for r, err := range rule.All(t.Context(), n.Conn, rule.Filter{Protocol: table.Protocol}) {
				if err != nil {
					t.Fatal(err)
				}
				tables[r.Table] = true
			}
			if len(tables) != processes {
				t.Errorf("%d processes have %d tables: %v\n%s", processes, len(tables), tables, n.Kernel())
			}
			if strings.Contains(n.Kernel(), "throw") {
				t.Errorf("a claim is left:\n%s", n.Kernel())
			}
		})
	}
}

package table_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
)

// A recorder notes the requests that change something, and can fail them.
type recorder struct {
	c      route.Conn
	writes []netlink.HeaderType
	seen   int // requests of any kind
	fail   func(n int, m netlink.Message) error
	done   bool                    // the kernel is asked even so
	sent   func(m netlink.Message) // is called with those that change something
}

func (r *recorder) Execute(m netlink.Message) ([]netlink.Message, error) {
	r.seen++
	if m.Header.Type&3 != 2 { // not RTM_GET…
		r.writes = append(r.writes, m.Header.Type)
		if r.sent != nil {
			r.sent(m)
		}
	}
	if r.fail != nil {
		if err := r.fail(r.seen, m); err != nil {
			if r.done {
				r.c.Execute(m)
			}
			return nil, err
		}
	}
	return r.c.Execute(m)
}

var _ route.Conn = (*recorder)(nil)

var errInjected = errors.New("injected")

// A fault is something that goes wrong with a request.
type fault struct {
	name string
	// err is what the request is answered with; nil ends the context instead.
	err error
	// done: the kernel does it nevertheless.
	done bool
}

func errno(e syscall.Errno) error { return &netlink.OpError{Op: "receive", Err: e} }

var faults = []fault{
	{name: "EEXIST", err: errno(syscall.EEXIST)},
	{name: "EINVAL", err: errno(syscall.EINVAL)},
	{name: "ENETDOWN", err: errno(syscall.ENETDOWN)},
	{name: "ENOBUFS", err: errno(syscall.ENOBUFS)},
	{name: "lost answer", err: errno(syscall.ENOBUFS), done: true},
	{name: "cancelled", err: nil, done: true},
}

// After a failure at any request the state is byte for byte what it was, and the
// error names the step and its object.
func TestFailAtEveryRequest(t *testing.T) {
	i := 0
	forChanges(t, some(), func(t *testing.T, n *network, f family, x change) {
		from, to := x.from(n, f), x.to(n, f)
		n.narrow(f, from, to)
		for _, list := range [][]table.SourceRoutedUplink{from, to} {
			for j := range list {
				list[j].Also = []rule.Rule{{FwMark: rule.FwMark(2)}, {IPProto: route.TCP, DPort: rule.Port(25)}}
			}
		}
		n.install(from...)
		for j, fault := range faults {
			if *allOfIt || i%2 == j%2 {
				failAtEveryRequest(t, n, fault, from, to)
			}
		}
		i++
	})
}

func (n *network) both() []table.SourceRoutedUplink {
	u4, u6 := n.uplink2(ip4), n.uplink2(ip6)
	u4.Also = []rule.Rule{{FwMark: rule.FwMark(2)}, {IPProto: route.TCP, DPort: rule.Port(25)}}
	u6.Also = u4.Also
	return []table.SourceRoutedUplink{u4, u6}
}

func failAtEveryRequest(t *testing.T, n *network, fault fault, from, to []table.SourceRoutedUplink) {
	before := n.snapshot()
	writes, all := 0, 0
	for k := 1; ; k++ {
		ctx, cancel := context.WithCancel(t.Context())
		rec := &recorder{c: n.c, done: fault.done}
		rec.fail = func(seen int, _ netlink.Message) error {
			if seen != k {
				return nil
			}
			if fault.err == nil {
				cancel()
			}
			return fault.err
		}
		err := n.apply(ctx, rec, from, to)
		cancel()
		if err == nil && fault.name == "EEXIST" && rec.seen > k {
			// It was the claim of a table, of which there are more.
			n.remove(to...)
			n.install(from...)
			continue
		}
		if err == nil {
			t.Logf("%s: %d requests, %d of them changes", fault.name, k-1, writes)
			all = len(rec.writes)
			break
		}
		want := fault.err
		if want == nil {
			want = context.Canceled
		}
		if !errors.Is(err, want) {
			t.Fatalf("%s of request %d: %v", fault.name, k, err)
		}
		var step *table.StepError
		if errors.As(err, &step) {
			writes++
			if len(step.Left) > 0 || step.Uplink != "lan2" && step.Uplink == "" || step.Step.Op == 0 ||
				!strings.Contains(err.Error(), step.Step.String()) {
				t.Errorf("%s of request %d: %v", fault.name, k, err)
			}
		}
		n.unchanged(fmt.Sprintf("%s of request %d: %v", fault.name, k, err), before)
	}
	// Of a single change it is too late to be cancelled when it was sent.
	if n.snapshot() == before || writes == 0 && (all != 1 || fault.err != nil) {
		t.Errorf("%d requests that failed were changes: the test proves nothing", writes)
	}
	n.remove(append(to, from...)[:1]...)
	n.install(from...)
}

// When the undo fails as well, the error says what is left, and the next
// Install or Remove deals with it.
func TestUndoFails(t *testing.T) {
	n := newNetwork(t)
	before := n.snapshot()
	u := n.both()[0]
	// Of two routes and five rules, the fourth fails, and all after it.
	rec := &recorder{c: n.c}
	rec.fail = func(int, netlink.Message) error {
		if len(rec.writes) >= 4 {
			return errInjected
		}
		return nil
	}
	err := u.Install(t.Context(), rec)
	var step *table.StepError
	if !errors.As(err, &step) {
		t.Fatalf("got %v, want a *StepError", err)
	}
	want := `table: uplink lan2: ip rule add from all fwmark 0x2 lookup main suppress_prefixlength 0 proto 210 pref 32000: injected` +
		`; not undone: ip rule add from 10.2.0.2 lookup lan2 proto 210 pref 31000: injected` +
		`; not undone: ip route add default via 10.2.0.1 dev u2 table lan2 proto 210 src 10.2.0.2: injected` +
		`; not undone: ip route add 10.2.0.0/24 dev u2 table lan2 proto 210 src 10.2.0.2: injected`
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("the error (-want +got):\n%s", diff)
	}
	n.install(u)
	n.remove(u)
	n.unchanged("Install and Remove", before)
}

// Whatever fails from some request on, for good: the error lists all that is left
// and nothing else, all of it is ours, and Recover or the next Install deals with
// it.
func TestUndoFailsAtEveryRequest(t *testing.T) {
	forFamilies(t, func(t *testing.T, n *network, f family) {
		n.addLAN()
		u := n.full(f)
		before := n.kernel()
		for k := 1; ; k++ {
			rec := &recorder{c: n.c}
			rec.fail = func(int, netlink.Message) error {
				if len(rec.writes) >= k {
					return errInjected
				}
				return nil
			}
			err := u.Install(t.Context(), rec)
			if err == nil {
				if k < 12 {
					t.Errorf("only %d requests failed", k-1)
				}
				break
			}
			var step *table.StepError
			if !errors.As(err, &step) {
				t.Fatalf("request %d: got %v, want a *StepError", k, err)
			}
			left := difference(before, n.kernel())
			if len(left) != len(step.Left) {
				t.Errorf("request %d: left is\n%s\nand reported\n%v", k, strings.Join(left, "\n"), err)
			}
			for _, line := range left {
				if !strings.Contains(line, "proto 210") {
					t.Errorf("request %d: not ours: %s", k, line)
				}
			}
			if k%2 == 0 {
				if err := table.Recover(t.Context(), n.c); err != nil {
					t.Fatal(err)
				}
				if left := difference(before, n.kernel()); len(left) > 0 && k < 11 {
					t.Errorf("request %d: Recover leaves\n%s", k, strings.Join(left, "\n"))
				}
			} else {
				n.install(u)
				n.wantNothingToDo(u)
			}
			n.remove(u)
			if now := n.kernel(); now != before {
				t.Errorf("request %d: after Remove:\n%s", k, cmp.Diff(before, now))
			}
		}
	})
}

// difference are the lines that one text has and the other has not.
func difference(a, b string) []string {
	var lines []string
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	for _, pair := range [][2][]string{{as, bs}, {bs, as}} {
		for _, line := range pair[0] {
			if !slices.Contains(pair[1], line) {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

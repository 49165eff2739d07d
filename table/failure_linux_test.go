package table_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/plan"
)

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
	{name: "EIO", err: errno(syscall.EIO)},
	{name: "EIO afterwards", err: errno(syscall.EIO), done: true},
	{name: "ENOMEM afterwards", err: errno(syscall.ENOMEM), done: true},
	{name: "deadline afterwards", err: os.ErrDeadlineExceeded, done: true},
	{name: "closed afterwards", err: &netlink.OpError{Op: "receive", Err: net.ErrClosed}, done: true},
	{name: "unknown afterwards", err: tabletest.ErrInjected, done: true},
}

// After a failure at any request the state is byte for byte what it was, and the
// error names the step and its object. Without -full each of some changes is tried in
// one family, with every third kind of fault, and at every request: each kind of fault
// meets installs and updates.
func TestFailAtEveryRequest(t *testing.T) {
	i := 0
	tabletest.ForChanges(t, tabletest.SomeChanges(), tabletest.IPv4, func(t *testing.T, n *tabletest.Network, f tabletest.Family, x tabletest.Change) {
		from, to := x.From(n, f), x.To(n, f)
		n.Narrow(f, from, to)
		for _, list := range [][]table.SourceRoutedUplink{from, to} {
			for j := range list {
				list[j].Also = []rule.Rule{{FwMark: rule.FwMark(2)}, {IPProto: route.TCP, DPort: rule.Port(25)}}
			}
		}
		n.Install(from...)
		for j, fault := range faults {
			if tabletest.Full() || i%3 == j%3 {
				failAtEveryRequest(t, n, fault, from, to)
			}
		}
		i++
	})
}

func failAtEveryRequest(t *testing.T, n *tabletest.Network, fault fault, from, to []table.SourceRoutedUplink) {
	before := n.Snapshot()
	writes, all := 0, 0
	for k := 1; ; k++ {
		ctx, cancel := context.WithCancel(t.Context())
		rec := &tabletest.Recorder{Conn: n.Conn, Done: fault.done}
		rec.Fail = func(seen int, _ netlink.Message) error {
			if seen != k {
				return nil
			}
			if fault.err == nil {
				cancel()
			}
			return fault.err
		}
		err := n.Apply(ctx, rec, from, to)
		cancel()
		if err == nil && fault.name == "EEXIST" && rec.Seen > k {
			// It was the claim of a table, of which there are more, or a rule, which is
			// added after a look whether it exists.
			n.Remove(to...)
			n.Install(from...)
			continue
		}
		if err == nil {
			t.Logf("%s: %d requests, %d of them changes", fault.name, k-1, writes)
			all = len(rec.Writes)
			break
		}
		want := fault.err
		if want == nil {
			want = context.Canceled
		}
		if !errors.Is(err, want) {
			t.Fatalf("%s of request %d: %v", fault.name, k, err)
		}
		var step *plan.StepError
		if errors.As(err, &step) {
			writes++
			if len(step.Left) > 0 || step.Uplink != "lan2" && step.Uplink == "" || step.Step.Op == 0 ||
				!strings.Contains(err.Error(), step.Command()) {
				t.Errorf("%s of request %d: %v", fault.name, k, err)
			}
		}
		n.WantSnapshot(fmt.Sprintf("%s of request %d: %v", fault.name, k, err), before)
	}
	// Of a single change it is too late to be cancelled when it was sent.
	if n.Snapshot() == before || writes == 0 && (all != 1 || fault.err != nil) {
		t.Errorf("%d requests that failed were changes: the test proves nothing", writes)
	}
	n.Remove(append(to, from...)[:1]...)
	n.Install(from...)
}

// When the undo fails as well, the error says what is left, and the next
// Install or Remove deals with it.
func TestUndoFails(t *testing.T) {
	n := tabletest.NewNetwork(t)
	before := n.Snapshot()
	u := n.BothFamilies()[0]
	// Of two routes and five rules, the fourth fails, and all after it.
	rec := &tabletest.Recorder{Conn: n.Conn}
	rec.Fail = func(int, netlink.Message) error {
		if len(rec.Writes) >= 4 {
			return tabletest.ErrInjected
		}
		return nil
	}
	err := u.Install(t.Context(), rec)
	var step *plan.StepError
	if !errors.As(err, &step) {
		t.Fatalf("got %v, want a *StepError", err)
	}
	// The reply to each of them was lost, and nothing can be read any more.
	want := `table: uplink lan2: ip rule add from all fwmark 0x2 lookup main suppress_prefixlength 1 proto 210 pref 32000: injected` +
		`; perhaps not undone: ip rule add from all fwmark 0x2 lookup main suppress_prefixlength 1 proto 210 pref 32000: injected` +
		`; perhaps not undone: ip rule add from 10.2.0.2 lookup 20 proto 210 pref 31000: injected` +
		`; perhaps not undone: ip route add default via 10.2.0.1 dev u2 table 20 proto 210 src 10.2.0.2: injected` +
		`; perhaps not undone: ip route add 10.2.0.0/24 dev u2 table 20 proto 210 src 10.2.0.2: injected`
	tabletest.WantText(t, "the error", want, err.Error())
	n.Install(u)
	n.Remove(u)
	n.WantSnapshot("Install and Remove", before)
}

// Whatever fails from some request on, for good: the error lists all that is left
// and nothing else, all of it is ours, and Recover or the next Install deals with
// it.
func TestUndoFailsAtEveryRequest(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		n.AddLAN()
		u := n.FullUplink(f)
		before := n.Kernel()
		for k := 1; ; k++ {
			rec := &tabletest.Recorder{Conn: n.Conn}
			rec.Fail = func(int, netlink.Message) error {
				if len(rec.Writes) >= k {
					return tabletest.ErrInjected
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
			var step *plan.StepError
			if !errors.As(err, &step) {
				t.Fatalf("request %d: got %v, want a *StepError", k, err)
			}
			left := difference(before, n.Kernel())
			// The step that failed may have been done. Here it was not.
			if n := len(step.Left) - len(left); n < 0 || n > 1 {
				t.Errorf("request %d: left is\n%s\nand reported\n%v", k, strings.Join(left, "\n"), err)
			}
			for _, line := range left {
				if !strings.Contains(line, "proto 210") {
					t.Errorf("request %d: not ours: %s", k, line)
				}
			}
			if k%2 == 0 {
				if err := table.Recover(t.Context(), n.Conn); err != nil {
					t.Fatal(err)
				}
				if left := difference(before, n.Kernel()); len(left) > 0 && k < 11 {
					t.Errorf("request %d: Recover leaves\n%s", k, strings.Join(left, "\n"))
				}
			} else {
				n.Install(u)
				n.WantNothingToDo(u)
			}
			n.Remove(u)
			n.WantKernel(fmt.Sprintf("request %d: Remove", k), before)
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

// The undo of a route that a step was to replace, where there was none, deletes it.
func TestUndoReplaceOfNone(t *testing.T) {
	n := tabletest.NewNetwork(t)
	before := n.Snapshot()
	r := route.Route{
		Table: 20, OIF: n.Server.Index("u2"), Gateway: netip.MustParseAddr(tabletest.IPv4.G2), Protocol: table.Protocol,
	}
	missing := r
	missing.Table = 21
	p := plan.Plan{Steps: []plan.Step{{Op: plan.ReplaceRoute, Route: r}, {Op: plan.DeleteRoute, Route: missing}}}
	var step *plan.StepError
	if err := p.Apply(t.Context(), n.Conn); !errors.As(err, &step) || step.Step.Op != plan.DeleteRoute || len(step.Left) > 0 {
		t.Errorf("got %v", err)
	}
	n.WantSnapshot("the failure", before)
}

// A rule for which the kernel takes another one is added, and one that exists is not
// added again, by a plan of one rule as well as of many.
func TestApplyRuleBesideAnother(t *testing.T) {
	n := tabletest.NewNetwork(t)
	for _, count := range []uint32{1, 40} {
		before := n.Snapshot()
		var steps []plan.Step
		for i := range count {
			there := rule.Rule{
				Family: route.IPv4, From: netip.MustParsePrefix("10.2.0.9/32"), To: netip.MustParsePrefix("10.9.0.0/16"),
				Action: rule.ActionLookup, Table: 20, Priority: rule.Priority(1000*count + i), Protocol: table.Protocol,
			}
			if err := rule.Add(t.Context(), n.Conn, there); err != nil {
				t.Fatal(err)
			}
			there.To = netip.Prefix{}
			steps = append(steps, plan.Step{Op: plan.AddRule, Rule: there})
		}
		p := plan.Plan{Steps: steps}
		if err := p.Apply(t.Context(), n.Conn); err != nil {
			t.Error(err)
		}
		after := n.Snapshot()
		if got := len(difference(before, after)); got != 2*int(count) {
			t.Errorf("%d rules more, want %d", got, 2*count)
		}
		var step *plan.StepError
		if err := p.Apply(t.Context(), n.Conn); !errors.As(err, &step) || !errors.Is(err, syscall.EEXIST) || len(step.Left) > 0 {
			t.Errorf("again: %v, want EEXIST and nothing left", err)
		}
		n.WantSnapshot("the second time", after)
	}
}

// A deleted route cannot be brought back if another program has added one with the same
// destination and metric meanwhile. That is left, unless both routes are the same.
func TestUndoOfRouteTaken(t *testing.T) {
	n := tabletest.NewNetwork(t)
	r := route.Route{
		Family: route.IPv4, Table: 20, OIF: n.Server.Index("u2"), Gateway: netip.MustParseAddr(tabletest.IPv4.G2),
		Protocol: table.Protocol,
	}
	missing, other := r, r
	missing.Table = 21
	other.Protocol = route.ProtoStatic
	for _, x := range []struct {
		by   route.Route
		left int
	}{{r, 0}, {other, 1}} {
		if err := route.Replace(t.Context(), n.Conn, r); err != nil {
			t.Fatal(err)
		}
		rec := &tabletest.Recorder{Conn: n.Conn}
		rec.Fail = func(int, netlink.Message) error {
			if len(rec.Writes) != 2 {
				return nil
			}
			rec.Writes = append(rec.Writes, 0)
			return route.Add(t.Context(), n.Conn, x.by)
		}
		p := plan.Plan{Steps: []plan.Step{{Op: plan.DeleteRoute, Route: r}, {Op: plan.DeleteRoute, Route: missing}}}
		var step *plan.StepError
		if err := p.Apply(t.Context(), rec); !errors.As(err, &step) || len(step.Left) != x.left {
			t.Errorf("by %v: got %v, want %d left", x.by, err, x.left)
		}
	}
}

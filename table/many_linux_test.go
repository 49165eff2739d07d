package table_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/plan"
)

// manyUplink is an uplink with so many rules that they are added in a batch.
func manyUplink(n *tabletest.Network) table.SourceRoutedUplink {
	for i := range 8 {
		n.Server.Addr("u2", fmt.Sprintf("10.2.0.%d/24", 20+i))
	}
	return n.FullUplink(tabletest.IPv4)
}

// Rules that are added in a batch are installed, changed and removed like others, and
// what a listing shows afterwards is what the plan said.
func TestManyRules(t *testing.T) {
	n := tabletest.NewNetwork(t)
	u := manyUplink(n)
	before := n.Snapshot()
	n.Install(u)
	installed := n.Snapshot()
	u.Unreachable = false
	n.Install(u)
	if p, err := u.Plan(t.Context(), n.Conn); err != nil || !p.Empty() {
		t.Errorf("planned after the update: %v\n%s", err, p)
	}
	u.Unreachable = true
	n.Install(u)
	n.WantSnapshot("changed and changed back", installed)
	n.Remove(u)
	n.WantSnapshot("Remove", before)
}

// After a failure within a batch the state is byte for byte what it was.
func TestManyRulesFail(t *testing.T) {
	n := tabletest.NewNetwork(t)
	u := manyUplink(n)
	smaller := u
	smaller.MainFirst, smaller.Unreachable = false, false
	n.Install(smaller)
	before := n.Snapshot()
	failed := 0
	for k := 1; ; k += 1 + 4*min(1, k/8) { // the first requests, and then every fifth
		rec := &tabletest.Recorder{Conn: n.Conn, Fail: func(seen int, _ netlink.Message) error {
			if seen == k {
				return unix.EINVAL
			}
			return nil
		}}
		err := u.Install(t.Context(), rec)
		if err == nil {
			break
		}
		var step *plan.StepError
		if errors.As(err, &step) {
			failed++
			if len(step.Left) > 0 || step.Step.Op == 0 {
				t.Errorf("request %d: %v", k, err)
			}
		}
		n.WantSnapshot(fmt.Sprintf("request %d: %v", k, err), before)
	}
	if failed < 10 {
		t.Errorf("%d requests that failed were changes: the test proves nothing", failed)
	}
}

// A batch that a real socket sends stops for a context that ends, and is undone.
func TestManyRulesBatchFails(t *testing.T) {
	n := tabletest.NewNetwork(t)
	u := manyUplink(n)
	before := n.Snapshot()
	for _, at := range []int{0, 5, 30} {
		ctx, cancel := context.WithCancel(t.Context())
		c := &refusingBatcher{Socket: n.Conn, at: at, cancel: cancel}
		err := u.Install(ctx, c)
		var step *plan.StepError
		if !errors.As(err, &step) || !errors.Is(err, unix.EPERM) {
			t.Errorf("request %d of a batch: %v", at, err)
		}
		n.WantSnapshot(fmt.Sprintf("request %d of a batch: %v", at, err), before)
		cancel()
	}
	n.Install(u)
	installed := n.Snapshot()
	for _, at := range []int{0, 5, 30} {
		ctx, cancel := context.WithCancel(t.Context())
		c := &refusingBatcher{Socket: n.Conn, at: at, cancel: cancel}
		err := u.Remove(ctx, c)
		var step *plan.StepError
		if !errors.As(err, &step) || !errors.Is(err, unix.EPERM) || step.Step.Op != plan.DeleteRule || len(step.Left) > 0 {
			t.Errorf("request %d of a batch of deletions: %v", at, err)
		}
		n.WantSnapshot(fmt.Sprintf("request %d of a batch of deletions: %v", at, err), installed)
		cancel()
	}
}

// A refusingBatcher is a socket on which one request of a batch is refused.
type refusingBatcher struct {
	*route.Socket
	at     int
	cancel context.CancelFunc
}

func (c *refusingBatcher) Batch(ms []netlink.Message) ([]error, error) {
	if len(ms) <= c.at {
		return c.Socket.Batch(ms)
	}
	all := make([]error, len(ms))
	rest := append(append([]netlink.Message{}, ms[:c.at]...), ms[c.at+1:]...)
	errs, err := c.Socket.Batch(rest)
	copy(all, errs[:c.at])
	copy(all[c.at+1:], errs[c.at:])
	all[c.at] = unix.EPERM
	c.cancel() // the undo goes on
	return all, err
}

// Updates with so many rules that they are added in a batch change over in one step, also
// where no routes are added between the gates and the new rungs in front of the old ones.
func TestManyRulesAtomic(t *testing.T) {
	n := tabletest.NewNetwork(t)
	n.AddLAN()
	u := manyUplink(n)
	plain := u
	plain.MainFirst, plain.Unreachable = false, false
	look := func() string { return n.Matrix(tabletest.IPv4, tabletest.IPv4.A2, "10.2.0.20", "10.2.0.27") }
	n.Install(plain)
	for _, to := range []table.SourceRoutedUplink{u, plain, u} {
		before := look()
		w := &tabletest.Watcher{Socket: n.Conn, Look: look}
		if err := to.Install(t.Context(), plainConn{w}); err != nil {
			t.Fatal(err)
		}
		after := look()
		if before == after {
			t.Fatal("nothing changes: the test proves nothing")
		}
		for i, s := range w.States {
			if s != before && s != after {
				tabletest.WantText(t, fmt.Sprintf("after request %d of %d, %s", i+1, len(w.States), w.Names[i]), before, s)
				return
			}
		}
	}
}

// A plainConn does requests one by one.
type plainConn struct{ w *tabletest.Watcher }

func (c plainConn) Execute(m netlink.Message) ([]netlink.Message, error) { return c.w.Execute(m) }

// However many uplinks are installed, changed and removed, the rules are listed once for
// the plan, once for tables that are claimed, and once to be read back.
func TestManyUplinksListings(t *testing.T) {
	n := tabletest.NewNetwork(t)
	var all []table.SourceRoutedUplink
	for i := range 20 {
		a := fmt.Sprintf("10.2.0.%d", 20+i)
		n.Server.Addr("u2", a+"/24")
		u := n.Uplink2(tabletest.IPv4)
		u.Name, u.Table, u.Sources = "", rttables.ID(100+i), []netip.Addr{netip.MustParseAddr(a)}
		all = append(all, u)
	}
	listings := 0
	rec := &tabletest.Recorder{Conn: n.Conn, Fail: func(_ int, m netlink.Message) error {
		if m.Header.Type == uapi.RTM_GETRULE {
			listings++
		}
		return nil
	}}
	closed := slices.Clone(all) // each gets one rule more, which takes effect by itself
	gateways, chosen := slices.Clone(all), slices.Clone(all)
	for i := range all {
		chosen[i].Table = 0 // each claims a table, which takes a look whether rules lead there
		closed[i].Unreachable = true
		gateways[i].Unreachable, gateways[i].Gateway = true, netip.MustParseAddr("10.2.0.9")
	}
	for _, step := range []struct {
		name string
		do   func(context.Context, route.Conn, ...table.SourceRoutedUplink) error
		up   []table.SourceRoutedUplink
		most int
	}{
		{"up", table.Install, all, 2}, {"again", table.Install, all, 1}, {"a rule more", table.Install, closed, 2},
		{"another gateway", table.Install, gateways, 1}, {"down", table.Remove, gateways, 2},
		{"up without tables", table.Install, chosen, 3}, {"down without tables", table.Remove, chosen, 2},
	} {
		listings = 0
		if err := step.do(t.Context(), rec, step.up...); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if listings == 0 || listings > step.most {
			t.Errorf("%s: the rules are listed %d times, want at most %d", step.name, listings, step.most)
		}
	}
}

package maintain_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/maintain"
	"github.com/policyroute/policyroute/table/plan"
)

// An update changes what differs, and removes uplinks that it does not have. At the end all
// is removed if the configuration says so, and no goroutine is left.
func TestUpdateAndEnd(t *testing.T) {
	n := tabletest.NewNetwork(t)
	before := n.Snapshot()
	goroutines := runtime.NumGoroutine()
	update := make(chan maintain.Update)
	k := newKeeper(n, maintain.Config{Remove: true, Update: update},
		maintained(n.Uplink1(tabletest.IPv4), n.Uplink2(tabletest.IPv4), n.Uplink2(tabletest.IPv6))...)
	changed := n.Uplink2(tabletest.IPv4)
	changed.MainFirst = true
	from := len(k.log())
	update <- maintain.Update{Uplinks: maintained(changed)}
	k.awaitKind(from, maintain.EventReady)
	n.WantPlan("update", "\n", changed)
	if got := n.Table(10); got != "" {
		t.Errorf("an uplink that is gone is not removed:\n%s", got)
	}
	if got := n.Table(20); strings.Contains(got, "2001:db8") {
		t.Errorf("a family that is gone is not removed:\n%s", got)
	}
	// What cannot be is refused.
	from = len(k.log())
	update <- maintain.Update{Uplinks: maintained(table.SourceRoutedUplink{Name: "x"})}
	k.awaitKind(from, maintain.EventUpdateRefused)
	n.WantPlan("a refused update", "\n", changed)
	k.stop()
	n.WantSnapshot("the end", before)
	k.until("goroutines end", func() bool { return runtime.NumGoroutine() <= goroutines })

	// Without Remove they stay.
	k = newKeeper(n, maintain.Config{}, maintained(changed)...)
	k.stop()
	n.WantPlan("the end without Remove", "\n", changed)
}

// Invalid uplinks and configurations are refused at once.
func TestRefuses(t *testing.T) {
	n := tabletest.NewNetwork(t)
	u := n.Uplink2(tabletest.IPv4)
	for name, uplinks := range map[string][]maintain.Uplink{
		"Interface": maintained(table.SourceRoutedUplink{}),
		"Name":      maintained(u, u),
		"Table":     maintained(u, func() table.SourceRoutedUplink { o := n.Uplink1(tabletest.IPv4); o.Table = u.Table; return o }()),
		"Sources":   maintained(u, func() table.SourceRoutedUplink { o := u; o.Name, o.Table = "x", 9; return o }()),
		"Learn":     {{SourceRoutedUplink: u, Learn: route.IPv4}},
		"Etc":       maintained(u, func() table.SourceRoutedUplink { o := n.Uplink1(tabletest.IPv4); o.Etc = "/other"; return o }()),
	} {
		err := maintain.Run(t.Context(), nil, nil, uplinks...)
		if e, ok := err.(*plan.FieldError); !ok || e.Field != name {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Two uplinks without a name, by one interface and gateway, have the same label. Events
// tell them apart by their owner, and a repair of one of them does not change the other.
func TestNamelessTwins(t *testing.T) {
	n := tabletest.NewNetwork(t)
	n.Server.Addr("u2", "10.2.0.3/24")
	twin := func(id rttables.ID, source string) table.SourceRoutedUplink {
		return table.SourceRoutedUplink{
			Table: id, Interface: "u2", Gateway: netip.MustParseAddr(tabletest.IPv4.G2), Etc: n.Etc,
			Sources: []netip.Addr{netip.MustParseAddr(source)},
		}
	}
	first, second := twin(20, "10.2.0.2"), twin(21, "10.2.0.3")
	same := second
	same.Table = first.Table
	if e, ok := maintain.Run(t.Context(), nil, nil, maintained(first, same)...).(*plan.FieldError); !ok || e.Field != "Table" {
		t.Errorf("both have one table: %v", e)
	}
	update := make(chan maintain.Update)
	k := newKeeper(n, maintain.Config{Update: update, Remove: true}, maintained(n.Uplink1(tabletest.IPv4), first, second)...)
	for owner, id := range map[int]string{1: "table 20", 2: "table 21"} {
		k.await(0, "installed", func(e maintain.Event) bool {
			return e.Kind == maintain.EventInstalled && e.Owner == owner && strings.Count(e.String(), "ip route add") == 2 &&
				strings.Count(e.String(), id) == 2
		})
	}
	from := len(k.log())
	if _, err := route.Flush(t.Context(), n.Dial(n.Server), route.Filter{Table: 21}); err != nil {
		t.Fatal(err)
	}
	k.awaitKind(from, maintain.EventRepaired)
	k.settles(first, second)
	for _, e := range k.log()[from:] {
		if e.Owner != 2 || strings.Contains(e.String(), "table 20") {
			t.Errorf("of owner %d: %s", e.Owner, e)
		}
	}
	// In another order they are the same uplinks.
	from = len(k.log())
	update <- maintain.Update{Uplinks: maintained(second, first)}
	k.awaitKind(from, maintain.EventReady)
	for _, e := range k.log()[from:] {
		if e.Kind != maintain.EventReady && e.Uplink != "lan1" {
			t.Errorf("the order is changed: %s", e)
		}
	}
	from = len(k.log())
	update <- maintain.Update{Uplinks: maintained(second)}
	k.await(from, "removed", func(e maintain.Event) bool { return e.Kind == maintain.EventRemoved && e.Owner == plan.NoOwner })
	if n.Table(20) != "" {
		t.Errorf("the first one is still there:\n%s", n.Table(20))
	}
	n.WantPlan("the second one", "\n", second)
}

// An uplink that could not be moved to another table, and then is no longer declared, is
// removed from the table that it was to leave.
func TestRemovedBeforeItMoves(t *testing.T) {
	n := tabletest.NewNetwork(t)
	u := n.Uplink2(tabletest.IPv4)
	update := make(chan maintain.Update)
	k := newKeeper(n, maintain.Config{Update: update}, maintained(u)...)
	foreign := route.Route{Table: 30, Gateway: netip.MustParseAddr(tabletest.IPv4.G1)}
	if err := route.Add(t.Context(), n.Conn, foreign); err != nil {
		t.Fatal(err)
	}
	moved := u
	moved.Table = 30
	from := len(k.log())
	update <- maintain.Update{Uplinks: maintained(moved)}
	from = k.await(from, "a conflict", func(e maintain.Event) bool {
		var conflict *plan.ConflictError
		return e.Kind == maintain.EventFailed && errors.As(e.Err, &conflict)
	})
	if n.Table(20) == "" {
		t.Error("it was removed before it could be moved")
	}
	update <- maintain.Update{}
	k.awaitKind(from, maintain.EventRemoved)
	if got := n.Table(20); got != "" {
		t.Errorf("something is left:\n%s", got)
	}
	if got := n.Table(30); !strings.Contains(got, "route default") {
		t.Errorf("someone else's route is gone:\n%s", got)
	}
}

// An ender cancels a context once so many requests were answered.
type ender struct {
	*route.Socket
	left *atomic.Int64
	end  context.CancelFunc
}

func (e ender) Execute(m netlink.Message) ([]netlink.Message, error) {
	reply, err := e.Socket.Execute(m)
	if e.left.Add(-1) == 0 {
		e.end()
	}
	return reply, err
}

// Whenever the context ends, events report what was done, and nothing else.
func TestEndIsTold(t *testing.T) {
	t.Parallel()
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		all := maintained(n.Uplink1(f), n.Uplink2(f))
		all[0].Weight, all[1].Weight = 1, 1
		outcomes := make(map[string]bool)
		for at := 1; ; at++ {
			ctx, cancel := context.WithCancel(t.Context())
			var left atomic.Int64
			left.Store(int64(at))
			var told string
			err := maintain.Run(ctx, func() (route.Conn, error) {
				s, err := route.Dial(n.Server.Config())
				return ender{s, &left, cancel}, err
			}, &maintain.Config{Default: &maintain.Default{Table: 30}, Event: func(e maintain.Event) {
				if e.Kind == maintain.EventReady {
					cancel()
					return
				}
				told += fmt.Sprintf("%s %s\n", e.Uplink, e.Kind)
			}}, all...)
			cancel()
			if err != nil {
				t.Fatal(err)
			}
			want := ""
			for _, o := range []struct {
				name  string
				there bool
			}{{"lan1", n.Table(10) != ""}, {"lan2", n.Table(20) != ""}, {"(default)", sharedDefault(n, f, 30) != ""}} {
				if o.there {
					want += o.name + " installed\n"
				}
			}
			tabletest.WantText(t, fmt.Sprintf("the end comes after request %d: it tells", at), want, told)
			if outcomes[told] = true; left.Load() > 0 {
				break
			}
			n.Remove(n.Uplink1(f), n.Uplink2(f))
			if err := (maintain.Default{Table: 30}).Remove(t.Context(), n.Conn); err != nil {
				t.Fatal(err)
			}
		}
		if len(outcomes) != 4 {
			t.Errorf("it tells %v", outcomes)
		}
	})
}

// The same holds if the context ends while an uplink is removed.
func TestEndOfUpdate(t *testing.T) {
	t.Parallel()
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		all := maintained(n.Uplink1(f), n.Uplink2(f))
		outcomes := make(map[string]bool)
		for at, through := int64(1), false; !through; at++ {
			ctx, cancel := context.WithCancel(t.Context())
			update := make(chan maintain.Update, 1)
			var left atomic.Int64
			var told string
			err := maintain.Run(ctx, func() (route.Conn, error) {
				s, err := route.Dial(n.Server.Config())
				return ender{s, &left, cancel}, err
			}, &maintain.Config{Update: update, Event: func(e maintain.Event) {
				switch {
				case e.Kind == maintain.EventReady && left.Load() <= 0 && ctx.Err() == nil: // the first time
					told = ""
					left.Store(at)
					update <- maintain.Update{Uplinks: all[:1]}
				case e.Kind == maintain.EventReady:
					through = left.Load() > 0
					cancel()
				default:
					told += fmt.Sprintf("%s %s\n", e.Uplink, e.Kind)
				}
			}}, all...)
			cancel()
			if err != nil {
				t.Fatal(err)
			}
			want := map[bool]string{true: "lan2 removed\n"}[n.Table(20) == ""]
			tabletest.WantText(t, fmt.Sprintf("the end comes after request %d: it tells", at), want, told)
			outcomes[told] = true
		}
		if len(outcomes) != 2 {
			t.Errorf("it tells %v", outcomes)
		}
	})
}

// A closed channel of updates changes nothing, and is no reason to look.
func TestUpdateClosed(t *testing.T) {
	n := tabletest.NewNetwork(t)
	update := make(chan maintain.Update)
	k := newKeeper(n, maintain.Config{Update: update}, maintained(n.Uplink2(tabletest.IPv4))...)
	close(update)
	looks := k.counters.Looks.Load()
	time.Sleep(100 * time.Millisecond)
	n.WantPlan("the channel is closed", "\n", n.Uplink2(tabletest.IPv4))
	if more := k.counters.Looks.Load() - looks; more > 2 {
		t.Errorf("it has looked %d times", more)
	}
}

// After an update rules and routes are what Install would make of it, and nothing is left
// over. No packet leaves by the wrong uplink, from a source that stays. Updates may come one
// right after the other.
func TestUpdates(t *testing.T) {
	t.Parallel()
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		nothing := n.Snapshot()
		plainly := func(change func(u *table.SourceRoutedUplink)) table.SourceRoutedUplink {
			u := n.Uplink2(f)
			u.Unreachable = true
			change(&u)
			return u
		}
		n.Net.Addr("g2", f.G2+"0"+map[tabletest.Family]string{tabletest.IPv4: "/24", tabletest.IPv6: "/64"}[f])
		forms := map[string]table.SourceRoutedUplink{
			"as it was":      plainly(func(u *table.SourceRoutedUplink) {}),
			"another table":  plainly(func(u *table.SourceRoutedUplink) { u.Table = 30 }),
			"another name":   plainly(func(u *table.SourceRoutedUplink) { u.Name = "other" }),
			"name and table": plainly(func(u *table.SourceRoutedUplink) { u.Name, u.Table = "other", 30 }),
			"no name":        plainly(func(u *table.SourceRoutedUplink) { u.Name = "" }),
			"no name, another gateway": plainly(func(u *table.SourceRoutedUplink) {
				u.Name, u.Gateway = "", netip.MustParseAddr(f.G2+"0")
			}),
			"another gateway":   plainly(func(u *table.SourceRoutedUplink) { u.Gateway = netip.MustParseAddr(f.G2 + "0") }),
			"another priority":  plainly(func(u *table.SourceRoutedUplink) { u.Priority = 500 }),
			"another protocol":  plainly(func(u *table.SourceRoutedUplink) { u.Protocol = 99 }),
			"another interface": n.Uplink1(f),
			"the full ladder":   plainly(func(u *table.SourceRoutedUplink) { u.MainFirst = true }),
		}
		swallow(t, n, f)
		update := make(chan maintain.Update)
		k := newKeeper(n, maintain.Config{Update: update, Remove: true, Rate: 1000}, maintained(forms["as it was"])...)
		was := "as it was"
		for range tabletest.Times(10, 3) { // in many orders
			for name, u := range forms {
				from := len(k.log())
				n.G1.Reset()
				stop := send(n, f)
				for range 3 {
					update <- maintain.Update{Uplinks: maintained(u)}
				}
				for range 3 {
					from = k.awaitKind(from, maintain.EventReady)
				}
				k.settles(u)
				sent, _ := stop()
				astray := strings.Contains(was+name, "protocol") || strings.Contains(was+name, "interface")
				if g1, _ := fromUDP(n, f.A2); g1 > 0 && !astray || sent == 0 {
					t.Fatalf("from %s to %s: %d of %d packets by the other uplink\n%s", was, name, g1, sent, k.text())
				}
				if sync, err := table.PlanSync(t.Context(), n.Conn, u); err != nil || !sync.Empty() {
					t.Fatalf("from %s to %s: something is left over, error %v:\n%s\n%s", was, name, err, sync, k.text())
				}
				if others := n.Kernel(); (u.Protocol == 0) == strings.Contains(others, "proto 99") {
					t.Fatalf("from %s to %s: something of another protocol is left over:\n%s", was, name, others)
				}
				was = name
			}
		}
		k.stop()
		n.WantSnapshot("the end", nothing)
	})
}

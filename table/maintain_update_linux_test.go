package table_test

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// Update changes what differs and removes what is gone. At the end everything goes
// if it is asked for, and nothing that Maintain has opened or begun is left.
func TestMaintainUpdateAndEnd(t *testing.T) {
	n := tabletest.NewNetwork(t)
	before := n.Snapshot()
	goroutines := runtime.NumGoroutine()
	update := make(chan table.MaintainUpdate)
	k := newKeeper(n, table.MaintainConfig{Remove: true, Update: update},
		maintained(n.Uplink1(tabletest.IPv4), n.Uplink2(tabletest.IPv4), n.Uplink2(tabletest.IPv6))...)
	changed := n.Uplink2(tabletest.IPv4)
	changed.MainFirst = true
	from := len(k.log())
	update <- table.MaintainUpdate{Uplinks: maintained(changed)}
	k.awaitKind(from, table.EventReady)
	n.WantPlan("update", "\n", changed)
	if got := n.Table(10); got != "" {
		t.Errorf("an uplink that is gone is not removed:\n%s", got)
	}
	if got := n.Table(20); strings.Contains(got, "2001:db8") {
		t.Errorf("a family that is gone is not removed:\n%s", got)
	}
	// What cannot be is refused.
	from = len(k.log())
	update <- table.MaintainUpdate{Uplinks: maintained(table.SourceRoutedUplink{Name: "x"})}
	k.awaitKind(from, table.EventFailed)
	n.WantPlan("a refused update", "\n", changed)
	k.stop()
	n.WantSnapshot("the end", before)
	k.until("goroutines end", func() bool { return runtime.NumGoroutine() <= goroutines })

	// Without Remove they stay.
	k = newKeeper(n, table.MaintainConfig{}, maintained(changed)...)
	k.stop()
	n.WantPlan("the end without Remove", "\n", changed)
}

// What cannot be is refused at once.
func TestMaintainRefuses(t *testing.T) {
	n := tabletest.NewNetwork(t)
	u := n.Uplink2(tabletest.IPv4)
	for name, uplinks := range map[string][]table.MaintainedUplink{
		"Interface": maintained(table.SourceRoutedUplink{}),
		"Name":      maintained(u, u),
		"Table":     maintained(u, func() table.SourceRoutedUplink { o := n.Uplink1(tabletest.IPv4); o.Table = u.Table; return o }()),
		"Sources":   maintained(u, func() table.SourceRoutedUplink { o := u; o.Name, o.Table = "x", 9; return o }()),
		"Learn":     {{SourceRoutedUplink: u, Learn: route.IPv4}},
	} {
		err := table.Maintain(t.Context(), nil, nil, uplinks...)
		if e, ok := err.(*table.FieldError); !ok || e.Field != name {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An ender ends a context once so many requests were answered.
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

// Whenever the end comes, what was done is told, and nothing else.
func TestMaintainEndIsTold(t *testing.T) {
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
			err := table.Maintain(ctx, func() (route.Conn, error) {
				s, err := route.Dial(n.Server.Config())
				return ender{s, &left, cancel}, err
			}, &table.MaintainConfig{Default: &table.SharedDefault{Table: 30}, Event: func(e table.Event) {
				if e.Kind == table.EventReady {
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
			if err := (table.SharedDefault{Table: 30}).Remove(t.Context(), n.Conn); err != nil {
				t.Fatal(err)
			}
		}
		if len(outcomes) != 4 {
			t.Errorf("it tells %v", outcomes)
		}
	})
}

// So it is when the end comes while an uplink is removed.
func TestMaintainEndOfUpdate(t *testing.T) {
	t.Parallel()
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		all := maintained(n.Uplink1(f), n.Uplink2(f))
		outcomes := make(map[string]bool)
		for at, through := int64(1), false; !through; at++ {
			ctx, cancel := context.WithCancel(t.Context())
			update := make(chan table.MaintainUpdate, 1)
			var left atomic.Int64
			var told string
			err := table.Maintain(ctx, func() (route.Conn, error) {
				s, err := route.Dial(n.Server.Config())
				return ender{s, &left, cancel}, err
			}, &table.MaintainConfig{Update: update, Event: func(e table.Event) {
				switch {
				case e.Kind == table.EventReady && left.Load() <= 0 && ctx.Err() == nil: // the first time
					told = ""
					left.Store(at)
					update <- table.MaintainUpdate{Uplinks: all[:1]}
				case e.Kind == table.EventReady:
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

// Nobody updates any more: that takes nothing away, and is no reason to look.
func TestMaintainUpdateClosed(t *testing.T) {
	n := tabletest.NewNetwork(t)
	update := make(chan table.MaintainUpdate)
	k := newKeeper(n, table.MaintainConfig{Update: update}, maintained(n.Uplink2(tabletest.IPv4))...)
	close(update)
	looks := k.counters.Looks.Load()
	time.Sleep(100 * time.Millisecond)
	n.WantPlan("the channel is closed", "\n", n.Uplink2(tabletest.IPv4))
	if more := k.counters.Looks.Load() - looks; more > 2 {
		t.Errorf("it has looked %d times", more)
	}
}

// Whatever an update changes, there is what an Install of it would make, and
// nothing else; and no packet of a source that stays leaves by the other uplink. Updates may come one after the other.
func TestMaintainUpdates(t *testing.T) {
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
		update := make(chan table.MaintainUpdate)
		k := newKeeper(n, table.MaintainConfig{Update: update, Remove: true, Rate: 1000}, maintained(forms["as it was"])...)
		was := "as it was"
		for range tabletest.Times(10, 3) { // in many orders
			for name, u := range forms {
				from := len(k.log())
				n.G1.Reset()
				stop := send(n, f)
				for range 3 {
					update <- table.MaintainUpdate{Uplinks: maintained(u)}
				}
				for range 3 {
					from = k.awaitKind(from, table.EventReady)
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

package maintain_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/maintain"
)

// reads returns how often the routes of a table are asked for, how often the rules, links and
// addresses are listed, and where the kernel would send packets.
func (d *dialer) reads(id rttables.ID) (routes, listings, lookups int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, m := range d.asks {
		var r route.Route
		isDump := m.Header.Flags&netlink.Dump == netlink.Dump
		switch m.Header.Type {
		case uapi.RTM_GETROUTE:
			if !isDump {
				lookups++
			} else if r.UnmarshalBinary(m.Data) == nil && r.Table == id {
				routes++
			}
		case uapi.RTM_GETRULE, uapi.RTM_GETLINK, uapi.RTM_GETADDR:
			if isDump {
				listings++
			}
		}
	}
	return routes, listings, lookups
}

// forget forgets what was asked for.
func (d *dialer) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asks = nil
}

// keepTwo keeps two uplinks with IPv4, and returns when nothing is to be confirmed any more.
func keepTwo(t *testing.T, config maintain.Config, change func(all []maintain.Uplink)) (*tabletest.Network, *dialer, *keeper) {
	n := tabletest.NewNetwork(t)
	d := &dialer{n: n}
	all := maintained(n.Uplink1(tabletest.IPv4), n.Uplink2(tabletest.IPv4))
	if change != nil {
		change(all)
	}
	k := startKeeper(n, d.dial, config, all...)
	k.awaitKind(0, maintain.EventReady)
	k.quiet()
	d.forget()
	return n, d, k
}

// quiet waits until there were no looks for longer than it takes to confirm what was found.
func (k *keeper) quiet() {
	last, at := k.counters.Looks.Load(), time.Now()
	k.until("nothing happens", func() bool {
		if n := k.counters.Looks.Load(); n != last {
			last, at = n, time.Now()
		}
		return time.Since(at) > 1200*time.Millisecond
	})
}

// What others do that concerns no uplink is no reason to look, or to read anything. A rule of
// an uplink that is deleted is a reason to look at that uplink alone.
func TestLookAtWhatIsConcerned(t *testing.T) {
	n, d, k := keepTwo(t, maintain.Config{FullLook: time.Hour}, nil)
	looks := k.counters.Looks.Load()
	foreign := n.Dial(n.Server)
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range uint32(300) {
		for _, r := range []rule.Rule{
			{Priority: rule.Priority(5000 + i), FwMark: rule.FwMark(i + 1), Table: 77},
			{Priority: rule.Priority(6000 + i), From: netip.MustParsePrefix("203.0.113.0/24"), Table: 77},
			{Priority: rule.Priority(32100), From: netip.MustParsePrefix("203.0.113.7/32"), Table: 77},
		} {
			do(rule.Add(t.Context(), foreign, r))
			do(rule.Delete(t.Context(), foreign, r))
		}
		r := route.Route{Dst: netip.MustParsePrefix("198.51.100.0/24"), Gateway: netip.MustParseAddr(tabletest.IPv4.G1), Table: 77}
		do(route.Add(t.Context(), foreign, r))
		do(route.Delete(t.Context(), foreign, r))
	}
	n.Server.Link("other0", n.Net, "other1")
	n.Server.Addr("other0", "203.0.113.1/24")
	n.Server.DelAddr("other0", "203.0.113.1/24")
	n.Server.DeleteLink("other0")
	time.Sleep(100 * time.Millisecond) // a look would begin within 10 ms; what is proven comes below
	if got := k.counters.Looks.Load(); got != looks {
		t.Errorf("%d looks\n%s", got-looks, k.text())
	}

	rules, err := rule.List(t.Context(), foreign, rule.Filter{Table: 20})
	if err != nil || len(rules) == 0 {
		t.Fatalf("rules %v, %v", rules, err)
	}
	at := len(k.log())
	do(rule.Delete(t.Context(), foreign, rules[0]))
	k.awaitKind(at, maintain.EventRepaired)
	if routes, _, _ := d.reads(20); routes == 0 {
		t.Error("the routes of the uplink are not read")
	}
	routes, listings, lookups := d.reads(10)
	if routes > 0 || listings > 0 || lookups > 0 {
		t.Errorf("for the repair, the routes of the other uplink are read %d times, lists %d times, and %d lookups made",
			routes, listings, lookups)
	}
	k.untilComplete(n.Uplink2(tabletest.IPv4))
}

// An uplink that the kernel refuses is tried again and again, and costs the others nothing.
func TestRetriesConcernOneUplink(t *testing.T) {
	_, d, k := keepTwo(t, maintain.Config{FullLook: time.Hour}, func(all []maintain.Uplink) {
		// The kernel has no such algorithm.
		all[1].Defaults = []route.Route{{Gateway: all[1].Gateway, Metrics: &route.Metrics{CongCtl: "none-such"}}}
		all[1].Gateway = netip.Addr{}
	})
	failures := k.counters.Failures.Load()
	k.until("more failures", func() bool { return k.counters.Failures.Load() > failures })
	k.stop()
	if routes, _, _ := d.reads(20); routes == 0 {
		t.Errorf("it is not tried again:\n%s", k.text())
	}
	if routes, listings, _ := d.reads(10); routes > 0 || listings > 0 {
		t.Errorf("the routes of the other uplink are read %d times, and lists %d times", routes, listings)
	}
}

// A change of an interface or of an address is confirmed later, when the kernel has deleted
// what it deletes in silence.
func TestChangeIsConfirmed(t *testing.T) {
	n, d, k := keepTwo(t, maintain.Config{FullLook: time.Hour}, nil)
	n.Server.Addr("u2", "10.2.0.9/24")
	k.until("both sources", func() bool {
		rules, err := rule.List(t.Context(), n.Conn, rule.Filter{Table: 20})
		return err == nil && len(rules) == 2
	})
	k.until("it is confirmed", func() bool { routes, _, _ := d.reads(20); return routes >= 3 })
	if routes, _, _ := d.reads(10); routes > 0 {
		t.Errorf("the routes of the other uplink are read %d times", routes)
	}
}

package table_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
)

// A default route of others with the same metric is a conflict, one with a lower
// metric is said to go before ours, and neither is touched.
func TestSharedDefaultOfOthers(t *testing.T) {
	forFamilies(t, func(t *testing.T, n *network, f family) {
		n.withoutDefault(f)
		foreign := route.Route{Gateway: netip.MustParseAddr(f.g1), Priority: 50, Protocol: route.ProtoStatic}
		if err := route.Add(t.Context(), n.c, foreign); err != nil {
			t.Fatal(err)
		}
		two := weighted(maintained(n.uplink2(f))[0], 1)
		k := n.maintain(table.MaintainConfig{Rate: 100, Default: new(table.SharedDefault)}, two)
		conflict := func(reason string) func(table.Event) bool {
			return func(e table.Event) bool {
				var c *table.ConflictError
				return e.Kind == table.EventFailed && e.Uplink == "(default)" && errors.As(e.Err, &c) &&
					c.Owner == route.ProtoStatic && strings.Contains(c.Reason, reason)
			}
		}
		at := k.await(0, "conflict", conflict("has the same metric"))
		mine := over("via " + f.g2 + " dev u2")
		if got := n.sharedDefault(f, rttables.Main); got != "" {
			t.Errorf("there is a route in spite of a conflict: %q", got)
		}
		if !strings.Contains(n.ours(20), "from "+f.a2) {
			t.Error("the conflict keeps the uplink from being installed")
		}
		lower := foreign
		lower.Priority = 49
		if err := route.Add(t.Context(), n.c, lower); err != nil {
			t.Fatal(err)
		}
		if err := route.Delete(t.Context(), n.c, foreign); err != nil {
			t.Fatal(err)
		}
		at = k.await(at, "shadow", conflict("goes before it"))
		k.awaitDefault(f, "a lower metric is no conflict", mine)
		if err := route.Delete(t.Context(), n.c, lower); err != nil {
			t.Fatalf("the route of others is gone: %v", err)
		}
		k.await(at, "installed", func(e table.Event) bool { return e.Kind == table.EventInstalled && e.Uplink == "(default)" })
		// One that comes later.
		if err := route.Prepend(t.Context(), n.c, foreign); f == ip4 && err != nil {
			t.Fatal(err)
		}
		if f == ip4 {
			k.await(at, "conflict", conflict("has the same metric"))
			if err := route.Delete(t.Context(), n.c, foreign); err != nil {
				t.Errorf("the route of others is gone: %v", err)
			}
		}
		k.awaitDefault(f, "the end", mine)
	})
}

// In a table of its own, which no uplink gets, with a rule of the caller's. Routes of
// ours with another metric, of another configuration, go.
func TestSharedDefaultTable(t *testing.T) {
	n := newNetwork(t)
	n.hashPorts()
	if err := rule.Add(t.Context(), n.c, rule.Rule{FwMark: rule.FwMark(2), Action: rule.ActionLookup, Table: 1, Priority: rule.Priority(31500)}); err != nil {
		t.Fatal(err)
	}
	stale := route.Route{Gateway: netip.MustParseAddr(ip4.g1), Table: 1, Priority: 60, Protocol: table.Protocol}
	if err := route.Add(t.Context(), n.c, stale); err != nil {
		t.Fatal(err)
	}
	u := n.uplink2(ip4)
	u.Name, u.Table = "", 0
	one := n.uplink1(ip4)
	one.Name, one.Table = "", 0
	n.wantMarked(ip4, "before", 1)
	config := table.MaintainConfig{Default: &table.SharedDefault{Table: 1, Metric: 7}, Remove: true}
	k := n.maintain(config, weighted(maintained(u)[0], 1), maintained(one)[0])
	k.until("it is there", func() bool {
		return n.sharedDefault(ip4, 1) == "default via 10.2.0.1 dev u2 table 1 proto 210 metric 7"
	})
	n.wantMarked(ip4, "by the table", 2)
	if got := n.ours(2) + n.ours(3); strings.Count(got, "route default") != 2 {
		t.Errorf("the uplinks are not in tables 2 and 3:\n%s", n.kernel())
	}
	if got := n.sharedDefault(ip4, rttables.Main); got != "" {
		t.Errorf("there is something in main: %s", got)
	}
	k.stop()
	if got := n.sharedDefault(ip4, 1); got != "" {
		t.Errorf("it stays: %s", got)
	}
	// Without Maintain.
	if err := route.Add(t.Context(), n.c, stale); err != nil {
		t.Fatal(err)
	}
	if err := (table.SharedDefault{Table: 1}).Remove(t.Context(), n.c); err != nil {
		t.Fatal(err)
	}
	if got := n.sharedDefault(ip4, 1); got != "" {
		t.Errorf("Remove leaves %s", got)
	}
	// A name can stand for the table as well, which is found out later.
	named := n.uplink2(ip4)
	named.Table = 0
	if err := rttables.Register(n.etc, 5, named.Name); err != nil {
		t.Fatal(err)
	}
	k = n.maintain(table.MaintainConfig{Default: &table.SharedDefault{Table: 5}}, weighted(maintained(named)[0], 1))
	k.await(0, "refused", func(e table.Event) bool {
		var field *table.FieldError
		return e.Kind == table.EventFailed && errors.As(e.Err, &field) && field.Field == "Table"
	})
}

// A gateway that is learned is that of others' default route, not of ours.
func TestSharedDefaultLearn(t *testing.T) {
	forFamilies(t, func(t *testing.T, n *network, f family) {
		n.withoutDefault(f)
		lease := route.Route{Gateway: netip.MustParseAddr(f.g2), Priority: 2000, Protocol: route.ProtoDHCP}
		if err := route.Add(t.Context(), n.c, lease); err != nil {
			t.Fatal(err)
		}
		u := table.MaintainedUplink{SourceRoutedUplink: n.uplink2(f), Learn: route.FamilyOf(lease.Gateway), Weight: 2}
		u.Gateway = netip.Addr{}
		k := n.maintain(table.MaintainConfig{Default: new(table.SharedDefault)}, u, weighted(maintained(n.uplink1(f))[0], 1))
		hops := func(gateway string) string {
			return over("via "+gateway+" dev u2 weight 2", "via "+f.g1+" dev u1 weight 1")
		}
		k.awaitDefault(f, "learned", hops(f.g2))
		lease.Gateway = netip.MustParseAddr(f.g2 + "0")
		if err := route.Replace(t.Context(), n.c, lease); err != nil {
			t.Fatal(err)
		}
		k.awaitDefault(f, "followed", hops(f.g2+"0"))
	})
}

// What cannot be is refused at once.
func TestSharedDefaultRefuses(t *testing.T) {
	n := newNetwork(t)
	u := maintained(n.uplink2(ip4))[0]
	other := weighted(u, 1)
	other.Protocol = 99
	tun := table.MaintainedUplink{Weight: 1, SourceRoutedUplink: table.SourceRoutedUplink{
		Interface: "t0", Sources: []netip.Addr{netip.MustParseAddr("2001:db8::1")},
	}}
	for _, c := range []struct {
		field, reason string
		shared        table.SharedDefault
		uplink        table.MaintainedUplink
	}{
		{"Table", "is a table of the system", table.SharedDefault{Table: rttables.Local}, weighted(u, 1)},
		{"Table", "20 is also that of the shared default", table.SharedDefault{Table: 20}, weighted(u, 1)},
		{"Protocol", "99 is not that of the shared default, 210", table.SharedDefault{}, other},
		{"Weight", "no uplink has one", table.SharedDefault{}, u},
		{"Weight", "257 is not between 0 and 256", table.SharedDefault{}, weighted(u, 257)},
		{"Weight", "-1 is not between 0 and 256", table.SharedDefault{}, weighted(u, -1)},
		{"Weight", "IPv6 needs a Gateway", table.SharedDefault{}, tun},
	} {
		err := table.Maintain(t.Context(), nil, &table.MaintainConfig{Default: &c.shared}, c.uplink)
		var e *table.FieldError
		if !errors.As(err, &e) || e.Field != c.field || !strings.Contains(e.Reason, c.reason) {
			t.Errorf("%s: %s: %v", c.field, c.reason, err)
		}
	}
}

package maintain_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/maintain"
	"github.com/policyroute/policyroute/table/plan"
)

// Another program's default route with the same metric is a conflict. One with a lower
// metric is reported. Neither is changed.
func TestSharedDefaultOfOthers(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		deleteDefault(n, f)
		foreign := route.Route{Gateway: netip.MustParseAddr(f.G1), Priority: 50, Protocol: route.ProtoStatic}
		if err := route.Add(t.Context(), n.Conn, foreign); err != nil {
			t.Fatal(err)
		}
		two := weighted(maintained(n.Uplink2(f))[0], 1)
		k := newKeeper(n, maintain.Config{Rate: 100, Default: new(maintain.Default)}, two)
		conflict := func(reason string) func(maintain.Event) bool {
			return func(e maintain.Event) bool {
				var c *plan.ConflictError
				return e.Kind == maintain.EventFailed && e.Uplink == "(default)" && errors.As(e.Err, &c) &&
					c.Owner == route.ProtoStatic && strings.Contains(c.Reason, reason)
			}
		}
		at := k.await(0, "conflict", conflict("has the same metric"))
		mine := over("via " + f.G2 + " dev u2")
		if got := sharedDefault(n, f, rttables.Main); got != "" {
			t.Errorf("there is a route in spite of a conflict: %q", got)
		}
		if !strings.Contains(n.Table(20), "from "+f.A2) {
			t.Error("the conflict keeps the uplink from being installed")
		}
		lower := foreign
		lower.Priority = 49
		if err := route.Add(t.Context(), n.Conn, lower); err != nil {
			t.Fatal(err)
		}
		if err := route.Delete(t.Context(), n.Conn, foreign); err != nil {
			t.Fatal(err)
		}
		at = k.await(at, "shadow", conflict("comes first, because"))
		k.awaitDefault(f, "a lower metric is no conflict", mine)
		if err := route.Delete(t.Context(), n.Conn, lower); err != nil {
			t.Fatalf("the route of others is gone: %v", err)
		}
		k.await(at, "installed", func(e maintain.Event) bool { return e.Kind == maintain.EventInstalled && e.Uplink == "(default)" })
		// One that comes later.
		if err := route.Prepend(t.Context(), n.Conn, foreign); f == tabletest.IPv4 && err != nil {
			t.Fatal(err)
		}
		if f == tabletest.IPv4 {
			k.await(at, "conflict", conflict("has the same metric"))
			if err := route.Delete(t.Context(), n.Conn, foreign); err != nil {
				t.Errorf("the route of others is gone: %v", err)
			}
		}
		k.awaitDefault(f, "the end", mine)
	})
}

// The shared default is in a table of its own, which no uplink gets, with a rule of the
// caller. Routes of an earlier configuration, with another metric, are deleted.
func TestSharedDefaultTable(t *testing.T) {
	n := tabletest.NewNetwork(t)
	hashPorts(n)
	if err := rule.Add(t.Context(), n.Conn, rule.Rule{FwMark: rule.FwMark(2), Action: rule.ActionLookup, Table: 1, Priority: rule.Priority(31500)}); err != nil {
		t.Fatal(err)
	}
	stale := route.Route{Gateway: netip.MustParseAddr(tabletest.IPv4.G1), Table: 1, Priority: 60, Protocol: table.Protocol}
	if err := route.Add(t.Context(), n.Conn, stale); err != nil {
		t.Fatal(err)
	}
	u := n.Uplink2(tabletest.IPv4)
	u.Name, u.Table = "", 0
	one := n.Uplink1(tabletest.IPv4)
	one.Name, one.Table = "", 0
	wantMarked(n, tabletest.IPv4, "before", 1)
	config := maintain.Config{Default: &maintain.Default{Table: 1, Metric: 7}, Remove: true}
	k := newKeeper(n, config, weighted(maintained(u)[0], 1), maintained(one)[0])
	k.until("it is there", func() bool {
		return sharedDefault(n, tabletest.IPv4, 1) == "default via 10.2.0.1 dev u2 table 1 proto 210 metric 7"
	})
	wantMarked(n, tabletest.IPv4, "by the table", 2)
	if got := n.Table(2) + n.Table(3); strings.Count(got, "route default") != 2 {
		t.Errorf("the uplinks are not in tables 2 and 3:\n%s", n.Kernel())
	}
	if got := sharedDefault(n, tabletest.IPv4, rttables.Main); got != "" {
		t.Errorf("there is something in main: %s", got)
	}
	k.stop()
	if got := sharedDefault(n, tabletest.IPv4, 1); got != "" {
		t.Errorf("it stays: %s", got)
	}
	// Without Run.
	if err := route.Add(t.Context(), n.Conn, stale); err != nil {
		t.Fatal(err)
	}
	if err := (maintain.Default{Table: 1}).Remove(t.Context(), n.Conn); err != nil {
		t.Fatal(err)
	}
	if got := sharedDefault(n, tabletest.IPv4, 1); got != "" {
		t.Errorf("Remove leaves %s", got)
	}
	// A name can stand for the table as well, which is found out later.
	named := n.Uplink2(tabletest.IPv4)
	named.Table = 0
	if err := rttables.Register(t.Context(), n.Etc, 5, named.Name); err != nil {
		t.Fatal(err)
	}
	k = newKeeper(n, maintain.Config{Default: &maintain.Default{Table: 5}}, weighted(maintained(named)[0], 1))
	k.await(0, "refused", func(e maintain.Event) bool {
		var field *plan.FieldError
		return e.Kind == maintain.EventFailed && errors.As(e.Err, &field) && field.Field == "Table"
	})
}

// A gateway is learned from another program's default route, and not from ours.
func TestSharedDefaultLearn(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		deleteDefault(n, f)
		lease := route.Route{Gateway: netip.MustParseAddr(f.G2), Priority: 2000, Protocol: route.ProtoDHCP}
		if err := route.Add(t.Context(), n.Conn, lease); err != nil {
			t.Fatal(err)
		}
		u := maintain.Uplink{SourceRoutedUplink: n.Uplink2(f), Learn: route.FamilyOf(lease.Gateway), Weight: 2}
		u.Gateway = netip.Addr{}
		k := newKeeper(n, maintain.Config{Default: new(maintain.Default)}, u, weighted(maintained(n.Uplink1(f))[0], 1))
		hops := func(gateway string) string {
			return over("via "+gateway+" dev u2 weight 2", "via "+f.G1+" dev u1 weight 1")
		}
		k.awaitDefault(f, "learned", hops(f.G2))
		lease.Gateway = netip.MustParseAddr(f.G2 + "0")
		if err := route.Replace(t.Context(), n.Conn, lease); err != nil {
			t.Fatal(err)
		}
		k.awaitDefault(f, "followed", hops(f.G2+"0"))
	})
}

// Invalid uplinks and configurations are refused at once.
func TestSharedDefaultRefuses(t *testing.T) {
	n := tabletest.NewNetwork(t)
	u := maintained(n.Uplink2(tabletest.IPv4))[0]
	other := weighted(u, 1)
	other.Protocol = 99
	for _, c := range []struct {
		field, reason string
		shared        maintain.Default
		uplink        maintain.Uplink
	}{
		{"Table", "is a system table", maintain.Default{Table: rttables.Local}, weighted(u, 1)},
		{"Table", "20 is also the table of the shared default", maintain.Default{Table: 20}, weighted(u, 1)},
		{"Protocol", "99 differs from the protocol of the shared default, 210", maintain.Default{}, other},
		{"Weight", "no uplink has a weight", maintain.Default{}, u},
		{"Weight", "257 is not between 0 and 256", maintain.Default{}, weighted(u, 257)},
		{"Weight", "-1 is not between 0 and 256", maintain.Default{}, weighted(u, -1)},
	} {
		err := maintain.Run(t.Context(), nil, &maintain.Config{Default: &c.shared}, c.uplink)
		var e *plan.FieldError
		if !errors.As(err, &e) || e.Field != c.field || !strings.Contains(e.Reason, c.reason) {
			t.Errorf("%s: %s: %v", c.field, c.reason, err)
		}
	}
}

package table_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/plan"
)

// Routes of others in the table of an installed uplink are left alone: by a repair, an
// update, also one by a temporary table, and Remove. Packets go by them all the time.
func TestForeignRoutesInTable(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		n.AddLAN()
		u := n.Uplink2(f)
		u.Unreachable = true
		n.Install(u)
		subnet := map[tabletest.Family]string{tabletest.IPv4: "172.16.5.0/24", tabletest.IPv6: "2001:db8:5::/64"}[f]
		lan := n.Server.Index("lan")
		theirs := []route.Route{
			{Dst: netip.MustParsePrefix(subnet), OIF: lan, Table: 20, Protocol: route.ProtoBoot},
			{Gateway: netip.MustParseAddr(f.G1), Table: 20, Priority: 5000, Protocol: route.ProtoBoot},
		}
		for _, r := range theirs {
			if r.Dst.IsValid() && f == tabletest.IPv4 {
				r.Scope = route.ScopeLink
			}
			if err := route.Add(t.Context(), n.Conn, r); err != nil {
				t.Fatal(err)
			}
		}
		stay := func(what string) {
			t.Helper()
			routes, err := route.List(t.Context(), n.Conn, route.Filter{Table: 20, Protocol: route.ProtoBoot})
			if err != nil || len(routes) != 2 {
				t.Errorf("after %s theirs are %v, %v", what, routes, err)
			}
			wantNextHop(n, f.A2, f.Destinations()[0], "lan", "")
		}
		n.WantNothingToDo(u)
		whole := n.Table(20)
		n.Server.Down("u2")
		n.Server.Up("u2")
		if f == tabletest.IPv6 {
			n.Server.Addr("u2", f.A2+"/64")
		}
		if n.Table(20) == whole {
			t.Fatal("the kernel has not taken routes away: the test proves nothing")
		}
		n.Install(u)
		n.WantTable("repaired", 20, whole)
		stay("a repair")
		u.Gateway = u.Gateway.Next().Next().Next()
		u.Routes = []netip.Prefix{f.Extra()}
		n.Install(u)
		stay("an update")
		wantNextHop(n, f.A2, f.Client, "u2", u.Gateway.String())
		n.Remove(u)
		if strings.Contains(n.Table(20), "proto 210") {
			t.Errorf("after Remove there is\n%s", n.Table(20))
		}
		routes, err := route.List(t.Context(), n.Conn, route.Filter{Table: 20})
		if err != nil || len(routes) != 2 {
			t.Errorf("after Remove theirs are %v, %v", routes, err)
		}
		// Now the table is not ours any more.
		var conflict *plan.ConflictError
		if err := table.Install(t.Context(), n.Conn, u); !errors.As(err, &conflict) {
			t.Errorf("a new table that others use: %v", err)
		}
	})
}

// A route of others that is in the place of one of ours, or goes before it, is a
// conflict. Nothing is changed then, and nothing of theirs is.
func TestForeignRouteInTheWay(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		u := n.Uplink2(f)
		u.Metric = 100
		n.Install(u)
		gone := route.Route{Gateway: netip.MustParseAddr(f.G2), Table: 20, Priority: 100, Protocol: table.Protocol}
		for have, err := range route.All(t.Context(), n.Conn, route.Filter{Table: 20}) {
			if err != nil {
				t.Fatal(err)
			}
			if have.Gateway.IsValid() {
				gone = have
			}
		}
		for metric, reason := range map[uint32]string{100: "the same destination and metric as one of the uplink's", 7: "its metric is lower"} {
			theirs := route.Route{Gateway: netip.MustParseAddr(f.G1), Table: 20, Priority: metric, Protocol: route.ProtoStatic}
			if err := route.Delete(t.Context(), n.Conn, gone); err != nil {
				t.Fatal(err)
			}
			if err := route.Add(t.Context(), n.Conn, theirs); err != nil {
				t.Fatal(err)
			}
			before := n.Snapshot()
			err := table.Install(t.Context(), n.Conn, u)
			var conflict *plan.ConflictError
			if !errors.As(err, &conflict) || conflict.Owner != route.ProtoStatic || !strings.Contains(conflict.Reason, reason) {
				t.Errorf("with metric %d: %v", metric, err)
			}
			n.WantSnapshot("refused", before)
			if err := route.Delete(t.Context(), n.Conn, theirs); err != nil {
				t.Fatal(err)
			}
			n.Install(u)
		}
	})
}

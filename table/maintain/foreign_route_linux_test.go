package maintain_test

import (
	"errors"
	"io/fs"
	"net/netip"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/maintain"
	"github.com/policyroute/policyroute/table/plan"
)

// A route of others in the table of an uplink does not keep Run from repairing it, also
// after all that was ours is gone.
func TestForeignRouteInTable(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		n.AddLAN()
		u := n.Uplink2(f)
		u.Unreachable = true
		k := newKeeper(n, maintain.Config{Rate: 100}, maintained(u)...)
		theirs := route.Route{
			Dst: f.Extra(), Gateway: netip.MustParseAddr(f.Destinations()[0]), Table: 20, Protocol: route.ProtoBoot,
		}
		if err := route.Add(t.Context(), n.Conn, theirs); err != nil {
			t.Fatal(err)
		}
		whole := n.Table(20)
		n.Server.Down("u2")
		k.await(0, "pending", func(e maintain.Event) bool { return e.Kind == maintain.EventPending })
		n.Server.Up("u2")
		if f == tabletest.IPv6 {
			n.Server.Addr("u2", f.A2+"/64")
		}
		k.untilTable("the cable is back", whole)

		foreign := n.Dial(n.Server)
		for r, err := range rule.All(t.Context(), foreign, rule.Filter{Protocol: table.Protocol}) {
			if err == nil {
				err = rule.Delete(t.Context(), foreign, r)
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
		}
		if _, err := route.Flush(t.Context(), foreign, route.Filter{Table: 20, Protocol: table.Protocol}); err != nil {
			t.Fatal(err)
		}
		k.untilTable("all was deleted", whole)
		if strings.Contains(k.text(), "failed") {
			t.Errorf("something failed:\n%s", k.text())
		}
	})
}

// A route of others in the place of one of ours is a conflict, which an event names. The
// uplink's rules are kept all the same, and so is its other family.
func TestForeignRouteInTheWay(t *testing.T) {
	n := tabletest.NewNetwork(t)
	u4, u6 := n.Uplink2(tabletest.IPv4), n.Uplink2(tabletest.IPv6)
	k := newKeeper(n, maintain.Config{Rate: 100}, maintained(u4, u6)...)
	whole := n.Table(20)
	theirs := route.Route{Gateway: netip.MustParseAddr(tabletest.IPv4.G1), Table: 20, Protocol: route.ProtoStatic}
	foreign := n.Dial(n.Server)
	if err := route.Replace(t.Context(), foreign, theirs); err != nil {
		t.Fatal(err)
	}
	at := k.await(0, "conflict", func(e maintain.Event) bool {
		var conflict *plan.ConflictError
		return e.Kind == maintain.EventFailed && e.Family == route.IPv4 && errors.As(e.Err, &conflict) &&
			conflict.Owner == route.ProtoStatic && strings.Contains(conflict.Reason, "the same destination and metric as one of")
	})
	for _, source := range []string{tabletest.IPv4.A2, tabletest.IPv6.A2} {
		words := "31000: from " + source + " lookup 20 proto 210"
		if err := n.DeleteRule(words); err != nil {
			t.Fatal(err)
		}
		k.until("the rule is back", func() bool { return strings.Contains(n.Table(20), words) })
	}
	if err := route.Delete(t.Context(), foreign, theirs); err != nil {
		t.Fatal(err)
	}
	k.awaitKind(at, maintain.EventInstalled)
	k.untilTable("theirs is gone", whole)
}

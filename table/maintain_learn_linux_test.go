package table_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table"
)

// A gateway is learned from table main, and followed.
func TestMaintainLearn(t *testing.T) {
	forFamilies(t, func(t *testing.T, n *network, f family) {
		u := table.MaintainedUplink{SourceRoutedUplink: n.uplink2(f), Learn: route.FamilyOf(netip.MustParseAddr(f.a2))}
		u.Gateway = netip.Addr{}
		k := n.maintain(table.MaintainConfig{}, u)
		k.await(0, "pending", func(e table.Event) bool { return strings.Contains(e.Reason, "to learn the gateway from") })
		lease := route.Route{Gateway: netip.MustParseAddr(f.g2), Priority: 2000, Protocol: route.ProtoDHCP}
		if err := route.Add(t.Context(), n.c, lease); err != nil {
			t.Fatal(err)
		}
		has := func(gateway string) func() bool {
			return func() bool { return strings.Contains(n.ours(20), "route default via "+gateway+" dev u2") }
		}
		k.until("the gateway is learned", has(f.g2))
		other := lease
		other.Gateway = netip.MustParseAddr(f.g2 + "0")
		if err := route.Replace(t.Context(), n.c, other); err != nil {
			t.Fatal(err)
		}
		k.until("the gateway is followed", has(f.g2+"0"))
		if err := route.Delete(t.Context(), n.c, other); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
		if !has(f.g2 + "0")() {
			t.Errorf("the gateway went with the lease:\n%s", n.ours(20))
		}
		// A new process finds it where it is installed.
		k.stop()
		if got, err := u.Resolve(t.Context(), n.c); err != nil || got.Gateway != other.Gateway {
			t.Errorf("the gateway that is installed: %v, %v", got.Gateway, err)
		}
		n.remove(n.uplink2(f))
		if _, err := u.Resolve(t.Context(), n.c); err == nil {
			t.Error("a gateway was learned from nothing")
		}
	})
}

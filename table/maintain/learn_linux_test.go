package maintain_test

import (
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/maintain"
)

// A gateway is learned from table main, and changes with the route there.
func TestLearn(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		u := maintain.Uplink{SourceRoutedUplink: n.Uplink2(f), Learn: route.FamilyOf(netip.MustParseAddr(f.A2))}
		u.Gateway = netip.Addr{}
		k := newKeeper(n, maintain.Config{}, u)
		k.await(0, "pending", func(e maintain.Event) bool { return strings.Contains(e.Reason, "to learn from") })
		lease := route.Route{Gateway: netip.MustParseAddr(f.G2), Priority: 2000, Protocol: route.ProtoDHCP}
		if err := route.Add(t.Context(), n.Conn, lease); err != nil {
			t.Fatal(err)
		}
		has := func(gateway string) func() bool {
			return func() bool { return strings.Contains(n.Table(20), "route default via "+gateway+" dev u2") }
		}
		k.until("the gateway is learned", has(f.G2))
		other := lease
		other.Gateway = netip.MustParseAddr(f.G2 + "0")
		if err := route.Replace(t.Context(), n.Conn, other); err != nil {
			t.Fatal(err)
		}
		k.until("the gateway is followed", has(f.G2+"0"))
		if err := route.Delete(t.Context(), n.Conn, other); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
		if !has(f.G2 + "0")() {
			t.Errorf("the gateway went with the lease:\n%s", n.Table(20))
		}
		// A new process finds it where it is installed.
		k.stop()
		if got, err := u.Resolve(t.Context(), n.Conn); err != nil || len(got.Defaults) != 1 || got.Defaults[0].Gateway != other.Gateway {
			t.Errorf("the default route that is installed: %v, %v", got.Defaults, err)
		}
		n.Remove(n.Uplink2(f))
		if _, err := u.Resolve(t.Context(), n.Conn); err == nil {
			t.Error("a gateway was learned from nothing")
		}
	})
}

// The learned gateway is that of the default route with the lowest metric. It changes as
// routes come and go, and stays if no route is left.
func TestLearnMetrics(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		add := func(gateway string, metric uint32) route.Route {
			t.Helper()
			r := route.Route{Gateway: netip.MustParseAddr(gateway), Priority: metric, Protocol: route.ProtoDHCP}
			if err := route.Add(t.Context(), n.Conn, r); err != nil {
				t.Fatal(err)
			}
			return r
		}
		remove := func(r route.Route) {
			t.Helper()
			if err := route.Delete(t.Context(), n.Conn, r); err != nil {
				t.Fatal(err)
			}
		}
		first := add(f.G2+"0", 3000)
		u := maintain.Uplink{SourceRoutedUplink: n.Uplink2(f), Learn: route.FamilyOf(first.Gateway)}
		u.Gateway = netip.Addr{}
		k := newKeeper(n, maintain.Config{}, u)
		has := func(gateway string) func() bool {
			return func() bool { return strings.Contains(n.Table(20), "route default via "+gateway+" dev u2") }
		}
		k.until("the only one", has(f.G2+"0"))
		better := add(f.G2+"1", 2000)
		k.until("the one with the lower metric", has(f.G2+"1"))
		best := add(f.G2, 1500)
		remove(better)
		k.until("the one with the lowest metric", has(f.G2))
		k.until("it is reported", func() bool { return len(routesChanged.FindAllString(k.text(), -1)) == 2 })
		// The same gateway with another metric is no change.
		repairs := k.counters.Repairs.Load()
		add(f.G2, 1400)
		remove(best)
		time.Sleep(100 * time.Millisecond)
		if !has(f.G2)() || k.counters.Repairs.Load() != repairs {
			t.Errorf("another metric is repaired:\n%s", k.text())
		}
	})
}

// routesChanged matches the event of a repair for routes that changed, and maybe for
// something else at the same time.
var routesChanged = regexp.MustCompile("repaired: .*routes changed")

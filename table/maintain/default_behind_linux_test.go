package maintain_test

import (
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/maintain"
)

// lookUp asks for the way to the client of a packet without a source.
func lookUp(t *testing.T, c route.Conn, f tabletest.Family) error {
	_, err := route.Lookup(t.Context(), c, route.Query{Dst: netip.MustParseAddr(f.Client)})
	return err
}

// When the interface of an uplink is deleted, packets without a source still have a way: at
// once, before anybody has repaired anything, and while Run repairs it.
func TestSharedDefaultInterfaceDeleted(t *testing.T) {
	t.Parallel()
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		deleteDefault(n, f)
		ppp := map[tabletest.Family][2]string{
			tabletest.IPv4: {"10.8.0.2/24", "10.8.0.1"}, tabletest.IPv6: {"2001:db8:8::2/64", "2001:db8:8::1"},
		}[f]
		one := maintain.Uplink{Weight: 3, SourceRoutedUplink: table.SourceRoutedUplink{
			Interface: "ppp0", Table: 8, Gateway: netip.MustParseAddr(ppp[1]), Etc: n.Etc,
		}}
		two := weighted(maintained(n.Uplink2(f))[0], 1)
		both := over("via "+ppp[1]+" dev ppp0 weight 3", "via "+f.G2+" dev u2 weight 1")
		config := maintain.Config{Rate: 1000, Default: new(maintain.Default), Settle: 20 * time.Millisecond}
		connect := func() *keeper {
			n.Server.Link("ppp0", n.Net, "p0")
			n.Server.Addr("ppp0", ppp[0])
			k := newKeeper(n, config, one, two)
			k.awaitDefault(f, "installed", both)
			if err := lookUp(t, n.Conn, f); err != nil {
				t.Fatal(err)
			}
			return k
		}
		connect().stop()
		n.Server.DeleteLink("ppp0")
		if err := lookUp(t, n.Conn, f); err != nil {
			t.Fatalf("nobody is at work: %v\n%s", err, sharedDefault(n, f, rttables.Main))
		}

		k := connect()
		end, done := make(chan struct{}), make(chan struct{})
		failed, looked := 0, 0
		c := n.Dial(n.Server)
		go func() {
			defer close(done)
			for {
				select {
				case <-end:
					return
				default:
				}
				looked++
				if lookUp(t, c, f) != nil {
					failed++
				}
			}
		}()
		n.Server.DeleteLink("ppp0")
		k.awaitDefault(f, "repaired", over("via "+f.G2+" dev u2"))
		close(end)
		<-done
		if failed > 0 || looked == 0 {
			t.Errorf("%d of %d lookups failed\n%s", failed, looked, k.text())
		}
	})
}

// Routes behind the shared default are repaired, follow weights and members, and keep clear
// of the default routes of others. Remove takes them away as well.
func TestSharedDefaultBehind(t *testing.T) {
	t.Parallel()
	f := tabletest.IPv4
	n := tabletest.NewNetwork(t)
	deleteDefault(n, f)
	one, two := weighted(maintained(n.Uplink1(f))[0], 1), weighted(maintained(n.Uplink2(f))[0], 1)
	update := make(chan maintain.Update)
	k := newKeeper(n, maintain.Config{Rate: 1000, Default: new(maintain.Default), Update: update}, one, two)
	via1, via2 := "via "+f.G1+" dev u1", "via "+f.G2+" dev u2"
	both := over(via1+" weight 1", via2+" weight 1")
	k.awaitDefault(f, "installed", both)

	first := route.Route{Gateway: netip.MustParseAddr(f.G1), Priority: 51, Protocol: table.Protocol}
	if err := route.Delete(t.Context(), n.Conn, first); err != nil {
		t.Fatal(err)
	}
	k.awaitDefault(f, "someone deleted one", both)
	first.Gateway = netip.MustParseAddr(f.G2)
	if err := route.Replace(t.Context(), n.Conn, first); err != nil {
		t.Fatal(err)
	}
	k.awaitDefault(f, "someone replaced one", both)

	two.Weight = 2
	update <- sharing(one, two)
	k.awaitDefault(f, "the other one is first", over(via1+" weight 1", via2+" weight 2"))

	// Someone else's default route has one of the metrics.
	foreign := route.Route{Gateway: netip.MustParseAddr(f.G1), Priority: 51, Protocol: route.ProtoStatic}
	if err := route.Prepend(t.Context(), n.Conn, foreign); err != nil {
		t.Fatal(err)
	}
	k.awaitDefault(f, "beside a route of others", "default proto 210 metric 50 nexthop "+via1+" nexthop "+via2+" weight 2\n"+
		"default "+via2+" proto 210 metric 52\ndefault "+via1+" proto 210 metric 53")
	if strings.Contains(k.text(), "failed") {
		t.Errorf("that is no conflict:\n%s", k.text())
	}
	if err := route.Delete(t.Context(), n.Conn, foreign); err != nil {
		t.Errorf("the route of others is gone: %v", err)
	}
	k.awaitDefault(f, "it is gone", over(via1+" weight 1", via2+" weight 2"))

	// In other places, of which one has no room behind it.
	for _, d := range []maintain.Default{{Metric: 49}, {Metric: 51}, {Table: 5, Metric: 52}, {Metric: 52}} {
		update <- maintain.Update{Uplinks: []maintain.Uplink{one, two}, Default: &d}
		want := overAt(d, via1+" weight 1", via2+" weight 2")
		k.untilText("in another place", want, func() string {
			return sharedDefault(n, f, rttables.Main) + sharedDefault(n, f, 5)
		})
	}
	update <- maintain.Update{Uplinks: []maintain.Uplink{one, two}, Default: &maintain.Default{Metric: math.MaxUint32 - 1}}
	k.awaitDefault(f, "with no room for both", "default proto 210 metric 4294967294 nexthop "+via1+" nexthop "+via2+" weight 2\n"+
		"default "+via2+" proto 210 metric 4294967295")

	update <- maintain.Update{Uplinks: []maintain.Uplink{one, two}}
	k.awaitDefault(f, "not wanted", "")
	update <- sharing(one, two)
	k.awaitDefault(f, "wanted again", over(via1+" weight 1", via2+" weight 2"))
	update <- sharing(one, weighted(two, 0))
	k.awaitDefault(f, "over one of them", over(via1))
	update <- sharing(one, two)
	k.awaitDefault(f, "over both", over(via1+" weight 1", via2+" weight 2"))
	k.stop()
	steps := k.counters.Steps.Load()
	k = newKeeper(n, maintain.Config{Default: new(maintain.Default)}, one, two)
	k.stop()
	if got := k.counters.Steps.Load(); got != 0 || steps == 0 {
		t.Errorf("another process does %d steps:\n%s", got, k.text())
	}
	if err := (maintain.Default{}).Remove(t.Context(), n.Conn); err != nil {
		t.Fatal(err)
	}
	if got := sharedDefault(n, f, rttables.Main); got != "" {
		t.Errorf("Remove leaves %s", got)
	}
}

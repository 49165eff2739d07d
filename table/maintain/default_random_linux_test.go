package maintain_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/maintain"
)

// A shareModel is what the shared default of two uplinks should be.
type shareModel struct {
	down, cut, unhealthy [2]bool
	weight               [2]int
	has                  [2]bool
	place                int // of sharedPlaces
}

// sharedPlaces are the tables and metrics of the shared default, and how ip(8) prints them.
var sharedPlaces = []struct {
	maintain.Default
	text string
}{
	{maintain.Default{Table: rttables.Main}, "proto 210 metric 50"},
	{maintain.Default{Table: rttables.Main, Metric: 7}, "proto 210 metric 7"},
	{maintain.Default{Table: 5}, "table 5 proto 210 metric 50"},
}

// choose returns the uplinks that have a share, given those that had one.
func (m *shareModel) choose() {
	var healthy, stay, usable [2]bool
	none := [2]bool{}
	for i := range 2 {
		usable[i] = !m.down[i] && m.weight[i] > 0
		healthy[i] = usable[i] && !m.unhealthy[i]
		stay[i] = usable[i] && m.has[i]
	}
	switch {
	case healthy != none:
		m.has = healthy
	case stay != none:
		m.has = stay
	default:
		m.has = usable
	}
}

// probe waits until the probes have reached their verdicts.
func (m *shareModel) probe() {
	for i := range 2 {
		if !m.down[i] {
			m.unhealthy[i] = m.cut[i]
		}
	}
	m.choose()
}

// do changes the network or the uplinks, and returns what it has changed.
func (m *shareModel) do(op, i int, n *tabletest.Network, cut, mend func(string), update func()) string {
	dev := fmt.Sprint("u", i+1)
	router := fmt.Sprint("g", i+1)
	switch {
	case op == 0:
		if m.down[i] = !m.down[i]; m.down[i] {
			n.Server.Down(dev)
			m.choose()
			return dev + " down"
		}
		n.Server.Up(dev)
		m.choose() // it is back with the health that it had
		return dev + " up"
	case op == 1:
		if m.cut[i] = !m.cut[i]; m.cut[i] {
			cut(router)
			return router + " cut"
		}
		mend(router)
		return router + " mended"
	case op == 2:
		if _, err := route.Flush(n.T.Context(), n.Conn, route.Filter{Table: sharedPlaces[m.place].Table, Protocol: table.Protocol}); err != nil {
			n.T.Fatal(err)
		}
		return "deleted"
	case op == 3:
		m.place = (m.place + 1 + i) % len(sharedPlaces)
		update()
		m.choose()
		return "moved to " + sharedPlaces[m.place].text
	}
	m.weight[i] = []int{0, 1, 2, 5}[op%4]
	if m.weight[0]+m.weight[1] == 0 {
		m.weight[i] = 3
	}
	update()
	m.choose()
	return fmt.Sprintf("weight of %s %d", dev, m.weight[i])
}

// After random changes in random order the shared default is what it should be, and so are
// the rules of uplinks that are withdrawn.
func TestSharedDefaultRandom(t *testing.T) {
	t.Parallel()
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		seed := uint64(time.Now().UnixNano())
		random := rand.New(rand.NewPCG(seed, 0))
		hashPorts(n)
		cut, mend := n.Breakable(f)
		tabletest.Serve(t, n.Net, f.TCP, net.JoinHostPort(f.Client, "80"))
		deleteDefault(n, f)
		h := withdrawing(tcpTo(f, 80))
		m := &shareModel{weight: [2]int{1, 2}}
		uplinks := func() []maintain.Uplink {
			all := []maintain.Uplink{
				weighted(probed(n.Uplink1(f), h), m.weight[0]), weighted(probed(alsoMarked(n, f), h), m.weight[1]),
			}
			for _, u := range all {
				u.Health.Timeout = 100 * time.Millisecond
			}
			return all
		}
		updates := make(chan maintain.Update)
		k := newKeeper(n, maintain.Config{Rate: 1000, Default: new(maintain.Default), Update: updates}, uplinks()...)
		m.choose()
		var did []string
		for range tabletest.Times(300, 30) {
			did = append(did, m.do(random.IntN(8), random.IntN(2), n, cut, mend, func() {
				updates <- maintain.Update{Uplinks: uplinks(), Default: &sharedPlaces[m.place].Default}
			}))
			m.probe()
			want, place := "", sharedPlaces[m.place].Default
			var hops []string
			for i, hop := range []string{"via " + f.G1 + " dev u1", "via " + f.G2 + " dev u2"} {
				if m.has[i] {
					hops = append(hops, fmt.Sprintf("%s weight %d", hop, m.weight[i]))
				}
			}
			switch len(hops) {
			case 1:
				want = overAt(place, hops[0][:strings.Index(hops[0], " weight")])
			case 2:
				want = overAt(place, hops...)
			}
			unhealthy := int64(0)
			for i := range 2 {
				if m.unhealthy[i] {
					unhealthy++
				}
			}
			shared, rules := "", ""
			ok := func() bool {
				shared, rules = sharedDefault(n, f, rttables.Main)+sharedDefault(n, f, 5), n.Table(20)
				if len(hops) == 0 {
					want = shared // what there is stays, unless the kernel deletes it
				}
				return shared == want &&
					strings.Contains(rules, "from "+f.A2) && strings.Contains(rules, "fwmark") != m.unhealthy[1] &&
					k.counters.Unhealthy.Load() == unhealthy
			}
			end := time.Now().Add(tabletest.Patience)
			for !ok() && time.Now().Before(end) {
				time.Sleep(time.Millisecond)
			}
			if !ok() {
				t.Fatalf("seed %d: after %s (-want +got):\n%s\n%d unhealthy, want %d\n%+v\n%s\n%s", seed, strings.Join(did, ", "),
					tabletest.Diff(want, shared), k.counters.Unhealthy.Load(), unhealthy, m, rules, k.text())
			}
			if random.IntN(2) == 0 {
				time.Sleep(30 * time.Millisecond)
			}
		}
	})
}

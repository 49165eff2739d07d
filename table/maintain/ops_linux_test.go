package maintain_test

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// An operation is something that happens to a world.
type operation struct {
	name string
	do   func()
	// exposes are sources that are not protected for a while, or no more: their
	// rules are deleted by others, or their address goes while others stay.
	exposes []string
}

// operation returns the next operation. It is one that can happen now.
func (w *world) operation() operation {
	w.look()
	f := []route.Family{route.IPv4, route.IPv6}[w.r.IntN(2)]
	for {
		if op, ok := w.pick(f); ok {
			return op
		}
	}
}

func (w *world) pick(f route.Family) (operation, bool) {
	switch w.r.IntN(16) {
	case 0, 1, 2:
		return w.flap()
	case 3:
		return w.addAddress(f)
	case 4:
		return w.removeAddress(f)
	case 5, 6:
		return w.renumber(f)
	case 7:
		return w.loseAddresses(f)
	case 8:
		return w.recreate()
	case 9:
		return w.changeLease()
	case 10:
		return operation{name: "noise of others", do: w.noise}, true
	case 11, 12:
		return operation{name: "one rule is deleted", do: func() { w.deleteRules(1) }, exposes: w.all()}, true
	case 13:
		return operation{name: "one route is deleted", do: func() { w.deleteRoutes(0, 1) }}, true
	case 14:
		return operation{name: "the table is flushed", do: func() { w.deleteRoutes(20, 1<<20) }}, true
	default:
		return operation{name: "everything is deleted", do: func() {
			w.deleteRules(1 << 20)
			w.deleteRoutes(0, 1<<20)
		}, exposes: w.all()}, true
	}
}

// all returns all sources of both uplinks.
func (w *world) all() []string {
	maybe := slices.Concat(w.maybe[route.IPv4], w.maybe[route.IPv6])
	return without(slices.Concat([]string{tabletest.IPv4.A1, tabletest.IPv6.A1}, w.held[route.IPv4], w.held[route.IPv6]), maybe)
}

// flap takes the link down, or up with what a DHCP client and router
// advertisements bring back then.
func (w *world) flap() (operation, bool) {
	if !w.there {
		return operation{}, false
	}
	if w.up {
		return operation{name: "link down", do: func() { w.Server.Down("u2") }}, true
	}
	leases := w.leases()
	var exposes []string
	for f, a := range leases {
		if len(w.addrs[f]) > 0 {
			a = ""
		}
		exposes = append(exposes, w.goneBy(f, a)...)
	}
	return operation{name: "link up", do: func() { w.bringUp(leases) }, exposes: exposes}, true
}

// leases returns the addresses that the interface gets when it comes up, of each family
// in which it has none: usually those that it had.
func (w *world) leases() map[route.Family]string {
	leases := make(map[route.Family]string)
	for _, f := range []route.Family{route.IPv4, route.IPv6} {
		pool := poolOf[f]
		leases[f] = pool[w.r.IntN(3)]
		for _, a := range pool[:3] {
			if w.r.IntN(3) > 0 && slices.Contains(w.held[f], a) {
				leases[f] = a
			}
		}
	}
	return leases
}

func (w *world) bringUp(leases map[route.Family]string) {
	w.Server.Up("u2")
	w.look()
	for f, a := range leases {
		if len(w.addrs[f]) == 0 {
			w.Server.Addr("u2", a+bitsOf[f])
		}
	}
	w.setLease(w.lease)
}

func (w *world) addAddress(f route.Family) (operation, bool) {
	i := w.r.IntN(len(poolOf[f]))
	a := poolOf[f][i]
	if !w.up || slices.Contains(w.addrs[f], a) || len(w.addrs[f]) == 0 && i > 2 {
		return operation{}, false
	}
	return operation{name: "new address " + a, do: func() {
		w.Server.Addr("u2", a+bitsOf[f])
		if f == route.IPv4 && w.mainGateway() == "" {
			w.setLease(w.lease)
		}
	}, exposes: w.goneBy(f, a)}, true
}

// goneBy returns the sources without an address that have rules so far, and have none once
// the interface has a.
func (w *world) goneBy(f route.Family, a string) []string {
	return slices.DeleteFunc(slices.Clone(w.held[f]), func(o string) bool {
		return o == a || slices.Contains(w.addrs[f], o)
	})
}

// withGateway returns the addresses in the subnet of the gateway, and those outside.
func (w *world) withGateway(f route.Family) (in, out []string) {
	for _, a := range w.addrs[f] {
		if slices.Contains(poolOf[f][:3], a) {
			in = append(in, a)
		} else {
			out = append(out, a)
		}
	}
	return in, out
}

// removeAddress removes an address while others stay whose subnet has the gateway.
func (w *world) removeAddress(f route.Family) (operation, bool) {
	in, out := w.withGateway(f)
	candidates := out
	if f == route.IPv6 && len(in) > 1 {
		candidates = append(candidates, in...)
	} else if len(in) > 1 {
		candidates = append(candidates, in[1:]...) // the first takes the others along
	}
	// A secondary address that stands first of its subnet takes others along too.
	if len(candidates) == 0 || !w.up {
		return operation{}, false
	}
	a := candidates[w.r.IntN(len(candidates))]
	exposes := []string{a}
	if f == route.IPv4 {
		exposes = append(exposes, out...)
	}
	return operation{name: "address " + a + " goes", do: func() { w.Server.DelAddr("u2", a+bitsOf[f]) }, exposes: exposes}, true
}

// renumber replaces all addresses by a new one, which is added before or after that.
func (w *world) renumber(f route.Family) (operation, bool) {
	a := poolOf[f][w.r.IntN(3)]
	if !w.up || len(w.addrs[f]) == 0 || slices.Contains(w.addrs[f], a) {
		return operation{}, false
	}
	add := func() { w.Server.Addr("u2", a+bitsOf[f]) }
	first := w.r.IntN(2) == 0
	if f == route.IPv4 {
		first = false // it would be a secondary address, and go with the primary
	}
	return operation{name: "renumbered to " + a, do: func() {
		if first {
			add()
		}
		w.dropAll(f)
		if !first {
			add()
		}
		if f == route.IPv4 {
			w.setLease(w.lease)
		}
	}, exposes: w.held[f]}, true
}

// dropAll removes all addresses of a family but the newest, those outside the
// gateway's subnet first.
func (w *world) dropAll(f route.Family) {
	in, out := w.withGateway(f)
	for _, a := range append(out, in...) {
		w.look()
		if slices.Contains(w.addrs[f], a) {
			w.Server.DelAddr("u2", a+bitsOf[f])
		}
	}
}

// loseAddresses removes all addresses of a family. The last ones stay protected.
func (w *world) loseAddresses(f route.Family) (operation, bool) {
	if len(w.addrs[f]) == 0 || !w.up {
		return operation{}, false
	}
	in, out := w.withGateway(f)
	exposes := out
	if f == route.IPv6 {
		exposes = append(exposes, in[:len(in)-1]...)
	}
	return operation{name: "no " + f.String() + " address is left", do: func() {
		w.maybe[f] = exposes
		w.dropAll(f)
	}, exposes: exposes}, true
}

// recreate deletes the interface, or makes it again, with another index.
func (w *world) recreate() (operation, bool) {
	if w.there {
		return operation{name: "interface deleted", do: func() { w.Server.DeleteLink("u2") }}, true
	}
	return operation{name: "interface made again", do: w.make, exposes: w.all()}, true
}

func (w *world) make() {
	tapped := w.G2 != nil
	if tapped {
		w.G2.Close()
	}
	w.Server.Link("u2", w.Net, "g2")
	if tapped {
		w.G2 = w.Net.Tap("g2")
	}
	w.Net.Addr("g2", "10.2.0.1/24", "10.2.0.20/24", "10.2.0.21/24", "10.22.0.1/24", "2001:db8:2::1/64", "2001:db8:22::1/64")
	w.setUp()
	w.bringUp(w.leases())
}

// untap ends the counting of packets.
func (w *world) untap() {
	w.G1.Close()
	w.G2.Close()
	w.G1, w.G2 = nil, nil
}

func (w *world) changeLease() (operation, bool) {
	next := []string{"10.2.0.1", "10.2.0.20", "10.2.0.21"}[w.r.IntN(3)]
	if !w.complete(route.IPv4) || next == w.lease {
		return operation{}, false
	}
	return operation{name: "lease with gateway " + next, do: func() { w.setLease(next) }}, true
}

// noise changes rules and routes of another program.
func (w *world) noise() {
	ctx := context.Background()
	r := rule.Rule{From: netip.MustParsePrefix("203.0.113.0/24"), Table: 77, Priority: rule.Priority(20000)}
	far := route.Route{Dst: netip.MustParsePrefix("203.0.113.0/24"), Table: 77, Type: route.TypeBlackhole}
	for range 20 {
		err := errors.Join(
			rule.Add(ctx, w.foreign, r), route.Add(ctx, w.foreign, far),
			rule.Delete(ctx, w.foreign, r), route.Delete(ctx, w.foreign, far))
		if err != nil {
			w.T.Fatal(err)
		}
	}
}

// deleteRules deletes so many of our rules, chosen at random.
func (w *world) deleteRules(count int) {
	var all []rule.Rule
	for r, err := range rule.All(context.Background(), w.foreign, rule.Filter{Protocol: table.Protocol}) {
		if err != nil {
			w.T.Fatal(err)
		}
		all = append(all, r)
	}
	w.r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, r := range all[:min(count, len(all))] {
		if err := rule.Delete(context.Background(), w.foreign, r); err != nil && !errors.Is(err, fs.ErrNotExist) {
			w.T.Fatal(err)
		}
	}
}

// deleteRoutes deletes so many of our routes, in a table or in all.
func (w *world) deleteRoutes(id int, count int) {
	var all []route.Route
	filter := route.Filter{Protocol: table.Protocol}
	for r, err := range route.All(context.Background(), w.foreign, filter) {
		if err != nil {
			w.T.Fatal(err)
		}
		if id == 0 || int(r.Table) == id {
			all = append(all, r)
		}
	}
	w.r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, r := range all[:min(count, len(all))] {
		if err := route.Delete(context.Background(), w.foreign, r); err != nil && !errors.Is(err, fs.ErrNotExist) {
			w.T.Fatal(err)
		}
	}
}

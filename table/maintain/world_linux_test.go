package maintain_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/maintain"
)

// A world is a network in which things happen to two maintained uplinks, and the
// model of their rules and routes. To the first one, by u1, nothing happens except that
// its rules and routes are deleted.
type world struct {
	*tabletest.Network
	r       *rand.Rand
	foreign *route.Socket
	learn   bool // lan2's IPv4 gateway is learned
	keep    bool // IPv6 addresses outlive the link

	// The model: what happens to u2, and what Run knows.
	up, there bool
	addrs     map[route.Family][]string // of u2, in the kernel's order
	held      map[route.Family][]string // sources that have rules
	maybe     map[route.Family][]string // those that went one by one: Run may have seen that
	lease     string                    // the gateway of main's default route by u2
	gateway   string                    // the one that is known. Empty: none
}

// poolOf are the addresses that u2 may have. The gateway is in the subnet of all but
// the last two, which u2 has only together with others.
var poolOf = map[route.Family][]string{
	route.IPv4: {"10.2.0.2", "10.2.0.3", "10.2.0.4", "10.22.0.2", "10.22.0.3"},
	route.IPv6: {"2001:db8:2::2", "2001:db8:2::3", "2001:db8:2::4", "2001:db8:22::2", "2001:db8:22::3"},
}

var bitsOf = map[route.Family]string{route.IPv4: "/24", route.IPv6: "/64"}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{
		Network: tabletest.NewNetwork(t), r: rand.New(rand.NewPCG(seed, 3)), learn: seed%2 == 1, keep: seed%3 == 1,
		up: true, there: true, held: make(map[route.Family][]string),
		maybe: make(map[route.Family][]string),
	}
	w.foreign = w.Dial(w.Server)
	w.Net.Addr("g2", "10.2.0.20/24", "10.2.0.21/24", "10.22.0.1/24", "2001:db8:22::1/64")
	w.setUp()
	w.setLease("10.2.0.1")
	w.gateway = "10.2.0.1"
	return w
}

// setUp sets the sysctls of a new interface.
func (w *world) setUp() {
	w.Server.Sysctl("net.ipv4.conf.u2.promote_secondaries", "0")
	w.Server.Sysctl("net.ipv6.conf.u2.keep_addr_on_down", map[bool]string{true: "1", false: "0"}[w.keep])
}

// uplinks returns the uplinks that are maintained.
func (w *world) uplinks() []maintain.Uplink {
	all := maintained(w.Uplink1(tabletest.IPv4), w.Uplink1(tabletest.IPv6), w.Uplink2(tabletest.IPv4), w.Uplink2(tabletest.IPv6))
	for i := range all {
		all[i].Unreachable = true
	}
	all[2].MainFirst = true
	for i, f := range []route.Family{route.IPv4, route.IPv6} {
		all[2+i].Also = []rule.Rule{{Family: f, FwMark: rule.FwMark(2)}}
	}
	if w.learn {
		all[2].Learn, all[2].Gateway = route.IPv4, netip.Addr{}
	}
	return all
}

// setLease does what a DHCP client does: it sets the default route by u2 in main, with a
// higher metric than that by u1.
func (w *world) setLease(gateway string) {
	w.lease = gateway
	r := route.Route{
		Gateway: netip.MustParseAddr(gateway), OIF: w.Server.Index("u2"), Priority: 2000, Protocol: route.ProtoDHCP,
	}
	if err := route.Replace(context.Background(), w.foreign, r); err != nil {
		w.T.Fatal(err)
	}
}

// look reads the state of u2 into the model.
func (w *world) look() {
	w.T.Helper()
	w.addrs = make(map[route.Family][]string)
	if err := w.Server.Do(func() error {
		dev, err := net.InterfaceByName("u2")
		if w.there = err == nil; !w.there {
			w.up = false
			return nil
		}
		w.up = dev.Flags&net.FlagUp != 0
		addrs, err := dev.Addrs()
		for _, a := range addrs {
			p, err := netip.ParsePrefix(a.String())
			if err != nil {
				return err
			}
			if a := p.Addr(); !a.IsLinkLocalUnicast() {
				f := route.FamilyOf(a)
				w.addrs[f] = append(w.addrs[f], a.String())
			}
		}
		return err
	}); err != nil {
		w.T.Fatal(err)
	}
}

// expect works out what Run knows and has rules for, after it has looked.
func (w *world) expect() {
	w.look()
	main := w.mainGateway()
	if main != "" {
		w.gateway = main
	}
	if !w.learn {
		w.gateway = "10.2.0.1"
	}
	for _, f := range []route.Family{route.IPv4, route.IPv6} {
		sources := slices.Clone(w.addrs[f])
		for _, a := range w.held[f] {
			if (len(w.addrs[f]) == 0 || !w.up) && !slices.Contains(sources, a) {
				sources = append(sources, a)
			}
		}
		w.held[f] = sources
		if len(w.addrs[f]) > 0 {
			w.maybe[f] = nil
		}
	}
}

// settle takes the sources for held that may be held, and have rules.
func (w *world) settle(got string) {
	for f, maybe := range w.maybe {
		held := without(w.held[f], maybe)
		for _, a := range maybe {
			if strings.Contains(got, "from "+a+" ") {
				held = append(held, a)
			}
		}
		w.held[f] = held
	}
}

// mainGateway returns the gateway of main's default route by u2.
func (w *world) mainGateway() string {
	if !w.there {
		return ""
	}
	for r, err := range route.All(context.Background(), w.foreign, route.Filter{
		Family: route.IPv4, Table: rttables.Main, OIF: w.Server.Index("u2"),
	}) {
		if err != nil {
			w.T.Fatal(err)
		}
		if r.Gateway.IsValid() {
			return r.Gateway.String()
		}
	}
	return ""
}

// want returns the rules and routes that the uplinks should have: for each source its rungs
// in their order, other rules, and the routes.
func (w *world) want() string {
	var lines []string
	for _, f := range []route.Family{route.IPv4, route.IPv6} {
		a := map[route.Family]tabletest.Family{route.IPv4: tabletest.IPv4, route.IPv6: tabletest.IPv6}[f]
		lines = append(lines,
			fmt.Sprintf("from %s lookup 10", a.A1), fmt.Sprintf("from %s unreachable", a.A1))
		lines = append(lines, w.wantRoutes(f, "u1", 10, a.G1, []string{a.A1})...)
		for _, src := range w.held[f] {
			if f == route.IPv4 {
				lines = append(lines,
					fmt.Sprintf("from %s lookup 20 suppress_prefixlength 1", src),
					fmt.Sprintf("from %s lookup main suppress_prefixlength 1", src))
			}
			lines = append(lines, fmt.Sprintf("from %s lookup 20", src), fmt.Sprintf("from %s unreachable", src))
		}
		if len(w.held[f]) > 0 {
			lines = append(lines,
				fmt.Sprintf("%s fwmark 0x2 lookup main suppress_prefixlength %d", f, noDefault[f]), fmt.Sprintf("%s fwmark 0x2 lookup 20", f),
				fmt.Sprintf("%s fwmark 0x2 unreachable", f))
		}
		gateway := a.G2
		if f == route.IPv4 {
			gateway = w.gateway
		}
		if w.complete(f) {
			lines = append(lines, w.wantRoutes(f, "u2", 20, gateway, w.addrs[f])...)
		}
	}
	return sorted(lines)
}

// noDefault is the suppress_prefixlength of main-first rules.
var noDefault = map[route.Family]int{route.IPv4: 1, route.IPv6: 4}

// complete reports whether lan2 can have its routes.
func (w *world) complete(f route.Family) bool {
	return w.there && w.up && len(w.addrs[f]) > 0 && (f == route.IPv6 || w.gateway != "")
}

// wantRoutes returns the routes of an uplink with some addresses, in the kernel's order.
func (w *world) wantRoutes(f route.Family, dev string, id int, gateway string, sources []string) []string {
	var lines []string
	subnetOf := func(a string) netip.Prefix {
		p, err := netip.MustParseAddr(a).Prefix(map[route.Family]int{route.IPv4: 24, route.IPv6: 64}[f])
		if err != nil {
			w.T.Fatal(err)
		}
		return p
	}
	in := make(map[netip.Prefix][]string)
	for _, src := range sources {
		in[subnetOf(src)] = append(in[subnetOf(src)], src)
	}
	// Of several IPv6 addresses that may all be right the kernel chooses.
	source := func(some []string) string {
		if f == route.IPv6 && len(some) > 1 {
			return "invalid IP"
		}
		return some[0]
	}
	for subnet, some := range in {
		lines = append(lines, fmt.Sprintf("route %s dev %s table %d src %s", subnet, dev, id, source(some)))
	}
	src := source(sources)
	if near := in[subnetOf(gateway)]; len(near) > 0 && len(near) < len(sources) {
		src = near[0]
	}
	return append(lines, fmt.Sprintf("route %s default via %s dev %s table %d src %s", f, gateway, dev, id, src))
}

// sorted sorts lines. Those of one source keep their order.
func sorted(lines []string) string {
	slices.SortStableFunc(lines, func(a, b string) int {
		first := func(s string) string { return strings.Join(strings.Fields(s)[:2], " ") }
		return strings.Compare(first(a), first(b))
	})
	return strings.Join(lines, "\n")
}

// got returns the rules and routes of the uplinks, without the routes of a family that
// waits for an address: the kernel leaves some of them.
func (w *world) got() string {
	ctx := context.Background()
	names := map[uint32]string{w.Server.Index("u1"): "u1"}
	if w.there {
		names[w.Server.Index("u2")] = "u2"
	}
	var lines []string
	for r, err := range rule.All(ctx, w.foreign, rule.Filter{Protocol: table.Protocol}) {
		if err != nil {
			w.T.Fatal(err)
		}
		// The listing is in the order of their priorities.
		r.Protocol, r.Priority = 0, route.Opt[uint32]{}
		line := r.Args(nil)
		if !r.From.IsValid() {
			line = fmt.Sprintf("%s %s", r.Family, strings.TrimPrefix(line, "from all "))
		}
		lines = append(lines, line)
	}
	for r, err := range route.All(ctx, w.foreign, route.Filter{Protocol: table.Protocol}) {
		if err != nil {
			w.T.Fatal(err)
		}
		if r.Table == 20 && r.Family == route.IPv6 && !w.complete(r.Family) {
			continue
		}
		dst := r.Canonical().Dst.String()
		if !r.Dst.IsValid() || r.Dst.Bits() == 0 {
			dst = fmt.Sprintf("%s default via %s", r.Family, r.Gateway)
		}
		lines = append(lines, fmt.Sprintf("route %s dev %s table %d src %s", dst, names[r.OIF], r.Table, r.PrefSrc))
	}
	return sorted(lines)
}

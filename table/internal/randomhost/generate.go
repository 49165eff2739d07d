package randomhost

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// settings make a namespace quiet, and its link-local addresses the same each time.
var settings = []string{
	"sysctl net.ipv4.conf.all.rp_filter=0",
	"sysctl net.ipv4.conf.default.rp_filter=0",
	"sysctl net.ipv6.conf.all.accept_dad=0",
	"sysctl net.ipv6.conf.default.accept_dad=0",
	"sysctl net.ipv6.conf.all.accept_ra=0",
	"sysctl net.ipv6.conf.default.accept_ra=0",
	"sysctl net.ipv6.conf.default.addr_gen_mode=1",
	"link set lo up",
}

// Settings returns how many of the commands of [Generate], the first ones, are the same for all
// hosts, and needed by all.
func Settings() int { return len(settings) }

// A generator makes random commands.
type generator struct {
	*rand.Rand
	commands []string
	devs     []string    // interfaces that can have addresses and routes
	subnets  []int       // the numbers of their subnets; 0: none
	vrf      bool        // there is a VRF, v1, with the table vrfTable
	seen     [2][]string // destinations and tables of routes so far
	hops     [2][]int    // the IDs of nexthop objects of IPv4 and IPv6
}

const vrfTable = 1001

// Generate returns the commands that make a random host, the same for the same seed. One in
// six never has a rule other than the default ones.
func Generate(seed uint64) []string {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15))}
	g.commands = append(g.commands, settings...)
	plain := g.chance(6)
	g.links(!plain)
	g.sysctls()
	g.addresses()
	g.neighbours()
	g.nexthops()
	for range 8 + g.IntN(25) {
		g.route()
	}
	if !plain {
		for range 2 + g.IntN(16) {
			g.rule()
		}
		g.defaultRules()
	}
	g.events()
	return g.commands
}

// chance is true one time in n.
func (g *generator) chance(n int) bool { return g.IntN(n) == 0 }

// maybe returns one of some texts one time in n, else nothing.
func (g *generator) maybe(n int, from ...string) string {
	if !g.chance(n) {
		return ""
	}
	return g.pick(from...)
}

func (g *generator) pick(from ...string) string { return from[g.IntN(len(from))] }

// add adds a command, in which the empty words are left out.
func (g *generator) add(words ...string) {
	g.commands = append(g.commands, strings.Join(strings.Fields(strings.Join(words, " ")), " "))
}

func (g *generator) links(vrf bool) {
	g.devs = []string{"d1", "d2", "d3", "d4"}
	if g.vrf = vrf && g.chance(3); g.vrf {
		g.add("link add v1 type vrf table", fmt.Sprint(vrfTable))
		g.add("link set v1 up")
	}
	for i, dev := range g.devs {
		g.add("link add", dev, "type veth peer", peer(dev))
		g.add("link set", dev, fmt.Sprintf("address 02:00:00:00:00:0%d", i+1))
	}
	if g.chance(4) {
		g.add("link add b1 type bridge") // without ports it has no carrier
		g.devs = append(g.devs, "b1")
	}
	for _, dev := range g.devs {
		if g.vrf && g.chance(3) {
			g.add("link set", dev, "master v1")
		}
		if g.chance(3) {
			g.add("link set", dev, "group", g.pick("1", "2", "7"))
		}
		if dev != "b1" && !g.chance(8) {
			g.add("link set", peer(dev), "up")
		}
		if !g.chance(15) {
			g.add("link set", dev, "up")
		}
	}
	g.add("settle")
}

// peer returns the other end of the cable of d1. If it is down, d1 has no carrier.
func peer(dev string) string { return strings.Replace(dev, "d", "p", 1) }

func (g *generator) sysctls() {
	set := func(n int, key string, values ...string) {
		if v := g.maybe(n, values...); v != "" {
			g.add("sysctl", key+"="+v)
		}
	}
	if !g.chance(4) {
		g.add("sysctl net.ipv4.conf.all.forwarding=1")
	}
	if !g.chance(4) {
		g.add("sysctl net.ipv6.conf.all.forwarding=1")
	}
	set(5, "net.ipv4.conf.all.rp_filter", "1", "2")
	set(8, "net.ipv4.conf.all.src_valid_mark", "1")
	set(8, "net.ipv4.conf.all.accept_local", "1")
	set(5, "net.ipv4.conf.all.send_redirects", "0")
	set(10, "net.ipv4.conf.all.route_localnet", "1")
	set(6, "net.ipv4.conf.all.ignore_routes_with_linkdown", "1")
	set(6, "net.ipv6.conf.all.ignore_routes_with_linkdown", "1")
	set(4, "net.ipv4.fib_multipath_hash_policy", "0", "1", "2", "3")
	set(4, "net.ipv6.fib_multipath_hash_policy", "0", "1", "2", "3")
	set(6, "net.ipv4.fib_multipath_use_neigh", "1")
	set(10, "net.ipv6.conf.all.use_oif_addrs_only", "1")
	for _, dev := range g.devs {
		set(6, "net.ipv4.conf."+dev+".rp_filter", "0", "1", "2")
		set(10, "net.ipv4.conf."+dev+".src_valid_mark", "1")
		set(10, "net.ipv4.conf."+dev+".accept_local", "1")
		set(4, "net.ipv4.conf."+dev+".send_redirects", "0")
		set(10, "net.ipv4.conf."+dev+".route_localnet", "1")
		set(10, "net.ipv4.conf."+dev+".forwarding", "0", "1")
		set(10, "net.ipv6.conf."+dev+".forwarding", "0", "1")
		set(5, "net.ipv4.conf."+dev+".ignore_routes_with_linkdown", "0", "1")
		set(5, "net.ipv6.conf."+dev+".ignore_routes_with_linkdown", "0", "1")
		set(10, "net.ipv4.conf."+dev+".bc_forwarding", "1")
		set(30, "net.ipv6.conf."+dev+".disable_ipv6", "1")
		set(12, "net.ipv6.conf."+dev+".use_oif_addrs_only", "1")
	}
}

func (g *generator) addresses() {
	for i, dev := range g.devs {
		if g.chance(12) {
			g.subnets = append(g.subnets, 0)
			continue
		}
		net := i + 1
		if g.chance(8) {
			net = 1 + g.IntN(4) // a subnet that another interface may have
		}
		g.subnets = append(g.subnets, net)
		g.add("address add", fmt.Sprintf("10.%d.0.2/%s", net, g.pick("24", "24", "24", "24", "24", "24", "25", "16", "30", "32")), "dev", dev,
			g.maybe(12, "noprefixroute"), g.maybe(12, "scope 253", "scope 254"), g.maybe(6, fmt.Sprintf("broadcast 10.%d.0.255", net)))
		if g.chance(3) {
			g.add("address add", fmt.Sprintf("10.%d.0.%s/%s", net, g.pick("3", "77", "200"), g.pick("24", "24", "25", "32", "31")), "dev", dev, g.maybe(8, "scope 253"))
		}
		if g.chance(10) {
			g.add("address add", fmt.Sprintf("192.0.2.%d/32 peer 192.0.2.%d/32", 10+i, 20+i), "dev", dev)
		}
		if !g.chance(4) {
			g.add("address add", "fe80::"+fmt.Sprint(10+i)+"/64", "dev", dev)
		}
		g.add("address add", fmt.Sprintf("2001:db8:%d::2/%s", net, g.pick("64", "64", "64", "64", "64", "48", "128", "127")), "dev", dev,
			g.maybe(12, "noprefixroute"), g.maybe(8, "deprecated"))
		if g.chance(3) {
			g.add("address add", fmt.Sprintf("%s%d::%s/%s", g.pick("2001:db8:", "fd00:", "2001:db8:"), net, g.pick("3", "77", "2:3"), g.pick("64", "128", "80")), "dev", dev, g.maybe(5, "deprecated"))
		}
		if g.chance(12) {
			g.add("address add", fmt.Sprintf("2001:db8:200::%d/128 peer 2001:db8:200::%d/128", 10+i, 20+i), "dev", dev)
		}
	}
	if g.chance(4) {
		g.add("address add", g.pick("192.0.2.99/32", "10.1.0.99/32"), "dev lo")
		g.add("address add", g.pick("2001:db8:99::1/128", "2001:db8:1::99/128"), "dev lo")
	}
	g.add("settle")
}

func (g *generator) neighbours() {
	for range g.IntN(5) {
		i := 1 + g.IntN(4)
		a := fmt.Sprintf("10.%d.0.%s", i, g.pick("1", "254"))
		if g.chance(2) {
			a = g.pick(fmt.Sprintf("2001:db8:%d::1", i), "fe80::1", "fe80::2")
		}
		g.add("neighbour add", a, "dev", fmt.Sprintf("d%d", i), "nud", g.pick("permanent", "stale", "failed", "failed", "noarp"))
	}
}

// events are what happens to the host afterwards.
func (g *generator) events() {
	for _, dev := range g.devs {
		switch g.IntN(25) {
		case 0, 1:
			g.add("link set", dev, "down")
		case 2, 3:
			if dev != "b1" {
				g.add("link set", peer(dev), "down")
			}
		case 4:
			g.add("link set", dev, "down")
			g.add("link set", dev, "up")
		case 5:
			for _, c := range g.commands {
				if strings.HasPrefix(c, "address add") && strings.Contains(c, "dev "+dev) {
					g.add("address del" + strings.TrimPrefix(c, "address add"))
					break
				}
			}
		case 6:
			if g.vrf {
				g.add("link set", dev, "master v1")
			}
		}
	}
	g.add("settle")
}

//go:build linux

package show_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/route"
)

// A wordMaker makes random words of ip(8), the same ones for the same seed.
type wordMaker struct{ *rand.Rand }

// maybe returns words once in n times, else none.
func (g wordMaker) maybe(n int, format string, args ...any) string {
	if g.IntN(n) > 0 {
		return ""
	}
	return " " + fmt.Sprintf(format, args...)
}

func (g wordMaker) pick(from ...string) string { return from[g.IntN(len(from))] }

// prefix makes a prefix without host bits.
func (g wordMaker) prefix(f route.Family) string {
	if f == route.IPv6 {
		return fmt.Sprintf("2002:%x:%x::/%d", g.Uint32N(1<<16), g.Uint32N(1<<16), 48+g.IntN(17))
	}
	return fmt.Sprintf("10.%d.%d.0/%d", g.Uint32N(256), g.Uint32N(256), 24+g.IntN(9))
}

// rule makes the words of a rule that kernels since 4.20 and iproute2 since 6.1
// know.
func (g wordMaker) rule(f route.Family) string {
	s := fmt.Sprintf("pref %d", 1+g.Uint32N(30000))
	s += g.maybe(4, "not") + g.maybe(2, "from %s", g.prefix(f)) + g.maybe(3, "to %s", g.prefix(f))
	s += g.maybe(4, "tos %#x", 4*g.IntN(8)) + g.maybe(3, "fwmark %#x", g.Uint32())
	s += g.maybe(6, "fwmark %d/%#x", g.Uint32N(3), g.Uint32())
	s += g.maybe(4, "iif %s", g.pick("eth0", "eth1", "nosuch")) + g.maybe(4, "oif %s", g.pick("lo", "eth1", "nosuch"))
	s += g.maybe(5, "uidrange 0-%d", g.Uint32N(1000)) + g.maybe(5, "tun_id %d", g.Uint64())
	if g.IntN(3) == 0 {
		s += " ipproto " + g.pick("tcp", "udp", "17", "253")
		s += g.maybe(2, "sport %d", 1+g.Uint32N(1000)) + g.maybe(2, "dport %d-%d", 1+g.Uint32N(1000), 1001+g.Uint32N(1000))
	}
	if g.IntN(8) == 0 {
		return s + g.maybe(2, "protocol %d", g.Uint32N(256)) + " l3mdev"
	}
	s += " " + g.pick("lookup main", "lookup 20", "lookup 254", "lookup 4294967295", "goto 32766", "goto 31000", "nop",
		"blackhole", "unreachable", "prohibit")
	s += g.maybe(3, "suppress_prefixlength %d", g.Uint32N(33)) + g.maybe(4, "suppress_ifgroup %d", g.Uint32N(5))
	if f == route.IPv4 {
		s += g.maybe(4, "realms %d", g.Uint32N(256)) + g.maybe(6, "realms %d/%d", g.Uint32N(256), g.Uint32N(256))
	}
	return s + g.maybe(3, "protocol %d", g.Uint32N(256))
}

// route makes the words of a route.
func (g wordMaker) route(f route.Family) string {
	if g.IntN(6) == 0 {
		return g.pick("blackhole", "unreachable", "prohibit", "throw") + " " + g.prefix(f) + g.origin(f)
	}
	gateways := []string{"192.168.1.1", "192.168.2.1"}
	if f == route.IPv6 {
		gateways = []string{"2001:db8:1::1", "2001:db8:2::1"}
	}
	s := g.prefix(f) + g.origin(f) + g.metrics()
	if f == route.IPv4 {
		s += g.maybe(5, "tos %#x", 4*g.IntN(8)) + g.maybe(5, "realms %d/%d", 1+g.Uint32N(255), g.Uint32N(256))
	} else {
		s += g.maybe(4, "pref %s", g.pick("low", "medium", "high")) + g.maybe(5, "expires %d", 1000+g.Uint32N(10000))
	}
	if g.IntN(4) == 0 {
		for i, gateway := range gateways {
			s += fmt.Sprintf(" nexthop via %s dev eth%d", gateway, i) + g.maybe(2, "weight %d", 1+g.Uint32N(256)) + g.maybe(3, "onlink")
		}
		return s
	}
	i := g.IntN(2)
	s += fmt.Sprintf(" dev eth%d", i) + g.maybe(2, "via %s", gateways[i]) + g.maybe(4, "onlink")
	return s + g.maybe(5, "encap ip id %d dst 192.0.2.%d ttl %d", g.Uint32(), g.Uint32N(256), g.Uint32N(256))
}

func (g wordMaker) origin(f route.Family) string {
	s := g.maybe(2, "table %s", g.pick("20", "256", "4294967295")) + g.maybe(2, "proto %d", g.Uint32N(256))
	if f == route.IPv4 {
		s += g.maybe(4, "metric %d", g.Uint32())
	}
	return s + g.maybe(5, "metric %d", 1+g.Uint32N(5000))
}

// metrics makes metrics, which ip(8) prints with other units and digits.
func (g wordMaker) metrics() (s string) {
	for _, word := range []string{"mtu", "window", "ssthresh", "cwnd", "advmss", "reordering", "initcwnd", "initrwnd"} {
		s += g.maybe(12, "%s %s%d", word, g.pick("", "lock "), 1+g.Uint32N(1<<g.UintN(17)))
	}
	for _, word := range []string{"rtt", "rttvar", "rto_min"} {
		s += g.maybe(6, "%s %d%s", word, g.Uint32N(1<<g.UintN(22)), g.pick("", "ms", "ms", "s"))
	}
	return s + g.maybe(8, "hoplimit %d", 1+g.Uint32N(255)) + g.maybe(8, "features ecn") + g.maybe(8, "quickack %d", g.IntN(2)) +
		g.maybe(8, "congctl %sreno", g.pick("", "lock "))
}

// TestKernelRandom compares what this package prints of random routes and rules
// with what the installed ip(8) does: 100 of each in both families, with -full 400.
func TestKernelRandom(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	rounds, each := testrun.Times(4, 1), 100
	g := wordMaker{rand.New(rand.NewPCG(30, 0))}
	for range rounds {
		for _, f := range []route.Family{route.IPv4, route.IPv6} {
			h := newHost(t)
			names := h.names(t)
			var commands strings.Builder
			for range each {
				fmt.Fprintf(&commands, "rule add %s\nroute add %s\n", g.rule(f), g.route(f))
			}
			// Rules and routes that ip(8) or the kernel refuses are left out.
			_, err := h.ns.Run(commands.String(), "ip", "-f", f.String(), "-force", "-batch", "-")
			if err != nil && !strings.Contains(err.Error(), "exit status 1:") {
				t.Fatal(err)
			}
			var routes, rules int
			for _, s := range styles {
				s.style.Names = names
				routes = h.routes(t, s.options, s.style, route.Filter{Family: f}, "table all")
				rules = h.rules(t, s.options, s.style, f)
			}
			t.Logf("%s: %d routes and %d rules of %d commands each", f, routes, rules, each)
			if routes < each/2 || rules < each/2 {
				report.Error("too many were refused")
			}
		}
	}
}

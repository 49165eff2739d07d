package programs

import (
	"fmt"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
)

// A policy says which of the server's packets take the uplink by which the other direction of
// their connection came in.
type policy struct {
	udp       []int // the ports of UDP servers on all addresses
	forwarded bool  // connections of containers and of the LAN
}

// The bits of the mark, and the values of the uplinks.
const mask = 0x0f000000

func markOf(uplink int) uint32 { return uint32(uplink+1) << 24 }

// install installs the policy on the server, for both families.
func (n *network) install(p policy) (remove func()) {
	n.t.Helper()
	var b strings.Builder
	b.WriteString("table inet reply {\n")
	if len(p.udp) > 0 {
		writeUDP(&b, p.udp)
	}
	if p.forwarded {
		writeForwarded(&b)
	}
	b.WriteString("}\n")
	h := newHome(n.t, n.server, "nft")
	h.run("nft", "-f", h.file("reply.nft", b.String()))
	var rules []rule.Rule
	if p.forwarded {
		rules = markRules()
	}
	c := n.dial(n.server)
	for _, r := range rules {
		if err := rule.Add(n.t.Context(), c, r); err != nil {
			n.t.Fatal(err)
		}
	}
	return func() {
		for _, r := range rules {
			if err := rule.Delete(n.t.Context(), c, r); err != nil {
				n.t.Fatal(err)
			}
		}
		h.run("nft", "delete", "table", "inet", "reply")
	}
}

func setName(f family, uplink int) string { return fmt.Sprintf("asked_%s_%d", f.version, uplink) }

func writeUDP(b *strings.Builder, ports []int) {
	set := strings.Trim(strings.ReplaceAll(fmt.Sprint(ports), " ", ","), "[]")
	var in, out strings.Builder
	for _, f := range families {
		ip, kind := "ip", "ipv4_addr"
		if f.ip == route.IPv6 {
			ip, kind = "ip6", "ipv6_addr"
		}
		for i, a := range f.server {
			fmt.Fprintf(b, "set %s { type %s . inet_service . inet_service; size 65536; flags dynamic,timeout; timeout 3m; }\n", setName(f, i), kind)
			key := ip + " saddr . udp sport . udp dport"
			fmt.Fprintf(&in, "iif != lo %s daddr %s udp dport {%s} update @%s { %s } delete @%s { %s }\n", ip, a, set, setName(f, i), key, setName(f, 1-i), key)
			fmt.Fprintf(&out, "udp sport {%s} %s daddr . udp dport . udp sport @%s %s saddr set %s\n", set, ip, setName(f, i), ip, a)
		}
	}
	fmt.Fprintf(b, "chain in { type filter hook prerouting priority raw;\n%s}\nchain out { type route hook output priority raw;\n%s}\n", &in, &out)
}

func writeForwarded(b *strings.Builder) {
	const keep = 0xffffffff &^ mask
	b.WriteString("chain forward_in { type filter hook prerouting priority mangle;\n")
	for i := range 2 {
		fmt.Fprintf(b, "iif eth%d ct state new ct mark set ct mark & %#x | %#x\n", i, keep, markOf(i))
	}
	for i := range 2 {
		from := fmt.Sprintf("iif != { eth0, eth1 } ct direction reply ct mark & %#x == %#x", mask, markOf(i))
		fmt.Fprintf(b, "%s meta mark set meta mark & %#x | %#x\n", from, keep, markOf(i))
		fmt.Fprintf(b, "iif eth%d ct mark & %#x == %#x meta mark set meta mark & %#x | %#x\n", i, mask, markOf(i), keep, markOf(i))
	}
	for i := range 2 {
		fmt.Fprintf(b, "iif != { eth0, eth1 } ct direction original ct mark & %#x == %#x meta mark set meta mark & %#x | %#x\n", mask, markOf(i), keep, markOf(i))
	}
	b.WriteString("}\nchain forward_post { type filter hook postrouting priority mangle;\n")
	for i := range 2 {
		fmt.Fprintf(b, "oif eth%d ct state new ct mark & %#x == 0 ct mark set ct mark & %#x | %#x\n", i, mask, keep, markOf(i))
	}
	b.WriteString("}\nchain forward_out { type route hook output priority mangle;\n")
	for i := range 2 {
		fmt.Fprintf(b, "ct direction reply ct mark & %#x == %#x meta mark set meta mark & %#x | %#x\n", mask, markOf(i), keep, markOf(i))
	}
	b.WriteString("}\n")
}

// markRules returns the rules by which marked packets take an uplink: after one that asks main
// first, for the container.
func markRules() []rule.Rule {
	var all []rule.Rule
	for i := range 2 {
		for _, f := range []route.Family{route.IPv4, route.IPv6} {
			m := rule.FwMark(markOf(i)).Masked(mask)
			all = append(all,
				rule.Rule{Family: f, Priority: rule.Priority(uint32(31500 + 2*i)), FwMark: m, Table: rttables.Main, SuppressPrefixLength: rule.SuppressPrefixLength(0)},
				rule.Rule{Family: f, Priority: rule.Priority(uint32(31501 + 2*i)), FwMark: m, Table: rttables.ID(10 * (i + 1))})
		}
	}
	return all
}

// forEachFamily runs a test in each family, on networks of their own.
func forEachFamily(t *testing.T, test func(t *testing.T, n *network, f family)) {
	t.Parallel()
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			test(t, newNetwork(t), f)
		})
	}
}

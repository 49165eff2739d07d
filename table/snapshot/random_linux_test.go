//go:build linux

package snapshot_test

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/nexthop"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/snapshot"
)

// A generator makes random words of ip(8), of which many have no address that tells their
// family, or first one of the other family.
type generator struct{ *rand.Rand }

func (g generator) pick(from ...string) string { return from[g.IntN(len(from))] }

// gateway returns one for a route of a family by an interface.
func (g generator) gateway(option string, i int) string {
	if option == "-6" {
		return g.pick("", "via fe80::1", fmt.Sprintf("via 2001:db8:%d::1", i+1))
	}
	return g.pick("", fmt.Sprintf("via 192.168.%d.1", i+1), "via inet6 fe80::1", fmt.Sprintf("via inet6 2001:db8:%d::1", i+1))
}

// route returns the words of a route in a table of its own.
func (g generator) route(table int) string {
	option := g.pick("-4", "-6")
	dst := g.pick("default", "default", fmt.Sprintf("10.%d.0.0/16", g.IntN(250)))
	source := func(i int) string { return []string{"src 192.168.1.6", "src 192.168.2.2"}[i] }
	nhid := g.pick("nhid 11", "nhid 13", "nhid 14")
	if option == "-6" {
		dst = g.pick("default", "default", fmt.Sprintf("2002:%d::/32", g.IntN(250)))
		source = func(i int) string { return fmt.Sprintf("src 2001:db8:%d::%d", i+1, []int{6, 2}[i]) }
		nhid = g.pick("nhid 13", "nhid 15")
	}
	words := []string{option}
	switch i := g.IntN(2); g.IntN(8) {
	case 0:
		words = append(words, g.pick("unreachable", "blackhole", "prohibit", "throw"), dst)
	case 1:
		words = append(words, dst, nhid)
	case 2:
		words = append(words, dst)
		for i := range 2 {
			words = append(words, "nexthop", g.gateway(option, i), fmt.Sprintf("dev eth%d weight %d", i, 1+g.IntN(3)))
		}
	case 3:
		words = append(words, dst, g.gateway(option, i), g.pick("encap ip id 7 dst 192.0.2.9", "encap ip6 id 7 dst 2001:db8::9"),
			fmt.Sprintf("dev eth%d", i))
	case 4:
		words = append(words, g.pick("multicast", "local", "broadcast"), dst, fmt.Sprintf("dev eth%d", i))
	default:
		words = append(words, dst, g.gateway(option, i), fmt.Sprintf("dev eth%d", i), g.pick("", "", source(i)), g.pick("", "", "mtu 1400"))
	}
	words = append(words, fmt.Sprintf("table %d proto %s", table, g.pick("static", "boot", "210")), g.pick("", "metric 7"))
	if option == "-4" {
		words = append(words, g.pick("", "", "", "tos 0x10"))
	}
	return strings.Join(words, " ")
}

// rule returns the words of a rule.
func (g generator) rule(priority int) string {
	option := g.pick("-4", "-6")
	from := g.pick("", "", "from default", "from 192.0.2.0/24", "from 192.0.2.1", "to 192.0.2.1")
	if option == "-6" {
		from = g.pick("", "", "from default", "from 2001:db8::/32", "from ::/0", "to 2001:db8::1")
	}
	return strings.Join([]string{
		option, g.pick("", "", "not"), from, g.pick("", "", "fwmark 0x1", "fwmark 0x0/0xff"), g.pick("", "", "iif eth0", "oif gone"),
		g.pick("", "", "ipproto tcp", "ipproto udp dport 53", "sport 1-9"), g.pick("", "", "", "tun_id 7", "uidrange 0-0"),
		g.pick("lookup 20", "lookup 20", "lookup main suppress_prefixlength 0", "unreachable", "prohibit", "blackhole", "nop",
			"l3mdev", fmt.Sprintf("goto %d", priority+g.IntN(9)+1)),
		g.pick("", "", "proto 210"), "pref", fmt.Sprint(priority),
	}, " ")
}

// addRandom adds random routes and rules, except for those that the kernel refuses.
func addRandom(t *testing.T, ns *lab.NS, g generator) (routes, rules int) {
	t.Helper()
	c := dialNS(t, ns)
	for _, n := range []nexthop.Object{
		{ID: 11, Gateway: addr("192.168.1.1"), OIF: ns.Index("eth0")},
		{ID: 12, OIF: ns.Index("eth1"), Family: route.IPv4},
		{ID: 13, Gateway: addr("fe80::1"), OIF: ns.Index("eth1")},
		{ID: 14, Group: []nexthop.Member{{ID: 11}, {ID: 13, Weight: 3}}},
		{ID: 15, OIF: ns.Index("eth0"), Family: route.IPv6},
		{ID: 16, Blackhole: true, Family: route.IPv6},
		{ID: 17, Blackhole: true, Family: route.IPv4},
	} {
		if _, err := nexthop.Add(t.Context(), c, n); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 150 {
		words := g.route(1000 + i)
		r, err := route.Parse(words, recordedNames(t, ns))
		if err != nil {
			t.Fatalf("%s: %v", words, err)
		}
		if route.Add(t.Context(), c, r) == nil {
			routes++
		}
	}
	for i := range 150 {
		words := g.rule(1000 + 10*i)
		r, err := rule.Parse(words, nil)
		if err != nil {
			t.Fatalf("%s: %v", words, err)
		}
		if rule.Add(t.Context(), c, r) == nil {
			rules++
		}
	}
	return routes, rules
}

// The text of random routes and rules of both families is read back as what they are, and
// makes the same ones if ip(8) does what it says.
func TestRandom(t *testing.T) {
	const seed = 1
	ns := recordedNS(t, 3)
	c := dialNS(t, ns)
	empty := take(t, c)
	routes, rules := addRandom(t, ns, generator{rand.New(rand.NewPCG(seed, 0))})
	if routes < 100 || rules < 120 {
		t.Errorf("only %d routes and %d rules were added", routes, rules)
	}
	want := take(t, c)
	text := want.String()
	back, err := snapshot.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	tabletest.WantText(t, "the text of what was read", text, back.String())
	if !back.Equal(want) {
		t.Errorf("what was read is not equal to what was written:\n%s", snapshot.Diff(want, back))
	}
	if n := strings.Count(text, "\nip -4 route "); n < 10 {
		t.Errorf("only %d routes have the option -4: the test proves nothing", n)
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("ip(8) is not installed: ", err)
	}
	for name, commands := range map[string]string{"text": text, "diff": snapshot.Diff(empty, want).String()} {
		t.Run(name, func(t *testing.T) {
			ns := recordedNS(t, 13)
			c := dialNS(t, ns)
			shell(t, ns, commands)
			got := take(t, c)
			tabletest.WantText(t, "rebuilt", text, got.String())
			shell(t, ns, snapshot.Diff(got, empty).String())
			tabletest.WantText(t, "emptied", empty.String(), take(t, c).String())
		})
	}
}

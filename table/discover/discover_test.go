package discover

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/host"
)

// hostOf returns a host as text has it: addresses, and the words of ip(8) for rules and
// routes, which begin with an option if they are of IPv6.
func hostOf(t *testing.T, text string) *host.State {
	t.Helper()
	indexes := map[uint32]string{1: "lo", 2: "eth0", 3: "eth1", 4: "lan", 5: "ppp0"}
	links := route.MakeLinks(indexes)
	files := new(rttables.Names).With(20, "lan2").With(254, "main").With(255, "local")
	names := &route.Names{Links: links, Files: files}
	var addrs []host.Address
	var rules []rule.Rule
	var routes []route.Route
	for line := range strings.Lines(text + `
rule from all lookup local pref 0 proto kernel
rule from all lookup main pref 32766 proto kernel
rule -6 from all lookup local pref 0 proto kernel
rule -6 from all lookup main pref 32766 proto kernel
`) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		rest := strings.Join(words[1:], " ")
		var err error
		switch words[0] {
		case "addr": // PREFIX dev NAME [dynamic]
			p := netip.MustParsePrefix(words[1])
			index, _ := links.Index(words[3])
			a := host.Address{Index: index, Addr: p.Addr(), Global: true, Dynamic: slices.Contains(words, "dynamic")}
			if !p.IsSingleIP() {
				a.Subnet = p.Masked()
			}
			addrs = append(addrs, a)
		case "rule":
			var r rule.Rule
			r, err = rule.Parse(rest, names)
			rules = append(rules, r.Canonical())
		case "route":
			var r route.Route
			r, err = route.Parse(rest, names)
			routes = append(routes, r.Canonical())
		}
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	slices.SortStableFunc(rules, host.ComparePriority)
	return host.Make(host.MakeNames(links, files, nil), links, addrs, rules, routes)
}

// describe returns what was found, in the words of ip(8) as far as they go.
func describe(h *Host) string {
	var b strings.Builder
	for _, u := range h.Uplinks {
		fmt.Fprintf(&b, "%s", u.Name)
		if u.Table != 0 {
			fmt.Fprintf(&b, " table %d", uint32(u.Table))
		}
		fmt.Fprintf(&b, " dev %s", u.Interface)
		if u.Gateway.IsValid() {
			fmt.Fprintf(&b, " via %s", u.Gateway)
		}
		if u.Learn != 0 {
			fmt.Fprintf(&b, " learn %s", u.Learn)
		}
		for _, x := range []struct {
			is   bool
			word string
		}{
			{u.OnLink, "onlink"}, {len(u.Sources) > 0, "src " + list(u.Sources)}, {u.NoSources, "src none"},
			{len(u.Subnets) > 0, "subnet " + list(u.Subnets)}, {len(u.Routes) > 0, "to " + list(u.Routes)},
			{u.Priority != 0, fmt.Sprintf("pref %d", u.Priority)}, {u.Metric != 0, fmt.Sprintf("metric %d", u.Metric)},
			{u.MainFirst, "main-first"}, {u.Unreachable, "unreachable"}, {u.Needless, "needless"},
		} {
			if x.is {
				b.WriteString(" " + x.word)
			}
		}
		for _, r := range u.Also {
			fmt.Fprintf(&b, " also %s", r.Args(nil))
		}
		b.WriteString("\n")
	}
	for _, o := range h.Others {
		fmt.Fprintf(&b, "other %s %s\n", o.Name, list(o.Addresses))
	}
	for _, r := range h.Rules {
		fmt.Fprintf(&b, "stays %s\n", r)
	}
	return b.String()
}

const twoAddresses = `
addr 127.0.0.1/8 dev lo
addr 192.168.1.2/24 dev eth0
addr 192.168.2.2/24 dev eth1
addr 172.16.5.1/24 dev lan
route default via 192.168.1.1 dev eth0
`

func TestHost(t *testing.T) {
	for _, x := range []struct{ name, have, want string }{
		{"nothing", "addr 127.0.0.1/8 dev lo", ""},
		{"one provider", twoAddresses, `
eth0 dev eth0 via 192.168.1.1 main-first
other eth1 192.168.2.2
other lan 172.16.5.1
`},
		{"DHCP on both", `
addr 192.168.1.2/24 dev eth0 dynamic
addr 192.168.2.2/24 dev eth1 dynamic
route default via 192.168.1.1 dev eth0 proto dhcp metric 100
route default via 192.168.2.1 dev eth1 proto dhcp metric 200
`, `
eth0 dev eth0 learn inet main-first
eth1 dev eth1 learn inet main-first
`},
		{"dhclient, which marks its route as ip does", `
addr 192.168.1.2/24 dev eth0 dynamic
route default via 192.168.1.1 dev eth0
`, `
eth0 dev eth0 learn inet main-first
`},
		{"router advertisements", `
addr 192.168.1.2/24 dev eth0
addr 2001:db8:1::2/64 dev eth0 dynamic
route default via 192.168.1.1 dev eth0
route -6 default via fe80::1 dev eth0 proto ra metric 1024
`, `
eth0 dev eth0 via 192.168.1.1 main-first
eth0 dev eth0 learn inet6 main-first
`},
		{"a static IPv6 gateway beside addresses with a lifetime", `
addr 2001:db8:1::2/64 dev eth0 dynamic
route -6 default via fe80::1 dev eth0
`, `
eth0 dev eth0 via fe80::1 main-first
`},
		{"a point-to-point link", `
addr 203.0.113.7/32 dev ppp0
route default dev ppp0
`, `
ppp0 dev ppp0 learn inet main-first
`},
		{"a gateway in no subnet", `
addr 203.0.113.7/32 dev eth0
route default via 172.31.1.1 dev eth0 onlink
`, `
eth0 dev eth0 via 172.31.1.1 onlink main-first
`},
		{"a table without a gateway", twoAddresses + `
addr 10.8.0.2/24 dev ppp0
addr fd00:8::2/64 dev ppp0
route default dev ppp0 table 30
rule from 10.8.0.2 lookup 30 pref 32765
`, `
eth0 dev eth0 via 192.168.1.1 main-first
ppp0 table 30 dev ppp0 src 10.8.0.2
other eth1 192.168.2.2
other lan 172.16.5.1
`},
		{"a table for one of two addresses", twoAddresses + `
addr 192.168.2.3/24 dev eth1
route default via 192.168.2.1 dev eth1 table 20
rule from 192.168.2.3 lookup 20 pref 32765
`, `
eth0 dev eth0 via 192.168.1.1 main-first
lan2 table 20 dev eth1 via 192.168.2.1 src 192.168.2.3
other lan 172.16.5.1
`},
		{"two gateways by one interface", `
addr 192.168.1.2/24 dev eth0
addr 192.168.2.2/24 dev eth0
route default via 192.168.1.1 dev eth0 table 20
route default via 192.168.2.1 dev eth0 table 21
rule from 192.168.1.2 lookup 20 pref 32765
rule from 192.168.2.2 lookup 21 pref 32764
`, `
lan2 table 20 dev eth0 via 192.168.1.1 src 192.168.1.2
eth0 table 21 dev eth0 via 192.168.2.1 src 192.168.2.2
`},
		{"a table that DHCP's gateway is in as well", `
addr 192.168.2.2/24 dev eth1 dynamic
route default via 192.168.2.1 dev eth1 proto dhcp metric 100
route default via 192.168.2.1 dev eth1 table 20
rule from 192.168.2.2 lookup 20 pref 32765
`, `
lan2 table 20 dev eth1 learn inet
`},
		{"a mark alone", twoAddresses + `
route default via 192.168.2.1 dev eth1 table 20
rule fwmark 0x2 lookup 20 pref 100
`, `
eth0 dev eth0 via 192.168.1.1 main-first
lan2 table 20 dev eth1 via 192.168.2.1 src none also from all fwmark 0x2 lookup 20 pref 100
other lan 172.16.5.1
`},
		{"rules of running programs, and of VPNs", twoAddresses + `
route default via 192.168.2.1 dev eth1 table 20
route default dev ppp0 table 51820
route default dev ppp0 table 52
rule from 192.168.2.2 lookup 20 pref 32765 proto bird
rule not from all fwmark 0xca6c lookup 51820 pref 32764
rule from all lookup 52 pref 5270
`, `
eth0 dev eth0 via 192.168.1.1 main-first needless
other eth1 192.168.2.2
other lan 172.16.5.1
stays 5270: from all lookup 52
stays 32764: not from all fwmark 0xca6c lookup 51820
stays 32765: from 192.168.2.2 lookup 20 proto bird
`},
		{"two families with tables of their own", twoAddresses + `
addr 2001:db8:2::2/64 dev eth1
route default via 192.168.2.1 dev eth1 table 20
route -6 default via 2001:db8:2::1 dev eth1 table 26
rule from 192.168.2.2 lookup 20 pref 32765
rule from 2001:db8:2::2 lookup 26 pref 32765
`, `
eth0 dev eth0 via 192.168.1.1 main-first
lan2 table 20 dev eth1 via 192.168.2.1
eth1 table 26 dev eth1 via 2001:db8:2::1
other lan 172.16.5.1
`},
		{"main first for a port", twoAddresses + `
route default via 192.168.2.1 dev eth1 table 20
rule from 192.168.2.2 lookup 20 pref 100
rule ipproto tcp dport 25 lookup main suppress_prefixlength 0 pref 200
rule ipproto tcp dport 25 lookup 20 pref 201
`, `
eth0 dev eth0 via 192.168.1.1 main-first
lan2 table 20 dev eth1 via 192.168.2.1 pref 100 also from all ipproto tcp dport 25 lookup 0 pref 201
other lan 172.16.5.1
stays 200: from all ipproto tcp dport 25 lookup main suppress_prefixlength 0
`},
	} {
		t.Run(x.name, func(t *testing.T) {
			got := describe(newSearch(hostOf(t, x.have)).host())
			if want := strings.TrimPrefix(x.want, "\n"); got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
}

package maintain_test

import (
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/health"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/maintain"
)

// A behind is two subnets of a network behind the server, of which one is replaced by the
// other, and the host's addresses in them.
type behind struct {
	tabletest.Family
	prefix               string // that both subnets are of
	subnet, host         string
	renumbered, hostThen string
}

var behinds = map[string]behind{
	"ipv4": {tabletest.IPv4, "198.18.0.0/16", "198.18.1.0/24", "198.18.1.10", "198.18.2.0/24", "198.18.2.10"},
	"ipv6": {tabletest.IPv6, "2001:db8:700::/56", "2001:db8:700:1::/64", "2001:db8:700:1::a", "2001:db8:700:2::/64", "2001:db8:700:2::a"},
}

// inSubnet returns the k-th address of a subnet, with the subnet's length.
func inSubnet(subnet string, k byte) string {
	p := netip.MustParsePrefix(subnet)
	return netip.PrefixFrom(tabletest.NumberedAddr(p, k), p.Bits()).String()
}

// wantBy fails the test unless what ns sends from an address to the client leaves by one
// router, 1 or 2.
func wantBy(n *tabletest.Network, ns *lab.NS, from, to string, router int) {
	n.T.Helper()
	g1, g2 := n.SendFrom(ns, from, to)
	if router == 1 && (g1 == 0 || g2 != 0) || router == 2 && (g1 != 0 || g2 == 0) {
		n.T.Errorf("from %s: %d packets at g1 and %d at g2, want all at g%d\n%s", from, g1, g2, router, n.Kernel())
	}
}

// sendAlways sends packets from an address of a namespace to the client until the function
// that it returns is called, which returns how many were sent.
func sendAlways(n *tabletest.Network, ns *lab.NS, from, to string) (stop func() int) {
	var sent, end atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for end.Load() == 0 {
			n.Send(ns, from, to)
			sent.Add(1)
		}
	}()
	return func() int {
		end.Store(1)
		<-done
		return int(sent.Load())
	}
}

// The network of another interface is renumbered. The uplink follows it: the new network
// takes the uplink, the old one takes it as long as it is there, and packets of neither
// leave by the other uplink meanwhile.
func TestNetworksFollow(t *testing.T) {
	for name, x := range behinds {
		t.Run(name, func(t *testing.T) {
			n := tabletest.NewNetwork(t)
			host := n.AddBehind("lan", x.subnet)
			u := n.Uplink2(x.Family)
			u.SourceInterfaces = []string{"lan"}
			wantBy(n, host, x.host, x.Client, 1)
			k := newKeeper(n, maintain.Config{}, maintained(u)...)
			wantBy(n, host, x.host, x.Client, 2)
			n.G1.Reset()
			n.G2.Reset()
			has := func(subnet string) bool { return strings.Contains(n.Table(20), "from "+subnet+" lookup 20") }
			stop := sendAlways(n, host, x.host, x.Client)
			n.Server.Addr("lan", inSubnet(x.renumbered, 1))
			k.until("the new network takes the uplink", func() bool { return has(x.renumbered) })
			host.Addr("eth0", inSubnet(x.renumbered, 10))
			stopThen := sendAlways(n, host, x.hostThen, x.Client)
			// Another change of the uplink at the same time.
			n.Server.Addr("u2", inSubnet(map[string]string{"ipv4": "10.22.0.0/24", "ipv6": "2001:db8:22::/64"}[name], 2))
			k.until("the address has its rule", func() bool { return strings.Count(n.Table(20), "rule 31000") == 2 })
			if sent := stop(); sent < 10 {
				t.Errorf("%d packets prove nothing", sent)
			}
			n.Server.DelAddr("lan", inSubnet(x.subnet, 1))
			k.until("the old network is forgotten", func() bool { return !has(x.subnet) })
			if sent := stopThen(); sent < 10 {
				t.Errorf("%d packets prove nothing", sent)
			}
			for _, from := range []string{x.host, x.hostThen} {
				match := func(p lab.Packet) bool { return !p.Out && p.Proto == 17 && p.Src.Addr() == netip.MustParseAddr(from) }
				if astray, all := n.G1.Count(match), n.G2.Count(match); astray != 0 || all == 0 {
					t.Errorf("from %s: %d packets at g1 and %d at g2", from, astray, all)
				}
			}
			k.untilComplete(u)
		})
	}
}

// A prefix is delegated, and table main has a default route for it alone, as netifd and
// others put there. The uplink that learns the route has the prefix as a network, and
// follows when another prefix is delegated. There is no global address on the interface.
func TestLearnDelegated(t *testing.T) {
	x := behinds["ipv6"]
	n := tabletest.NewNetwork(t)
	host := n.AddBehind("lan", x.subnet, x.renumbered)
	n.Server.DelAddr("u2", "2001:db8:2::2/64")
	if err := n.AddRoute("2001:db8:2::1 dev u2"); err != nil {
		t.Fatal(err)
	}
	defaultFrom := func(subnet string) string {
		return "default from " + subnet + " via 2001:db8:2::1 dev u2 proto static metric 512"
	}
	if err := n.AddRoute(defaultFrom(x.subnet)); err != nil {
		t.Fatal(err)
	}
	u := maintain.Uplink{SourceRoutedUplink: n.Uplink2(x.Family), Learn: route.IPv6}
	u.Gateway, u.Unreachable = netip.Addr{}, true
	k := newKeeper(n, maintain.Config{}, u)
	has := func(subnet string) bool { return strings.Contains(n.Table(20), "from "+subnet+" lookup 20") }
	k.until("the prefix is a network of the uplink", func() bool { return has(x.subnet) })
	wantBy(n, host, x.host, x.Client, 2)
	if installed, err := u.Resolve(t.Context(), n.Conn); err != nil {
		t.Error(err)
	} else if p, err := installed.Plan(t.Context(), n.Conn); err != nil || !p.Empty() {
		t.Errorf("Install would do more: %v\n%s", err, p)
	}
	if err := n.AddRoute(defaultFrom(x.renumbered)); err != nil {
		t.Fatal(err)
	}
	if err := n.DeleteRoute(defaultFrom(x.subnet)); err != nil {
		t.Fatal(err)
	}
	k.until("the new prefix, and no longer the old one", func() bool { return has(x.renumbered) && !has(x.subnet) })
	wantBy(n, host, x.hostThen, x.Client, 2)
	wantBy(n, host, x.host, x.Client, 1)
}

// Networks behind the server stay with their uplink while the link is down, when the
// uplink is unhealthy, and after a restart.
func TestNetworksStay(t *testing.T) {
	for name, x := range behinds {
		t.Run(name, func(t *testing.T) {
			n := tabletest.NewNetwork(t)
			n.Server.Sysctl("net.ipv6.conf.u2.keep_addr_on_down", "1")
			host := n.AddBehind("lan", x.subnet)
			u := alsoMarked(n, x.Family)
			u.SourceInterfaces = []string{"lan"}
			p := probed(u, tcpTo(x.Family, 81))
			p.Health.Withdraw, p.Health.WithdrawMarked = true, true
			k := newKeeper(n, maintain.Config{}, p)
			from := k.awaitKind(0, maintain.EventUnhealthy)
			k.until("the mark is withdrawn", func() bool { return !strings.Contains(n.Table(20), "fwmark") })
			wantMarked(n, x.Family, "unhealthy", 1)
			wantBy(n, host, x.host, x.Client, 2)
			n.Server.Down("u2")
			from = k.awaitKind(from, maintain.EventPending)
			if got := n.Table(20); !strings.Contains(got, "from "+x.subnet+" lookup 20") {
				t.Errorf("while the link is down:\n%s", got)
			}
			n.Server.Up("u2")
			k.awaitKind(from, maintain.EventInstalled)
			wantBy(n, host, x.host, x.Client, 2)
			k.stop()
			p.Health = nil
			k = newKeeper(n, maintain.Config{}, p)
			wantBy(n, host, x.host, x.Client, 2)
			k.untilComplete(u)
		})
	}
}

// A network that another uplink declares is not followed: the uplink is refused for what
// Install refuses it for, until the network is gone.
func TestFollowedNetworkOverlaps(t *testing.T) {
	x := behinds["ipv6"]
	n := tabletest.NewNetwork(t)
	n.AddBehind("lan", x.subnet)
	u1, u2 := n.Uplink1(x.Family), n.Uplink2(x.Family)
	u1.SourcePrefixes = []netip.Prefix{netip.MustParsePrefix(x.prefix)}
	u2.SourceInterfaces = []string{"lan"}
	want := x.subnet + " and " + x.prefix + " of uplink lan1 overlap"
	k := startKeeper(n, func() (route.Conn, error) { return route.Dial(n.Server.Config()) }, maintain.Config{}, maintained(u1, u2)...)
	from := k.await(0, "failed", func(e maintain.Event) bool {
		return e.Kind == maintain.EventFailed && strings.Contains(e.Err.Error(), want)
	})
	if err := table.Install(t.Context(), n.Conn, u1, u2); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("Install: %v, want %s", err, want)
	}
	n.Server.DelAddr("lan", inSubnet(x.subnet, 1))
	k.await(from, "installed", func(e maintain.Event) bool { return e.Kind == maintain.EventInstalled && e.Uplink == "lan2" })
	// Two that declare the same are refused before anything is done.
	u1.SourcePrefixes, u1.SourceInterfaces = nil, []string{"lan"}
	err := maintain.Run(t.Context(), func() (route.Conn, error) { return route.Dial(n.Server.Config()) }, nil, maintained(u1, u2)...)
	if err == nil || !strings.Contains(err.Error(), "lan also belongs to uplink lan1") {
		t.Errorf("both follow lan: %v", err)
	}
}

// An interface has no global address, and a prefix has been delegated: probes are sent from
// the server's address in the prefix.
func TestDelegatedOnlyProbes(t *testing.T) {
	x := behinds["ipv6"]
	n := tabletest.NewNetwork(t)
	n.AddBehind("lan", x.subnet)
	n.Server.DelAddr("u2", "2001:db8:2::2/64")
	u := n.Uplink2(x.Family)
	u.OnLink, u.SourceInterfaces = true, []string{"lan"}
	k := newKeeper(n, maintain.Config{}, probed(u, tcpTo(x.Family, 81)))
	k.awaitKind(0, maintain.EventUnhealthy)
	own := tabletest.NumberedAddr(netip.MustParsePrefix(x.subnet), 1)
	match := func(p lab.Packet) bool { return !p.Out && p.Proto == 6 && p.Src.Addr() == own }
	if g1, g2 := n.G1.Count(match), n.G2.Count(match); g1 != 0 || g2 == 0 {
		t.Errorf("%d probes at g1 and %d at g2, want all at g2:\n%s", g1, g2, n.Kernel())
	}
}

// noSources returns the second uplink without sources, with rules for its interface and a
// mark.
func noSources(n *tabletest.Network, f tabletest.Family) table.SourceRoutedUplink {
	u := n.Uplink2(f)
	u.NoSources = true
	u.Also = []rule.Rule{{OIF: "u2"}, {FwMark: rule.FwMark(2)}}
	return u
}

// An uplink without sources is kept like others: its link goes down and comes up, and
// someone deletes what it has.
func TestNoSources(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		n.Server.Sysctl("net.ipv6.conf.u2.keep_addr_on_down", "1")
		u := noSources(n, f)
		wantMarked(n, f, "without the uplink", 1)
		k := newKeeper(n, maintain.Config{}, maintained(u)...)
		whole := n.Table(20)
		wantMarked(n, f, "with the uplink", 2)
		if strings.Contains(n.Kernel(), "from "+f.A2+" ") {
			t.Errorf("there is a rule from the address:\n%s", n.Kernel())
		}
		n.Server.Down("u2")
		from := k.awaitKind(0, maintain.EventPending)
		n.Server.Up("u2")
		k.awaitKind(from, maintain.EventInstalled)
		k.untilTable("after the link", whole)
		n.Remove(u)
		k.untilTable("after someone has deleted all", whole)
		wantMarked(n, f, "repaired", 2)
		k.stop()
		k = newKeeper(n, maintain.Config{Remove: true}, maintained(u)...)
		k.untilTable("after a restart", whole)
		k.stop()
		if got := n.Table(20); got != "" {
			t.Errorf("it was not removed:\n%s", got)
		}
	})
}

const tcpSYN = 2 // of the flags of a TCP header

// Probes of an uplink without sources take it by the interface or by the mark. The rule
// that they need stays when the uplink is unhealthy, and the others go.
func TestNoSourcesProbes(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		u := noSources(n, f)
		p := probed(u, tcpTo(f, 81))
		p.Health.Withdraw, p.Health.WithdrawMarked = true, true
		k := newKeeper(n, maintain.Config{}, p)
		from := k.awaitKind(0, maintain.EventUnhealthy)
		k.until("the mark is withdrawn", func() bool {
			return !strings.Contains(n.Table(20), "fwmark") && strings.Contains(n.Table(20), "oif u2")
		})
		wantMarked(n, f, "unhealthy", 1)
		tabletest.Serve(t, n.Net, f.TCP, netip.AddrPortFrom(netip.MustParseAddr(f.Client), 81).String())
		k.awaitKind(from, maintain.EventHealthy)
		k.until("the mark is back", func() bool { return strings.Contains(n.Table(20), "fwmark") })
		wantMarked(n, f, "healthy", 2)
		// The packets that open connections: what the kernel sends for a socket that is
		// closed has neither the mark nor the interface.
		probes := func(pkt lab.Packet) bool {
			return !pkt.Out && pkt.Proto == 6 && pkt.Dst.Port() == 81 && pkt.TCPFlags == tcpSYN
		}
		if g1, g2 := n.G1.Count(probes), n.G2.Count(probes); g1 != 0 || g2 == 0 {
			t.Errorf("%d packets of probes at g1 and %d at g2", g1, g2)
		}
		k.stop()

		u.Also = u.Also[1:] // the mark alone
		n.G1.Reset()
		n.G2.Reset()
		k = newKeeper(n, maintain.Config{}, probed(u, tcpTo(f, 81)))
		k.awaitKind(0, maintain.EventHealthy)
		if g1, g2 := n.G1.Count(probes), n.G2.Count(probes); g1 != 0 || g2 == 0 {
			t.Errorf("by the mark: %d packets of probes at g1 and %d at g2", g1, g2)
		}
	})
}

// A Health whose probes would not take an uplink without sources is refused.
func TestNoSourcesProbesRefused(t *testing.T) {
	client := health.Probe{Echo: []netip.Addr{netip.MustParseAddr("198.51.100.10")}}
	for _, c := range []struct {
		also     []rule.Rule
		mark     uint32
		withdraw bool
		want     string // empty: it can be
	}{
		{also: []rule.Rule{{OIF: "u2"}}, withdraw: true},
		{also: []rule.Rule{{FwMark: rule.FwMark(2)}}},
		{also: []rule.Rule{{FwMark: rule.FwMark(2)}, {FwMark: rule.FwMark(3)}}, mark: 3, withdraw: true},
		{also: []rule.Rule{{FwMark: rule.FwMark(2)}}, withdraw: true, want: "WithdrawMarked would withdraw the rule by a mark"},
		{also: []rule.Rule{{FwMark: rule.FwMark(2)}}, mark: 3, want: "no rule sends probes through"},
		{also: []rule.Rule{{OIF: "u1"}}, want: "no rule sends probes through"},
		{also: []rule.Rule{{OIF: "u2", DPort: rule.Port(25)}}, want: "oif u2"},
		{also: []rule.Rule{{Family: 10, OIF: "u2"}}, want: "no rule sends probes through"},
	} {
		h := client
		h.Mark, h.Withdraw, h.WithdrawMarked = c.mark, c.withdraw, c.withdraw
		u := maintain.Uplink{Health: &h, SourceRoutedUplink: table.SourceRoutedUplink{
			Table: 20, Interface: "u2", NoSources: true, Also: append(c.also, rule.Rule{Family: 2, DPort: rule.Port(25)}),
		}}
		err := u.Validate()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%v, mark %d, withdraw %v: %v, want %q", c.also, c.mark, c.withdraw, err, c.want)
		}
	}
}

package maintain_test

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/maintain"
)

// pointToPoint makes an interface without gateways: a tun device, or on a machine that keeps
// those for itself a wire without ARP. It returns a function that deletes it.
func pointToPoint(n *tabletest.Network, name string) (hangUp func()) {
	n.T.Helper()
	if f, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0); err == nil {
		f.Close()
		if _, err := n.Server.TUN(name); err != nil {
			n.T.Fatal(err)
		}
		return func() { n.Server.DeleteLink(name) }
	}
	n.Server.Link(name, n.Net, "far-"+name)
	n.Server.NoARP(name)
	return func() { n.Server.DeleteLink(name) }
}

// A point-to-point link hangs up and comes back, with another index and other addresses. Both
// families of it have a default route without a gateway.
func TestLearnPointToPoint(t *testing.T) {
	n := tabletest.NewNetwork(t)
	dsl := table.SourceRoutedUplink{Name: "dsl", Table: 20, Interface: "ppp0", Etc: n.Etc, Unreachable: true}
	k := newKeeper(n, maintain.Config{}, maintain.Uplink{SourceRoutedUplink: dsl, Learn: route.IPv4},
		maintain.Uplink{SourceRoutedUplink: dsl, Learn: route.IPv6})
	indexes := make(map[uint32]bool)
	for _, a := range [][2]string{{"203.0.113.7", "2001:db8:7::5"}, {"203.0.113.99", "2001:db8:99::5"}} {
		hangUp := pointToPoint(n, "ppp0")
		n.Server.Addr("ppp0", a[0]+"/32", a[1]+"/128")
		addRoutes(n, "default dev ppp0 metric 700", "-6 default dev ppp0 metric 7000")
		k.untilText("the table", "default dev ppp0 src "+a[1]+" metric 1024\ndefault dev ppp0 src "+a[0],
			func() string { return defaults(n) })
		for _, src := range a {
			k.until("the rules", func() bool { return strings.Contains(n.Kernel(), "from "+src+" lookup 20") })
		}
		indexes[n.Server.Index("ppp0")] = true
		hangUp()
		k.until("the routes are gone", func() bool { return defaults(n) == "" })
	}
	if len(indexes) != 2 {
		t.Error("the interface has the index of the one before it: the test proves nothing")
	}
	k.until("of the first address nothing is left, and the last one has its rules", func() bool {
		all := n.Kernel()
		return !strings.Contains(all, "203.0.113.7 ") && strings.Contains(all, "from 203.0.113.99 unreachable")
	})
}

// A lease gives another address in another subnet, with another gateway.
func TestLearnOtherSubnet(t *testing.T) {
	n := tabletest.NewNetwork(t)
	addRoutes(n, "default via 10.2.0.1 dev u2 src 10.2.0.2 metric 100 proto dhcp")
	k := newKeeper(n, maintain.Config{}, learner(n, route.IPv4))
	k.untilText("the first lease", "default via 10.2.0.1 dev u2 src 10.2.0.2", func() string { return defaults(n) })
	n.Server.DelAddr("u2", "10.2.0.2/24")
	n.Server.Addr("u2", "10.77.0.5/24")
	k.await(0, "pending", func(e maintain.Event) bool {
		return e.Kind == maintain.EventPending && strings.Contains(e.Reason, "10.2.0.1 is in no subnet of u2")
	})
	addRoutes(n, "default via 10.77.0.1 dev u2 src 10.77.0.5 metric 100 proto dhcp")
	k.untilText("the second lease", "default via 10.77.0.1 dev u2 src 10.77.0.5", func() string { return defaults(n) })
	k.until("the rules are those of the second lease", func() bool {
		all := n.Kernel()
		return strings.Contains(all, "from 10.77.0.5 lookup 20") && !strings.Contains(all, "from 10.2.0.2")
	})
}

// The first address of the interface is for the modem's own pages. Packets of the uplink,
// and probes, have the address in the gateway's subnet.
func TestModemAddress(t *testing.T) {
	for name, x := range map[string]struct {
		f      tabletest.Family
		addrs  []string
		router string
		want   string
	}{
		"ipv4": {tabletest.IPv4, []string{"192.168.100.2/24", "203.0.113.5/24"}, "203.0.113.1/24", "203.0.113.5"},
		// The kernel lists the newest first.
		"ipv6": {tabletest.IPv6, []string{"2001:db8:113::5/64", "fd00:100::2/64"}, "2001:db8:113::1/64", "2001:db8:113::5"},
	} {
		t.Run(name, func(t *testing.T) {
			n := tabletest.NewNetwork(t)
			n.Server.DelAddr("u2", "10.2.0.2/24", "2001:db8:2::2/64")
			n.Server.Addr("u2", x.addrs...)
			n.Net.Addr("g2", x.router)
			tabletest.Serve(t, n.Net, x.f.TCP, net.JoinHostPort(x.f.Client, "80"))
			gateway, _, _ := strings.Cut(x.router, "/")
			addRoutes(n, "default via "+gateway+" dev u2 metric 7000")
			u := learner(n, route.FamilyOf(netip.MustParseAddr(gateway)))
			u.Health = quick(tcpTo(x.f, 80))
			k := newKeeper(n, maintain.Config{}, u)
			k.until("the default route", func() bool {
				return strings.HasPrefix(defaults(n), "default via "+gateway+" dev u2 src "+x.want)
			})
			k.awaitKind(0, maintain.EventHealthy)
			n.WantRouter(x.want, 2)
		})
	}
}

// setAddress adds or changes an IPv6 address, with flags and a preferred lifetime in
// seconds.
func setAddress(n *tabletest.Network, dev, prefix string, flags, preferred uint32) {
	n.T.Helper()
	p := netip.MustParsePrefix(prefix)
	b := binary.NativeEndian.AppendUint32([]byte{uapi.AF_INET6, byte(p.Bits()), 0, 0}, n.Server.Index(dev))
	b = attr.Append(b, uapi.IFA_ADDRESS, p.Addr().AsSlice())
	b = attr.Append(b, uapi.IFA_FLAGS, binary.NativeEndian.AppendUint32(nil, flags|uapi.IFA_F_NODAD))
	lifetimes := binary.NativeEndian.AppendUint32(nil, preferred)
	lifetimes = binary.NativeEndian.AppendUint32(lifetimes, 7200) // valid
	b = attr.Append(b, uapi.IFA_CACHEINFO, append(lifetimes, make([]byte, 8)...))
	_, err := n.Conn.Execute(netlink.Message{
		Header: netlink.Header{
			Type: uapi.RTM_NEWADDR, Flags: netlink.Request | netlink.Acknowledge | netlink.Create | netlink.Replace,
		},
		Data: b,
	})
	if err != nil {
		n.T.Fatal(err)
	}
}

// In IPv6 the kernel chooses among addresses that may be right, and never among those that
// are deprecated. If only one is left, it is that one. Probes come from a global address
// that is neither deprecated nor temporary.
func TestIPv6Addresses(t *testing.T) {
	n := tabletest.NewNetwork(t)
	f := tabletest.IPv6
	n.Server.DelAddr("u2", "2001:db8:2::2/64")
	n.Server.Sysctl("net.ipv6.conf.u2.use_tempaddr", "2")
	n.Net.Addr("g2", "fe80::1/64", "2001:db8:5::1/64")
	tabletest.Serve(t, n.Net, f.TCP, net.JoinHostPort(f.Client, "80"))
	addRoutes(n, "default via fe80::1 dev u2 metric 7000")
	setAddress(n, "u2", "2001:db8:5::5/64", 0, 3600)
	u := learner(n, route.IPv6)
	u.Health = quick(tcpTo(f, 80))
	k := newKeeper(n, maintain.Config{}, u)
	want := func(what, src string) {
		t.Helper()
		k.untilText(what, "default via fe80::1 dev u2 "+src+"metric 1024", func() string { return defaults(n) })
	}
	want("one address", "src 2001:db8:5::5 ")
	// What comes is listed before it.
	setAddress(n, "u2", "2001:db8:5::dead/64", 0, 0)
	k.until("a deprecated one has its rule", func() bool { return strings.Contains(n.Kernel(), "from 2001:db8:5::dead lookup 20") })
	want("one, and a deprecated one", "src 2001:db8:5::5 ")
	setAddress(n, "u2", "fd00:5::5/64", 0, 3600)
	want("two", "")
	setAddress(n, "u2", "2001:db8:5::7/64", uapi.IFA_F_MANAGETEMPADDR, 3600)
	k.until("a temporary one has its rule", func() bool { return strings.Count(n.Table(20), "lookup 20") == 5 })
	from := len(k.log())
	n.G2.Reset()
	k.until("probes", func() bool { _, by := n.TCPFrom("2001:db8:5::7"); return by > 0 })
	for _, src := range []string{"2001:db8:5::dead", "fd00:5::5"} {
		if _, by := n.TCPFrom(src); by > 0 {
			t.Errorf("probes come from %s", src)
		}
	}
	for _, e := range k.log()[from:] {
		if e.Kind == maintain.EventUnhealthy {
			t.Errorf("%v", e)
		}
	}
	setAddress(n, "u2", "2001:db8:5::5/64", 0, 0)
	setAddress(n, "u2", "fd00:5::5/64", 0, 0)
	k.until("the kernel does not choose a deprecated one", func() bool {
		r, err := route.Lookup(t.Context(), n.Conn, route.Query{Dst: netip.MustParseAddr(f.Client), OIF: n.Server.Index("u2")})
		return err == nil && r.PrefSrc != netip.MustParseAddr("2001:db8:5::5") && !r.PrefSrc.IsPrivate()
	})
}

// advertise sends a router advertisement from an address of g2, with a preference as in the
// flags of RFC 4191.
func advertise(n *tabletest.Network, from string, preference byte, lifetime uint16) {
	n.T.Helper()
	message := []byte{134, 0, 0, 0, 64, preference, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	binary.BigEndian.PutUint16(message[6:], lifetime)
	err := n.Net.Do(func() error {
		s, err := syscall.Socket(syscall.AF_INET6, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.IPPROTO_ICMPV6)
		if err != nil {
			return err
		}
		defer syscall.Close(s)
		index := n.Net.Index("g2")
		const maxHops = 255 // others are forgeries
		err = syscall.SetsockoptInt(s, syscall.IPPROTO_IPV6, syscall.IPV6_MULTICAST_HOPS, maxHops)
		if err == nil {
			err = syscall.SetsockoptInt(s, syscall.IPPROTO_IPV6, syscall.IPV6_MULTICAST_IF, int(index))
		}
		if err == nil {
			err = syscall.Bind(s, &syscall.SockaddrInet6{Addr: netip.MustParseAddr(from).As16(), ZoneId: index})
		}
		if err != nil {
			return err
		}
		return syscall.Sendto(s, message, 0, &syscall.SockaddrInet6{Addr: netip.MustParseAddr("ff02::1").As16(), ZoneId: index})
	})
	if err != nil {
		n.T.Fatal(err)
	}
}

// Of two routers that announce themselves, the one with the higher preference comes first.
// Both routes have the same metric in main, where they are not one route by two gateways.
func TestRouterPreference(t *testing.T) {
	n := tabletest.NewNetwork(t)
	n.Net.Addr("g2", "fe80::a/64", "fe80::b/64")
	n.Server.Sysctl("net.ipv6.conf.u2.accept_ra", "2")
	const low, high = 0x18, 0x08
	k := newKeeper(n, maintain.Config{}, learner(n, route.IPv6))
	advertise(n, "fe80::a", low, 1800)
	k.untilText("the first router", "default via fe80::a dev u2 src 2001:db8:2::2 metric 1024 pref low hoplimit 64",
		func() string { return defaults(n) })
	advertise(n, "fe80::b", high, 1800)
	k.untilText("two routers", "default via fe80::a dev u2 src 2001:db8:2::2 metric 1025 pref low hoplimit 64\n"+
		"default via fe80::b dev u2 src 2001:db8:2::2 metric 1024 pref high hoplimit 64",
		func() string { return defaults(n) })
	advertise(n, "fe80::b", high, 0)
	k.untilText("the better one goes", "default via fe80::a dev u2 src 2001:db8:2::2 metric 1024 pref low hoplimit 64",
		func() string { return defaults(n) })
}

// Default routes are learned from another table than main, and followed there.
func TestLearnTable(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		u := learner(n, route.FamilyOf(netip.MustParseAddr(f.A2)))
		u.LearnTable = 100
		addRoutes(n, "default via "+f.G2+"9 dev u2 metric 7000") // in main
		k := newKeeper(n, maintain.Config{}, u)
		k.await(0, "pending", func(e maintain.Event) bool { return strings.Contains(e.Reason, "table 100 has no") })
		elsewhere := u
		elsewhere.Table = 0
		if _, err := elsewhere.Resolve(t.Context(), n.Conn); err == nil ||
			!strings.Contains(err.Error(), "if 100 is to be the uplink's own table, write it before learn") {
			t.Errorf("without a table of its own: %v", err)
		}
		for _, gateway := range []string{f.G2, f.G2 + "7"} {
			addRoutes(n, "default via "+gateway+" dev u2 table 100")
			k.until("it is learned", func() bool { return strings.HasPrefix(defaults(n), "default via "+gateway+" dev u2") })
			deleteRoutes(n, "default via "+gateway+" dev u2 table 100")
		}
		u.Table = 100
		if err := u.Validate(); err == nil || !strings.Contains(err.Error(), "LearnTable: 100 is the uplink's own table") {
			t.Errorf("learning from its own table: %v", err)
		}
	})
}

// An uplink by a point-to-point link without a gateway has its share of the IPv6 default
// route, beside another one.
func TestSharedDefaultPointToPoint(t *testing.T) {
	n := tabletest.NewNetwork(t)
	deleteDefault(n, tabletest.IPv6)
	pointToPoint(n, "ppp0")
	n.Server.Addr("ppp0", "2001:db8:8::2/128", "fe80::1/64")
	ppp := maintain.Uplink{Weight: 2, SourceRoutedUplink: table.SourceRoutedUplink{
		Table: 8, Interface: "ppp0", Family: route.IPv6, Etc: n.Etc,
	}}
	k := newKeeper(n, maintain.Config{Default: new(maintain.Default)}, ppp, weighted(maintained(n.Uplink2(tabletest.IPv6))[0], 1))
	// Its own address is fe80::1.
	k.awaitDefault(tabletest.IPv6, "both", over("via fe80::2 dev ppp0 weight 2", "via 2001:db8:2::1 dev u2 weight 1"))
	by := make(map[uint32]int)
	for i := range 64 {
		dst := netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 0x99, 15: byte(i)})
		r, err := route.Lookup(t.Context(), n.Conn, route.Query{Dst: dst})
		if err != nil {
			t.Fatal(err)
		}
		by[r.OIF]++
	}
	if by[n.Server.Index("ppp0")] == 0 || by[n.Server.Index("u2")] == 0 {
		t.Errorf("packets by interface: %v", by)
	}
}

// The shared default has the next hops of an uplink by several gateways, which share its
// weight, and what all default routes say of the size of packets.
func TestSharedDefaultSeveral(t *testing.T) {
	n := tabletest.NewNetwork(t)
	deleteDefault(n, tabletest.IPv4)
	addRoutes(n, "default metric 900 mtu 1400 nexthop via 10.2.0.1 dev u2 weight 2 nexthop via 10.2.0.9 dev u2 weight 1")
	two := learner(n, route.IPv4)
	two.Weight = 1
	one := n.Uplink1(tabletest.IPv4)
	one.Defaults = []route.Route{{Gateway: one.Gateway, Metrics: &route.Metrics{MTU: 1300}}}
	one.Gateway = netip.Addr{}
	k := newKeeper(n, maintain.Config{Default: new(maintain.Default)}, weighted(maintained(one)[0], 2), two)
	k.awaitDefault(tabletest.IPv4, "both", strings.Join([]string{
		"default proto 210 metric 50 mtu 1300 nexthop via 10.1.0.1 dev u1 weight 6 " +
			"nexthop via 10.2.0.1 dev u2 weight 2 nexthop via 10.2.0.9 dev u2",
		"default via 10.1.0.1 dev u1 proto 210 metric 51 mtu 1300",
		"default proto 210 metric 52 mtu 1400 nexthop via 10.2.0.1 dev u2 weight 2 nexthop via 10.2.0.9 dev u2",
	}, "\n"))
}

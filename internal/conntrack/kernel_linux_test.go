package conntrack_test

import (
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/conntrack"
	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/internal/nft"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// A network is a gateway between a LAN and two providers, whose interfaces are wan1 and
// wan2. It translates the source of what it forwards.
type network struct {
	client, gateway *lab.NS
	isps            [2]*lab.NS
	c               *rtnl.Conn
}

// addresses of the gateway at its providers, and of the providers.
var (
	own = [2][2]string{{"10.1.0.2", "2001:db8:1::2"}, {"10.2.0.2", "2001:db8:2::2"}}
	isp = [2][2]string{{"10.1.0.1", "2001:db8:1::1"}, {"10.2.0.1", "2001:db8:2::1"}}
	lan = [2]string{"192.168.7.2", "2001:db8:7::2"}
)

// markOf is what mark the gateway gives connections, by their provider.
var markOf = [2]uint32{0x0100, 0x0200}

func newNetwork(t *testing.T) *network {
	t.Helper()
	l := lab.Test(t)
	n := &network{client: l.NS("client"), gateway: l.NS("gateway"), isps: [2]*lab.NS{l.NS("isp1"), l.NS("isp2")}}
	n.client.Link("eth0", n.gateway, "lan")
	n.client.Addr("eth0", lan[0]+"/24", lan[1]+"/64")
	n.gateway.Addr("lan", "192.168.7.1/24", "2001:db8:7::1/64")
	n.gateway.Sysctl("net.ipv4.ip_forward", "1")
	n.gateway.Sysctl("net.ipv6.conf.all.forwarding", "1")
	for i, name := range []string{"wan1", "wan2"} {
		n.gateway.Link(name, n.isps[i], "eth0")
		n.gateway.Addr(name, own[i][0]+"/24", own[i][1]+"/64")
		n.isps[i].Addr("eth0", isp[i][0]+"/24", isp[i][1]+"/64")
	}
	addDefaults(t, n.client)
	var err error
	if n.c, err = nft.Dial(n.gateway.Config()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.c.Close() })
	n.translate(t)
	return n
}

// translate has the gateway mark connections by their provider, and translate their source
// unless it is its own.
func (n *network) translate(t *testing.T) {
	t.Helper()
	const table = "nat"
	var b nft.Batch
	b.AddTable(nft.Table{Family: nft.Inet, Name: table})
	b.AddChain(nft.Chain{Family: nft.Inet, Table: table, Name: "post", Base: true, Type: nft.TypeNAT,
		Hook: nft.Hook{Number: nft.Postrouting, Priority: nft.PrioritySrcNAT}})
	b.AddChain(nft.Chain{Family: nft.Inet, Table: table, Name: "mark", Base: true, Type: nft.TypeFilter,
		Hook: nft.Hook{Number: nft.Postrouting, Priority: nft.PriorityFilter}})
	for i, name := range []string{"wan1", "wan2"} {
		out := []nft.Expr{nft.Meta{Key: nft.MetaOIFName, Dest: nft.Reg1}, nft.Cmp{Source: nft.Reg1, Data: nft.IfName(name)}}
		b.AddRule(nft.Rule{Family: nft.Inet, Table: table, Chain: "post", Exprs: append(slices.Clone(out), nft.Masq{})})
		b.AddRule(nft.Rule{Family: nft.Inet, Table: table, Chain: "mark", Exprs: append(slices.Clone(out),
			nft.Immediate{Dest: nft.Reg1, Data: nft.Host32(markOf[i])}, nft.CT{Key: nft.CTMark, Source: nft.Reg1})})
	}
	if err := nft.Commit(t.Context(), n.c, &b); err != nil {
		t.Fatal(err)
	}
}

// exchange has a client send a UDP packet and the provider answer it.
func exchange(t *testing.T, from, to *lab.NS, server string) {
	t.Helper()
	listener, err := to.ListenPacket("udp", net.JoinHostPort(server, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	conn, err := from.Dial(t.Context(), "udp", "", listener.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	buf := make([]byte, 10)
	deadline := time.Now().Add(20 * time.Second)
	for _, c := range []interface{ SetDeadline(time.Time) error }{listener, conn} {
		if err := c.SetDeadline(deadline); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := conn.Write([]byte("query")); err != nil {
		t.Fatal(err)
	}
	_, peer, err := listener.ReadFrom(buf)
	if err == nil {
		_, err = listener.WriteTo([]byte("answer"), peer)
	}
	if err == nil {
		_, err = conn.Read(buf)
	}
	if err != nil {
		t.Fatalf("%s asks %s: %v", from, server, err)
	}
}

// echo has a client send an ICMP echo request and get the reply.
func echo(t *testing.T, from *lab.NS, to string) {
	t.Helper()
	network, request := "ip4:icmp", []byte{8, 0, 0, 0, 0x12, 0x34, 0, 1}
	if netip.MustParseAddr(to).Is6() {
		network, request[0] = "ip6:ipv6-icmp", 128 // the kernel fills in the checksum
	} else {
		sum := ^(uint16(8)<<8 + 0x1234 + 1)
		request[2], request[3] = byte(sum>>8), byte(sum)
	}
	conn, err := from.Dial(t.Context(), network, "", to)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	err = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if err == nil {
		_, err = conn.Write(request)
	}
	if err == nil {
		_, err = conn.Read(make([]byte, 100))
	}
	if err != nil {
		t.Fatalf("%s sends an echo request to %s: %v", from, to, err)
	}
}

// tcp has a client open a connection, which stays open until the end of the test.
func tcp(t *testing.T, from, to *lab.NS, server string) {
	t.Helper()
	l, err := to.Listen("tcp", net.JoinHostPort(server, "0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	conn, err := from.Dial(t.Context(), "tcp", "", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
}

// addDefaults adds the client's default routes.
func addDefaults(t *testing.T, client *lab.NS) {
	t.Helper()
	c, err := route.Dial(client.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, gateway := range []string{"192.168.7.1", "2001:db8:7::1"} {
		gw := netip.MustParseAddr(gateway)
		r := route.Route{Dst: netip.PrefixFrom(netip.IPv4Unspecified(), 0), Gateway: gw}
		if gw.Is6() {
			r.Dst = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
		if err := route.Add(t.Context(), c, r); err != nil {
			t.Fatal(err)
		}
	}
}

func list(t *testing.T, c conntrack.Conn, f conntrack.Filter) []conntrack.Entry {
	t.Helper()
	entries, err := conntrack.List(t.Context(), c, f)
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

func prefix(addr string) netip.Prefix {
	a := netip.MustParseAddr(addr)
	return netip.PrefixFrom(a, a.BitLen())
}

// Of an uplink that is dead, just the connections with a translated source are deleted: not
// those of the gateway itself, nor those of the other uplink.
func TestKernelDeleteTranslated(t *testing.T) {
	for family, name := range []string{"IPv4", "IPv6"} {
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t)
			for i := range isp {
				exchange(t, n.client, n.isps[i], isp[i][family])
				exchange(t, n.client, n.isps[i], isp[i][family])
				exchange(t, n.gateway, n.isps[i], isp[i][family])
			}
			of := conntrack.Family([]uint8{uapi.NFPROTO_IPV4, uapi.NFPROTO_IPV6}[family])
			udp := conntrack.TupleFilter{Proto: uapi.IPPROTO_UDP}
			if got := list(t, n.c, conntrack.Filter{Family: of, Original: udp}); len(got) != 6 {
				t.Fatalf("%d entries: %v", len(got), got)
			}
			dead := conntrack.Filter{
				Status: conntrack.SourceTranslated,
				Reply:  conntrack.TupleFilter{Dest: prefix(own[0][family])},
			}
			for _, e := range list(t, n.c, dead) {
				if e.Original.Source != netip.MustParseAddr(lan[family]) || e.Reply.Dest != netip.MustParseAddr(own[0][family]) ||
					e.Original.Dest != netip.MustParseAddr(isp[0][family]) || e.Reply.Source != e.Original.Dest ||
					e.Original.DestPort == 0 || e.Reply.SourcePort != e.Original.DestPort || e.Original.Proto != uapi.IPPROTO_UDP ||
					e.Status&conntrack.SeenReply == 0 || e.Mark != markOf[0] || e.ID == 0 || e.Timeout == 0 || e.Family != of {
					t.Errorf("entry %+v", e)
				}
			}
			deleted, err := conntrack.DeleteAll(t.Context(), n.c, dead)
			if err != nil || deleted != 2 {
				t.Errorf("%d deleted, %v", deleted, err)
			}
			left := list(t, n.c, conntrack.Filter{Family: of, Original: udp})
			translated := 0
			for _, e := range left {
				if e.Status&conntrack.SourceTranslated != 0 {
					translated++
				}
				if dead.Match(&e) {
					t.Errorf("still there: %+v", e)
				}
			}
			if len(left) != 4 || translated != 2 {
				t.Errorf("left: %v", left)
			}
			if deleted, err := conntrack.DeleteAll(t.Context(), n.c, dead); deleted != 0 || err != nil {
				t.Errorf("again: %d deleted, %v", deleted, err)
			}
			exchange(t, n.client, n.isps[0], isp[0][family])
		})
	}
}

// Each part of a filter selects.
func TestKernelFilter(t *testing.T) {
	n := newNetwork(t)
	for family := range lan {
		for i := range isp {
			exchange(t, n.client, n.isps[i], isp[i][family])
		}
	}
	echo(t, n.client, isp[0][0])
	zone := func(zone uint16) conntrack.Filter { return conntrack.Filter{Zone: zone, HasZone: true} }
	udp := conntrack.TupleFilter{Proto: uapi.IPPROTO_UDP}
	for what, tt := range map[string]struct {
		f    conntrack.Filter
		want int
	}{
		"udp":               {conntrack.Filter{Original: udp}, 4},
		"udp of the answer": {conntrack.Filter{Reply: udp}, 4},
		"icmp":              {conntrack.Filter{Original: conntrack.TupleFilter{Proto: uapi.IPPROTO_ICMP}}, 1},
		"IPv6":              {conntrack.Filter{Family: conntrack.IPv6, Original: udp}, 2},
		"source":            {conntrack.Filter{Original: conntrack.TupleFilter{Source: netip.MustParsePrefix("192.168.0.0/16")}}, 3},
		"destination":       {conntrack.Filter{Original: conntrack.TupleFilter{Dest: prefix(isp[1][0])}}, 1},
		"source of answers": {conntrack.Filter{Reply: conntrack.TupleFilter{Source: prefix(isp[0][1]), Proto: uapi.IPPROTO_UDP}}, 1},
		"mark":              {conntrack.Filter{Original: udp, Mark: markOf[1], MarkMask: 0xffffffff}, 2},
		"mark in a mask":    {conntrack.Filter{Original: udp, Mark: 0xffff, MarkMask: 0x0100}, 2},
		"another mark":      {conntrack.Filter{Original: udp, Mark: 1, MarkMask: 1}, 0},
		"no mark":           {conntrack.Filter{Original: udp, MarkMask: 0x0300}, 0},
		"status":            {conntrack.Filter{Original: udp, Status: conntrack.SourceTranslated | conntrack.SeenReply}, 4},
		"another status":    {conntrack.Filter{Original: udp, Status: conntrack.DestTranslated}, 0},
		"zone 0":            {zone(0), len(list(t, n.c, conntrack.Filter{}))},
		"zone 1":            {zone(1), 0},
	} {
		if got := list(t, n.c, tt.f); len(got) != tt.want {
			t.Errorf("%s: %d entries, want %d: %v", what, len(got), tt.want, got)
		}
	}
}

// An entry is deleted by its tuple, its zone and its ID.
func TestKernelDelete(t *testing.T) {
	n := newNetwork(t)
	exchange(t, n.client, n.isps[0], isp[0][0])
	exchange(t, n.client, n.isps[0], isp[0][1])
	echo(t, n.client, isp[0][0])
	echo(t, n.client, isp[0][1])
	tcp(t, n.client, n.isps[0], isp[0][0])
	entries := list(t, n.c, conntrack.Filter{Status: conntrack.SourceTranslated})
	if len(entries) != 5 {
		t.Fatalf("entries: %v", entries)
	}
	for _, e := range entries {
		for what, change := range map[string]func(*conntrack.Entry){
			"ID":          func(e *conntrack.Entry) { e.ID++ },
			"zone":        func(e *conntrack.Entry) { e.Zone = 1 },
			"source":      func(e *conntrack.Entry) { e.Original.Source = e.Original.Source.Next() },
			"protocol":    func(e *conntrack.Entry) { e.Original.Proto = uapi.IPPROTO_SCTP },
			"destination": func(e *conntrack.Entry) { e.Original.Dest = e.Original.Dest.Next() },
			"port or ID of ICMP": func(e *conntrack.Entry) {
				e.Original.SourcePort++
				e.Original.ICMP.ID++
			},
		} {
			other := e
			change(&other)
			if err := conntrack.Delete(t.Context(), n.c, other); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%v with another %s: %v", e, what, err)
			}
		}
		if err := conntrack.Delete(t.Context(), n.c, e); err != nil {
			t.Errorf("%v: %v", e, err)
		}
		if err := conntrack.Delete(t.Context(), n.c, e); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v, twice: %v", e, err)
		}
	}
	if left := list(t, n.c, conntrack.Filter{Status: conntrack.SourceTranslated}); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	// A request without addresses would delete all entries. It is not sent.
	exchange(t, n.client, n.isps[0], isp[0][0])
	before := len(list(t, n.c, conntrack.Filter{}))
	if err := conntrack.Delete(t.Context(), n.c, conntrack.Entry{Family: conntrack.IPv4}); err == nil || !rtnl.IsVerdict(err) {
		t.Errorf("without addresses: %v", err)
	}
	if after := len(list(t, n.c, conntrack.Filter{})); before == 0 || after < before {
		t.Errorf("%d entries, and %d afterwards", before, after)
	}
}

// Entries of a zone are told apart.
func TestKernelZone(t *testing.T) {
	n := newNetwork(t)
	var b nft.Batch
	b.AddTable(nft.Table{Family: nft.Inet, Name: "zone"})
	b.AddChain(nft.Chain{Family: nft.Inet, Table: "zone", Name: "pre", Base: true, Type: nft.TypeFilter,
		Hook: nft.Hook{Number: nft.Prerouting, Priority: nft.PriorityRaw}})
	b.AddRule(nft.Rule{Family: nft.Inet, Table: "zone", Chain: "pre", Exprs: []nft.Expr{
		nft.Immediate{Dest: nft.Reg1, Data: nft.Host16(7)}, nft.CT{Key: uapi.NFT_CT_ZONE, Source: nft.Reg1}}})
	if err := nft.Commit(t.Context(), n.c, &b); err != nil {
		t.Fatal(err)
	}
	exchange(t, n.client, n.isps[0], isp[0][0])
	of := conntrack.Filter{Zone: 7, HasZone: true, Original: conntrack.TupleFilter{Proto: uapi.IPPROTO_UDP}}
	entries := list(t, n.c, of)
	if len(entries) != 1 || entries[0].Zone != 7 {
		t.Fatalf("entries: %+v", entries)
	}
	if deleted, err := conntrack.DeleteAll(t.Context(), n.c, of); deleted != 1 || err != nil {
		t.Errorf("%d deleted, %v", deleted, err)
	}
}

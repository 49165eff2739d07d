package show_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/corpus"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/show"
	"github.com/policyroute/policyroute/rttables"
)

// What the kernel reports is shown as iproute2 showed it, as it came and in the
// form of List.
func TestCorpusRoutes(t *testing.T) {
	report := testrun.Limit(t)
	if !littleEndian {
		return // the payloads are of a little-endian machine; TestRoute is of any
	}
	names := routeNames(t)
	count := map[string]int{}
	for _, c := range readRoutes(t) {
		var routes []route.Route
		for _, payload := range c.Kernel {
			var r route.Route
			if err := r.UnmarshalBinary(payload); err != nil {
				t.Fatalf("%s: %v", c.Words(), err)
			}
			routes = append(routes, r)
		}
		if len(routes) == 0 {
			continue
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, c.JSON); err != nil {
			t.Fatal(err)
		}
		for _, form := range []struct {
			option string
			style  show.Style
			want   string
		}{
			{"show", show.Style{}, strings.Join(c.Show, "\n")},
			{"show -d", show.Style{Details: true}, strings.Join(c.ShowD, "\n")},
			{"show -o", show.Style{OneLine: true}, strings.ReplaceAll(strings.Join(c.Show, "\n"), "\n\t", "\\\t")},
			{"json", show.Style{JSON: true}, compact.String()},
		} {
			form.style.Names = names
			if got := show.Routes(routes, form.style); got != form.want+"\n" {
				report.Errorf("%s: %s\n got %q\nwant %q", c.Words(), form.option, got, form.want)
				continue
			}
			count[form.option]++
		}
	}
	t.Logf("kernel → %v cases", count)
	for _, n := range []string{"show", "show -d", "json"} {
		if count[n] < 256 {
			report.Errorf("%s: %d cases", n, count[n])
		}
	}
}

// raw is an attribute, for encapsulations without a struct.
func raw[A ~uint16 | ~int](num A, payload ...byte) string {
	return string(attr.Append(nil, uint16(num), payload))
}

// rawU32 is one of a host-order number.
func rawU32[A ~uint16 | ~int](num A, v uint32) string {
	return raw(num, binary.NativeEndian.AppendUint32(nil, v)...)
}

var (
	dst4      = netip.MustParsePrefix("10.0.0.0/8")
	addr6     = netip.MustParseAddr("2001:db8::1")
	srcBytes  = addr6.As16()
	ioamTrace = []byte{0x01, 0xf4, 0, 0x83, 0x01, 0, 0, 0} // remlen 3, and a bit that is not its
)

// encapsulated is a route with e.
func encapsulated(e route.Encap) route.Route {
	return route.Route{Family: route.IPv4, Type: route.TypeUnicast, Table: rttables.Main, Protocol: route.ProtoBoot, Dst: dst4, OIF: eth0, Encap: e}
}

// unusualRoutes are routes that neither the recorded cases nor the installed kernel
// and ip(8) have, and how the code of iproute2 7.1 shows them.
var unusualRoutes = []struct {
	route      route.Route
	style      show.Style
	text, json string // JSON without what all have
}{
	{encapsulated(route.EncapMPLS{Labels: route.MakeLabels(100, 200), TTL: route.Some[uint8](7)}), show.Style{},
		"10.0.0.0/8  encap mpls  100/200 ttl 7 dev eth0 ",
		`{"dst":"10.0.0.0/8","encap":{"encap_type":"mpls","dst":"100/200","ttl":7},"dev":"eth0","flags":[]}`},
	{encapsulated(route.EncapRaw{Kind: route.EncapTypeILA, Data: raw(uapi.ILA_ATTR_LOCATOR, 0, 1, 0, 2, 0, 0, 0xff, 0xff) +
		raw(uapi.ILA_ATTR_CSUM_MODE, 3) + raw(uapi.ILA_ATTR_IDENT_TYPE, 32) + raw(uapi.ILA_ATTR_HOOK_TYPE, 9)}), show.Style{},
		"10.0.0.0/8  encap ila  1:2:0:ffff  csum-mode neutral-map-auto  ident-type use-format  hook-type unknown dev eth0 ",
		`{"dst":"10.0.0.0/8","encap":{"encap_type":"ila","locator":"1:2:0:ffff","csum_mode":"neutral-map-auto",` +
			`"ident_type":"use-format","hook_type":"unknown"},"dev":"eth0","flags":[]}`},
	{encapsulated(route.EncapRaw{Kind: route.EncapTypeBPF, Data: raw(uapi.LWT_BPF_IN, []byte(raw(uapi.LWT_BPF_PROG_NAME, []byte("prog.o:[in]\x00")...))...) +
		raw(uapi.LWT_BPF_OUT) + rawU32(uapi.LWT_BPF_XMIT_HEADROOM, 14)}), show.Style{},
		"10.0.0.0/8  encap bpf in prog.o:[in] out  14 dev eth0 ",
		`{"dst":"10.0.0.0/8","encap":{"encap_type":"bpf","in":"prog.o:[in]","out":"<unknown>","headroom":14},"dev":"eth0","flags":[]}`},
	{encapsulated(route.EncapRaw{Kind: route.EncapTypeRPL, Data: raw(uapi.RPL_IPTUNNEL_SRH, append([]byte{0, 2, 3, 1, 0, 0, 0, 0}, srcBytes[:]...)...)}), show.Style{},
		"10.0.0.0/8  encap rpl segs 1 [ 2001:db8::1 ] dev eth0 ",
		`{"dst":"10.0.0.0/8","encap":{"encap_type":"rpl","segs":["2001:db8::1"]},"dev":"eth0","flags":[]}`},
	{encapsulated(route.EncapRaw{Kind: route.EncapTypeIOAM6, Data: raw(uapi.IOAM6_IPTUNNEL_MODE, 2) + raw(uapi.IOAM6_IPTUNNEL_DST, srcBytes[:]...) +
		raw(uapi.IOAM6_IPTUNNEL_TRACE, ioamTrace...) + rawU32(uapi.IOAM6_IPTUNNEL_FREQ_K, 2) + rawU32(uapi.IOAM6_IPTUNNEL_FREQ_N, 5)}), show.Style{},
		"10.0.0.0/8  encap ioam6 freq 2/5 mode encap tundst 2001:db8::1 trace prealloc type 0x010000 ns 500 size 12 dev eth0 ",
		`{"dst":"10.0.0.0/8","encap":{"encap_type":"ioam6","freqk":2,"freqn":5,"mode":"encap","tundst":"2001:db8::1",` +
			`"trace":null,"prealloc":null,"type":"10000","ns":500,"size":12},"dev":"eth0","flags":[]}`},
	{encapsulated(route.EncapRaw{Kind: route.EncapTypeXFRM, Data: rawU32(uapi.LWT_XFRM_IF_ID, 1<<32-1) + rawU32(uapi.LWT_XFRM_LINK, eth1)}), show.Style{},
		"10.0.0.0/8  encap xfrm if_id 4294967295 link_dev eth1 dev eth0 ",
		`{"dst":"10.0.0.0/8","encap":{"encap_type":"xfrm","if_id":4294967295,"link_dev":"eth1"},"dev":"eth0","flags":[]}`},
	{encapsulated(route.EncapRaw{Kind: 77}), show.Style{}, "10.0.0.0/8  encap unknown dev eth0 ",
		`{"dst":"10.0.0.0/8","encap":{"encap_type":"unknown"},"dev":"eth0","flags":[]}`},
	{encapsulated(route.EncapIP{ID: route.Some[uint64](5), Opts: geneve}), show.Style{OneLine: true},
		"10.0.0.0/8  encap ip id 5 \\\tgeneve_opts 2:3:0a0b0c0d,4:5: dev eth0 ",
		`{"dst":"10.0.0.0/8","encap":{"encap_type":"ip","id":5,"geneve_opts":[{"class":2,"type":3,"data":"0a0b0c0d"},{"class":4,"type":5,"data":""}]},"dev":"eth0","flags":[]}`},
	{encapsulated(route.EncapIP6{Opts: route.Attributes(raw(uapi.LWTUNNEL_IP_OPTS_VXLAN, []byte(rawU32(uapi.LWTUNNEL_IP_OPT_VXLAN_GBP, 7))...))}), show.Style{},
		"10.0.0.0/8  encap ip6 \n\tvxlan_opts 7 dev eth0 ",
		`{"dst":"10.0.0.0/8","encap":{"encap_type":"ip6","vxlan_opts":[{"gbp":7}]},"dev":"eth0","flags":[]}`},
	{encapsulated(route.EncapIP{Opts: route.Attributes(raw(uapi.LWTUNNEL_IP_OPTS_ERSPAN, []byte(raw(uapi.LWTUNNEL_IP_OPT_ERSPAN_VER, 2)+
		raw(uapi.LWTUNNEL_IP_OPT_ERSPAN_DIR, 1)+raw(uapi.LWTUNNEL_IP_OPT_ERSPAN_HWID, 9))...))}), show.Style{},
		"10.0.0.0/8  encap ip \n\terspan_opts 2:0:1:9 dev eth0 ",
		`{"dst":"10.0.0.0/8","encap":{"encap_type":"ip","erspan_opts":[{"ver":2,"index":0,"dir":1,"hwid":9}]},"dev":"eth0","flags":[]}`},
	{encapsulated(route.EncapSeg6{Mode: route.Seg6Encap, SRH: route.SRH{Segs: route.MakeSegments(addr6)}, TunSrc: addr6, Lookup: 20}), show.Style{},
		"10.0.0.0/8  encap seg6 mode encap tunsrc 2001:db8::1 segs 1 [ 2001:db8::1 ] lookup 20 dev eth0 ",
		`{"dst":"10.0.0.0/8","encap":{"encap_type":"seg6","mode":"encap","tunsrc":"2001:db8::1","segs":["2001:db8::1"],"lookup":"20"},"dev":"eth0","flags":[]}`},
	{encapsulated(route.EncapSeg6Local{Action: route.Seg6End, Flavors: route.Seg6Flavors{Ops: route.Seg6PSP | route.Seg6NextCSID, LBLen: route.Uint8(48), NFLen: route.Uint8(16)},
		Counters: route.Some(route.Seg6Counters{Packets: 1, Bytes: 40})}), show.Style{Statistics: true},
		"10.0.0.0/8  encap seg6local action End packets 1 bytes 40 errors 0 flavors psp,next-csid lblen 48 nflen 16 dev eth0 ",
		`{"dst":"10.0.0.0/8","encap":{"encap_type":"seg6local","action":"End","stats64":{"packets":1,"bytes":40,"errors":0},` +
			`"flavors":["psp","next-csid"],"lblen":48,"nflen":16},"dev":"eth0","flags":[]}`},
	{encapsulated(route.EncapSeg6Local{Action: 99}), show.Style{}, "10.0.0.0/8  encap seg6local action <invalid> dev eth0 ",
		`{"dst":"10.0.0.0/8","encap":{"encap_type":"seg6local","action":"<invalid>"},"dev":"eth0","flags":[]}`},
	{route.Route{Family: route.MPLS, Type: route.TypeUnicast, Table: rttables.Main, Protocol: route.ProtoStatic, MPLS: &route.MPLSRoute{Label: route.Some[uint32](100), NewDst: route.MakeLabels(200, 300), TTLPropagate: route.Some(false)},
		Gateway: netip.MustParseAddr("192.168.1.1"), OIF: eth0}, show.Style{},
		"100 as to 200/300 via inet 192.168.1.1 dev eth0 proto static ttl-propogate disabled",
		`{"dst":"100","to":"200/300","via":{"family":"inet","host":"192.168.1.1"},"dev":"eth0","protocol":"static","flags":[],"ttl-propogate":false}`},
	{route.Route{Family: route.MPLS, Type: route.TypeUnicast, Table: rttables.Main, Protocol: route.ProtoBoot, MPLS: &route.MPLSRoute{Label: route.Some[uint32](101)}, Multipath: []route.NextHop{
		{OIF: eth0, Weight: 1, NewDst: route.MakeLabels(5), Unknown: route.Attributes(raw(uapi.RTA_VIA, append(binary.NativeEndian.AppendUint16(nil, 17), 2, 0, 0, 0, 0, 0xfe)...))},
		{OIF: eth1, Weight: 2, Gateway: addr6, Flags: route.FlagDead | route.FlagLinkDown}}}, show.Style{},
		"101 \n\tnexthop as to 5 via link 02:00:00:00:00:fe dev eth0 \n\tnexthop via inet6 2001:db8::1 dev eth1 dead linkdown ",
		`{"dst":"101","flags":[],"nexthops":[{"to":"5","via":{"family":"link","host":"02:00:00:00:00:fe"},"dev":"eth0","flags":[]},` +
			`{"via":{"family":"inet6","host":"2001:db8::1"},"dev":"eth1","flags":["dead","linkdown"]}]}`},
	{route.Route{Family: route.IPMR, Type: route.TypeMulticast, Table: rttables.Default, Protocol: 17, Dst: netip.MustParsePrefix("224.1.1.1/32"),
		Src: netip.MustParsePrefix("192.0.2.1/32"), Packet: &route.Packet{IIF: eth0}, Flags: route.FlagUnresolved, Multipath: []route.NextHop{{OIF: eth1, Weight: 2}}}, show.Style{},
		"multicast 224.1.1.1/32 from 192.0.2.1/32 table default proto 17 unresolved iif eth0 \n\tnexthop dev eth1 weight 2 ",
		`{"type":"multicast","dst":"224.1.1.1/32","from":"192.0.2.1/32","table":"default","protocol":"17","flags":["unresolved"],"iif":"eth0",` +
			`"nexthops":[{"dev":"eth1","weight":2,"flags":[]}]}`},
	{route.Route{Family: route.IPv4, Type: route.TypeLocal, Table: 20, Dst: netip.MustParsePrefix("192.0.2.1/32"), Src: netip.MustParsePrefix("192.0.2.2/32"),
		OIF: 1, Flags: route.FlagCloned | route.FlagOffloadFailed | 0x80000000 | 0x00100000, Packet: &route.Packet{IIF: eth0, Mark: 255, UID: route.Some[uint32](0)},
		CacheInfo: route.CacheInfo{Expires: 59999, Error: 22, ClntRef: 3, Used: 4, LastUse: 599, ID: 0xab, TS: 255, TSAge: 9},
		Metrics:   &route.Metrics{MTU: 1400, Lock: route.MetricMTU}}, show.Style{Statistics: true},
		"local 192.0.2.1 from 192.0.2.2 dev lo table 20 rt_offload_failed mark 0xff uid 0 \n    cache <local,mc,100000>" +
			"expires 599sec error 22 users 3 used 4 age 5sec ipid 0x00ab ts 0xfftsage 9sec mtu lock 1400 iif eth0 ",
		`{"type":"local","dst":"192.0.2.1","from":"192.0.2.2","dev":"lo","table":"20","flags":["rt_offload_failed"],"mark":255,"uid":0,"cache":["local","mc","100000"],` +
			`"expires":599,"error":22,"users":3,"used":4,"age":5,"ipid":"0xab","ts":"0xff","tsage":9,"metrics":[{"mtu":1400}],"iif":"eth0"}`},
	{route.Route{Family: route.IPv6, Type: route.TypeUnicast, Table: rttables.Main, Protocol: route.ProtoRA, OIF: eth0, CacheInfo: route.CacheInfo{Expires: -199},
		Preference: route.Some(route.Preference(7)), Flags: route.FlagPrefix | route.FlagTrap | route.FlagRTTrap | route.FlagRTOffload | route.FlagNotify | route.FlagPervasive}, show.Style{},
		"default dev eth0 proto ra metric 0 pervasive trap notify rt_offload rt_trap expires -1sec 7",
		`{"dst":"default","dev":"eth0","protocol":"ra","metric":0,"flags":["pervasive","trap","notify","rt_offload","rt_trap"],"expires":-1,"pref":7}`},
	{route.Route{Family: route.IPv4, Type: 99, Table: rttables.Main, Scope: 77, Realms: route.Realms{Src: 3}, Metrics: &route.Metrics{Features: route.FeatureECN | route.FeatureTCPUsecTS | 8,
		RTT: 8 * 1234567, RTTVar: 4 * 4294, RTOMin: 999, Lock: route.MetricFeatures | route.MetricSSThresh, HopLimit: 1<<32 - 1, Zeros: route.MetricQuickAck}}, show.Style{},
		"99 default proto unspec scope 77 realms 3/cosmos rtt 1234.57s rttvar 4.294s ssthresh lock 0 features lock ecn tcp_usec_ts 0x19 rto_min 999ms quickack 0 ",
		`{"type":"99","dst":"default","protocol":"unspec","scope":"77","flags":[],"flow":{"from":"3","to":"cosmos"},` +
			`"metrics":[{"rtt":1234567,"rttvar":4294,"ssthresh":0,"ecn":null,"tcp_usec_ts":null,"features":"0x19","rto_min":999,"quickack":0}]}`},
}

// geneve are two options in the one attribute that kernels report.
var geneve = route.Attributes(raw(uapi.LWTUNNEL_IP_OPTS_GENEVE, []byte(
	raw(uapi.LWTUNNEL_IP_OPT_GENEVE_CLASS, 0, 2)+raw(uapi.LWTUNNEL_IP_OPT_GENEVE_TYPE, 3)+
		raw(uapi.LWTUNNEL_IP_OPT_GENEVE_DATA, 10, 11, 12, 13)+
		raw(uapi.LWTUNNEL_IP_OPT_GENEVE_CLASS, 0, 4)+raw(uapi.LWTUNNEL_IP_OPT_GENEVE_TYPE, 5)+
		raw(uapi.LWTUNNEL_IP_OPT_GENEVE_DATA))...))

func TestRoute(t *testing.T) {
	report := testrun.Limit(t)
	for _, test := range unusualRoutes {
		test.style.Names = routeNames(t)
		if got := show.Route(test.route, test.style); got != test.text {
			report.Errorf("%s:\n got %q\nwant %q", test.route, got, test.text)
		}
		test.style.JSON = true
		if got, want := show.Route(test.route, test.style), "["+test.json+"]"; got != want {
			report.Errorf("%s:\n got %s\nwant %s", test.route, got, want)
		}
	}
}

// Every kind of encapsulation that package route decodes is shown by its name. A
// pointer to a struct is not an encapsulation.
func TestEncapKinds(t *testing.T) {
	report := testrun.Limit(t)
	for typ := route.EncapTypeMPLS; typ <= route.EncapTypeXFRM; typ++ {
		b := make([]byte, uapi.SizeofRtMsg)
		b[uapi.RtMsgFamily] = uapi.AF_INET
		b = attr.Append(b, uint16(uapi.RTA_ENCAP_TYPE), binary.NativeEndian.AppendUint16(nil, uint16(typ)))
		b = attr.Append(b, uint16(uapi.RTA_ENCAP), nil)
		var r route.Route
		if err := r.UnmarshalBinary(b); err != nil {
			t.Fatalf("%s: %v", typ, err)
		}
		if got := show.Route(r, show.Style{}); !strings.Contains(got, " encap "+typ.String()+" ") {
			report.Errorf("%s: %q", typ, got)
		}
	}
	if got, want := show.Route(encapsulated(&route.EncapMPLS{}), show.Style{}), "10.0.0.0/8  encap unknown dev if3 "; got != want {
		report.Errorf("a pointer: %q, want %q", got, want)
	}
}

// A part that is left out leaves no trace.
func TestOmission(t *testing.T) {
	report := testrun.Limit(t)
	r := route.Route{Family: route.IPv4, Type: route.TypeUnicast, Dst: dst4, TOS: 8, Gateway: netip.MustParseAddr("192.0.2.1"), OIF: eth0, Table: 20,
		Protocol: route.ProtoStatic, Scope: route.ScopeSite, PrefSrc: netip.MustParseAddr("192.0.2.2"), Priority: 5, Realms: route.Realms{Src: 1, Dst: 2}, Packet: &route.Packet{IIF: eth1}}
	all := show.OmitIIF<<1 - 1
	for _, json := range []bool{false, true} {
		want := "10.0.0.0/8 "
		if json {
			want = `[{"dst":"10.0.0.0/8","flags":[]}]`
		}
		if got := show.Route(r, show.Style{Omit: all, JSON: json}); got != want {
			report.Errorf("got %q, want %q", got, want)
		}
	}
	r.Gateway = addr6
	if got, want := show.Route(r, show.Style{Omit: all}), "10.0.0.0/8 via inet6 2001:db8::1 "; got != want {
		report.Errorf("got %q, want %q", got, want)
	}
}

// The parts have a text, which gives them back.
func TestOmissionText(t *testing.T) {
	for o := range show.OmitIIF << 3 {
		b, err := o.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var back show.Omission
		if err := back.UnmarshalText(b); err != nil || back != o {
			t.Fatalf("%q: %q, %v", b, back, err)
		}
	}
	o := show.OmitTable | show.OmitIIF | 1<<15
	if got := o.String(); got != "table iif 0x8000" {
		t.Errorf("%q", got)
	}
	if err := o.UnmarshalText([]byte("table via 0x10000")); err == nil || o != show.OmitTable|show.OmitIIF|1<<15 {
		t.Errorf("%q, %v", o, err)
	}
}

// FuzzRoute: whatever is decoded can be shown, and JSON is JSON.
func FuzzRoute(f *testing.F) {
	for _, c := range readRoutes(f) {
		for i, payload := range c.Kernel {
			f.Add([]byte(payload), uint8(i))
		}
		if len(c.Request) > 0 {
			f.Add([]byte(c.Request[corpus.Header:]), uint8(3))
		}
	}
	for _, test := range unusualRoutes {
		if b, err := test.route.MarshalBinary(); err == nil {
			f.Add(b, uint8(16))
		}
	}
	names := routeNames(f)
	var seeds testrun.Seeds
	f.Fuzz(func(t *testing.T, b []byte, options uint8) {
		seeds.Next(t)
		var r route.Route
		if r.UnmarshalBinary(b) != nil {
			return
		}
		s := show.Style{Details: options&1 != 0, Numeric: options&2 != 0, OneLine: options&4 != 0, Statistics: options&16 != 0}
		if options&8 == 0 {
			s.Names = names
		}
		if options&32 != 0 {
			s.Omit = show.Omission(options) >> 5
		}
		if text := show.Route(r, s); text == "" || s.OneLine && strings.Contains(strings.TrimSuffix(text, "\n"), "\n\t") {
			t.Fatalf("%q", text)
		}
		s.JSON = true
		compact := show.Route(r, s)
		s.Pretty = true
		for _, text := range []string{compact, show.Route(r, s)} {
			var back bytes.Buffer
			if err := json.Compact(&back, []byte(text)); err != nil || !utf8.ValidString(text) {
				t.Fatalf("%q: %v", text, err)
			}
			if back.String() != compact {
				t.Fatalf("compact %s\npretty %s", compact, back.String())
			}
		}
	})
}

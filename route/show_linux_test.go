//go:build linux

package route

import (
	"encoding/json"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/rttables"
)

// shownCommands make routes that the recorded cases do not have, those with an
// encapsulation in table 99. None of them has options of Geneve, VXLAN or
// ERSPAN: some kernels die of these.
var shownCommands = []string{
	"nexthop add id 1 via 192.168.1.9 dev eth0",
	"nexthop add id 2 via 192.168.2.9 dev eth1 proto static",
	"nexthop add id 3 group 1,3/2",
	"nexthop add id 4 blackhole",
	"nexthop add id 5 via 2001:db8:1::9 dev eth0",
	"nexthop add id 6 group 1/2 type resilient buckets 8 idle_timer 5 unbalanced_timer 7",
	"nexthop add id 7 dev eth0",
	"nexthop add id 8 encap seg6 mode encap segs 2001:db8::7 via 192.168.1.8 dev eth0 onlink",
	"route add 10.1.0.0/16 nhid 1",
	"route add 10.2.0.0/16 nhid 3 table 20",
	"route add 10.3.0.0/16 nhid 4",
	"route add 10.4.0.0/16 nhid 6 metric 7",
	"route add 10.5.0.0/16 nhid 8 table 99",
	"-6 route add 2001:db8:5::/48 nhid 5",
	"route add 10.6.0.0/16 nhid 7 proto 77 src 192.168.1.6",
	"route add 10.10.0.0/16 via inet6 2001:db8:1::1 dev eth0 table 20",
	"route add 10.11.0.0/16 nexthop via 192.168.1.1 weight 2 nexthop via inet6 2001:db8:2::1 dev eth1 realms 4/5",
	"route add 10.12.0.0/16 encap ip id 5 dst 1.2.3.4 src 4.3.2.1 ttl 9 tos 0x10 key csum seq dev eth0 table 99",
	"route add 10.13.0.0/16 encap ip6 id 7 dst 2001:db8::1 src 2001:db8::2 hoplimit 3 tc 8 key dev eth0 table 99",
	"route add 10.14.0.0/16 encap seg6 mode encap segs 2001:db8::1,2001:db8::2 dev eth0 table 99",
	"-6 route add 2001:db8:14::/48 encap seg6 mode inline segs 2001:db8::1,2001:db8::2 dev eth0 table 99",
	"-6 route add 2001:db8:15::/48 encap seg6 mode l2encap segs 2001:db8::1 dev eth0 table 99",
	"-6 route add 2001:db8:16::/48 encap seg6 mode encap.red segs 2001:db8::1 dev eth0 table 99",
	"-6 route add 2001:db8:17::/48 encap seg6 mode l2encap.red segs 2001:db8::1 dev eth0 table 99",
	"-6 route add 2001:db8:18::/48 encap seg6 mode encap segs 2001:db8::1 hmac 0xab dev eth0 table 99",
	"-6 route add 2001:db8:21::/48 encap seg6local action End dev eth0 table 99",
	"-6 route add 2001:db8:22::/48 encap seg6local action End.X nh6 2001:db8:1::1 dev eth0 table 99",
	"-6 route add 2001:db8:23::/48 encap seg6local action End.T table 20 dev eth0 table 99",
	"-6 route add 2001:db8:24::/48 encap seg6local action End.DX2 oif eth1 dev eth0 table 99",
	"-6 route add 2001:db8:25::/48 encap seg6local action End.DX4 nh4 192.168.1.1 count dev eth0 table 99",
	"-6 route add 2001:db8:26::/48 encap seg6local action End.DX6 nh6 :: dev eth0 table 99",
	"-6 route add 2001:db8:27::/48 encap seg6local action End.DT6 table 255 count dev eth0 table 99",
	"-6 route add 2001:db8:28::/48 encap seg6local action End.B6 srh segs 2001:db8::1,2001:db8::2 dev eth0 table 99",
	"-6 route add 2001:db8:29::/48 encap seg6local action End.B6.Encaps srh segs 2001:db8::1 hmac 7 dev eth0 table 99",
	"-6 route add 2001:db8:31::/48 encap rpl segs 2001:db8::1 dev eth0 table 99",
	"-6 route add 2001:db8:32::/48 encap ioam6 trace prealloc type 0x800000 ns 1 size 12 dev eth0 table 99",
	"-6 route add 2001:db8:33::/48 encap ioam6 freq 2/5 mode encap tundst 2001:db8::1 trace prealloc type 0x010000 ns 500 size 20 dev eth0 table 99",
	"-6 route add 2001:db8:34::/48 encap ioam6 mode auto tundst 2001:db8::1 trace prealloc type 0xf00000 ns 0 size 244 dev eth0 table 99",
	// Of what follows encap xfrm, ip(8) of 6.1 loses everything.
	"-6 route add 2001:db8:35::/48 dev eth0 table 99 encap xfrm if_id 5 link_dev eth1",
	"route add 10.36.0.0/16 dev eth0 table 99 encap xfrm if_id 4294967295",
	"-6 route add 2001:db8:37::/48 encap ila 1:2:0:ffff csum-mode neutral-map-auto ident-type luid hook-type output dev eth0 table 99",
	"-f mpls route add 100 as 200/300 via inet 192.168.1.1 dev eth0",
	"-f mpls route add 101 dev lo",
	"-f mpls route add 102 nexthop as 5 via inet 192.168.1.1 dev eth0 nexthop via inet6 2001:db8:2::1 dev eth1",
	"route add 10.38.0.0/16 encap mpls 100/200 ttl 7 via 192.168.1.1 table 99",
	"route add 10.40.0.0/16 via 192.168.1.1 mtu lock 1400 advmss lock 1300 rtt lock 1500ms rttvar 12345ms ssthresh lock 7 cwnd lock 9",
	"route add 10.41.0.0/16 via 192.168.1.1 window lock 7 reordering lock 8 hoplimit lock 9 initcwnd lock 4 initrwnd lock 5",
	"route add 10.42.0.0/16 via 192.168.1.1 rto_min 1234567s features ecn quickack 1 congctl lock reno fastopen_no_cookie 1",
	"route add 10.43.0.0/16 via 192.168.1.1 rtt 7 rttvar 3 fastopen_no_cookie 1",
	"route add 10.44.0.0/16 via 192.168.1.1 realms 1/0",
	"route add 10.45.0.0/16 dev eth0 scope 200 tos 0xb8 proto 200",
	"route add unreachable 10.46.0.0/16 metric 4294967295",
	"-6 route add 2001:db8:47::/48 via fe80::1 dev eth0 expires 1000 pref high",
	"-6 route add ::1.2.3.4 dev eth0",
	"-6 route add ::ffff:1.2.3.0/120 dev eth0 table 77",
	"-6 route add 2001:db8:48::/48 nexthop via fe80::1 dev eth0 nexthop via fe80::2 dev eth1 onlink weight 5",
	"-6 route add 2001:db8:49::/48 from 2001:db8::/32 via fe80::1 dev eth0",
	"-6 route add unreachable default metric 4294967295",
	"-6 route add prohibit 2001:db8:50::/48 table 300",
	"-6 route add local 2001:db8:51::1 dev eth0",
	"-6 route add anycast 2001:db8:52::1 dev eth0",
	"-6 route add multicast ff05::/16 dev eth0",
	"route add default via 192.168.1.1",
	"-6 route add default via 2001:db8:1::1 table 20",
	"link add v0 type veth peer name v1", // which stays down
	"link add v2 type veth peer name v3",
	"addr add 192.168.7.1/24 dev v0",
	"addr add 192.168.8.1/24 dev v2",
	"link set v0 up",
	"link set v2 up",
	"route add 10.60.0.0/16 via 192.168.7.2",
	"route add 10.61.0.0/16 nexthop via 192.168.7.2 dev v0 nexthop via 192.168.8.2 dev v2 nexthop via 192.168.1.1",
	"-6 route add 2001:db8:62::/48 nexthop via fe80::1 dev v0 nexthop via fe80::2 dev eth1",
	"link set v2 down",
}

// shownStyles are the options of ip(8) and what they are here.
var shownStyles = []struct {
	options string
	style   Style
}{
	{"", Style{}}, {"-d", Style{Details: true}}, {"-s", Style{Statistics: true}}, {"-N", Style{Numeric: true}},
	{"-o", Style{OneLine: true}}, {"-j", Style{JSON: true}},
	{"-d -s -o", Style{Details: true, Statistics: true, OneLine: true}},
	{"-j -d -s", Style{JSON: true, Details: true, Statistics: true}}, {"-d -N", Style{Details: true, Numeric: true}},
}

// TestKernelShow compares what this package shows with what the installed ip(8)
// does.
func TestKernelShow(t *testing.T) {
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("ip(8), to compare with, is not installed")
	}
	ns, c := kernel(t)
	ns.Sysctl("net.ipv4.ip_forward", "1")
	refused := 0
	for _, command := range shownCommands {
		if _, err := ns.Run("", "ip", strings.Fields(command)...); err != nil {
			t.Logf("ip %s: %v", command, err)
			refused++
		}
	}
	if refused > len(shownCommands)/3 {
		t.Errorf("%d of %d commands were refused", refused, len(shownCommands))
	}
	links, err := ListLinks(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	files, err := rttables.Load(os.DirFS("/"))
	if err != nil {
		t.Fatal(err)
	}
	objects, err := ListNextHops(t.Context(), c, NextHopFilter{})
	if err != nil {
		t.Fatal(err)
	}
	shown := &shownBy{ns, c, &Names{Files: files, Links: links}, objects}
	for _, s := range shownStyles {
		for _, f := range []Family{IPv4, IPv6} {
			shown.routes(t, s.options, s.style, Filter{Family: f}, "table all")
		}
		s.style.Names = shown.names
		shown.compare(t, s.options+" nexthop show", ShowNextHops(objects, s.style))
	}
	for _, s := range omissions {
		for _, f := range []Family{IPv4, IPv6} {
			filter := s.filter
			filter.Family = f
			shown.routes(t, "", Style{Omit: s.omit}, filter, s.words)
			shown.routes(t, "-d", Style{Omit: s.omit, Details: true}, filter, s.words)
			shown.routes(t, "-j -p", Style{Omit: s.omit, JSON: true, Pretty: true}, filter, s.words)
		}
	}
	for _, s := range shownLookups {
		r, err := Lookup(t.Context(), c, s.query)
		if err != nil {
			t.Fatal(err)
		}
		style := Style{Names: shown.names}
		shown.compare(t, "route get "+s.words, r.Show(style)+"\n")
		style.JSON = true
		shown.compare(t, "-j route get "+s.words, r.Show(style)+"\n")
	}
}

// omissions are what words of "ip route show" leave out.
var omissions = []struct {
	words  string
	filter Filter
	omit   Omission
}{
	{"", Filter{Table: rttables.Main}, OmitTable},
	{"table 20", Filter{Table: 20}, OmitTable},
	{"table main proto kernel", Filter{Table: rttables.Main, Protocol: ProtoKernel}, OmitTable | OmitProto},
	{"table main dev eth0", Filter{Table: rttables.Main, OIF: eth0}, OmitTable | OmitDev},
}

// shownLookups are lookups and the words of "ip route get" for them.
var shownLookups = []struct {
	words string
	query Query
}{
	{"10.1.2.3", Query{Dst: netip.MustParseAddr("10.1.2.3")}},
	{"10.44.0.1 mark 16", Query{Dst: netip.MustParseAddr("10.44.0.1"), Mark: 16}},
	{"10.44.0.1 mark 5", Query{Dst: netip.MustParseAddr("10.44.0.1"), Mark: 5}},
	{"192.168.1.6", Query{Dst: netip.MustParseAddr("192.168.1.6")}},
	{"192.168.1.255", Query{Dst: netip.MustParseAddr("192.168.1.255")}},
	{"224.0.0.1 oif eth0", Query{Dst: netip.MustParseAddr("224.0.0.1"), OIF: eth0}},
	{"192.168.1.9 from 192.168.2.9 iif eth1", Query{Dst: netip.MustParseAddr("192.168.1.9"), Src: netip.MustParseAddr("192.168.2.9"), IIF: eth1}},
	{"192.168.1.6 from 192.168.2.9 iif eth1", Query{Dst: netip.MustParseAddr("192.168.1.6"), Src: netip.MustParseAddr("192.168.2.9"), IIF: eth1}},
	{"fibmatch 10.11.0.1", Query{Dst: netip.MustParseAddr("10.11.0.1"), FibMatch: true}},
	{"2001:db8:5::1", Query{Dst: netip.MustParseAddr("2001:db8:5::1")}},
	{"2001:db8:47::1 from 2001:db8:1::6", Query{Dst: netip.MustParseAddr("2001:db8:47::1"), Src: netip.MustParseAddr("2001:db8:1::6")}},
	{"fibmatch 2001:db8:48::1", Query{Dst: netip.MustParseAddr("2001:db8:48::1"), FibMatch: true}},
}

// A shownBy is a namespace where this package and ip(8) show the same.
type shownBy struct {
	ns      *lab.NS
	c       Conn
	names   *Names
	objects []NextHopObject
}

// routes compares routes with what ip(8) shows for words.
func (s *shownBy) routes(t *testing.T, options string, style Style, f Filter, words string) {
	t.Helper()
	routes, err := List(t.Context(), s.c, f)
	if err != nil {
		t.Fatal(err)
	}
	if style.Omit&OmitDev != 0 { // of which iproute2 6.1 shows only these
		routes = slices.DeleteFunc(routes, func(r Route) bool { return len(r.Multipath) > 0 })
	}
	style.Names, style.NextHops = s.names, s.objects
	s.compare(t, options+" -f "+f.Family.String()+" route show "+words, ShowList(routes, style))
}

// compare compares got with what ip(8) prints.
func (s *shownBy) compare(t *testing.T, command, got string) {
	t.Helper()
	want, err := s.ns.Run("", "ip", strings.Fields(command)...)
	if err != nil {
		t.Fatal(err)
	}
	want, got = lifetime.ReplaceAllString(want, "${1}9"), lifetime.ReplaceAllString(got, "${1}9")
	if want == got {
		return
	}
	if strings.HasPrefix(command, "-j ") && !strings.HasPrefix(command, "-j -p") {
		// Older versions have the members of encap among those of the route.
		if diff := cmp.Diff(flattened(t, want), flattened(t, got)); diff != "" {
			t.Errorf("ip %s: (-ip +this):\n%s", command, diff)
		}
		return
	}
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("ip %s: (-ip +this):\n%s", command, diff)
	}
}

// lifetime is what counts down.
var lifetime = regexp.MustCompile(`("expires": ?|expires )\d+`)

// flattened are JSON's objects with the members of encap among their own.
func flattened(t *testing.T, s string) (objects []map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(s), &objects); err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		flatten(o)
		if info, ok := o["nh_info"].(map[string]any); ok {
			flatten(info)
		}
		hops, _ := o["nexthops"].([]any)
		for _, hop := range hops {
			if hop, ok := hop.(map[string]any); ok {
				flatten(hop)
			}
		}
	}
	return objects
}

func flatten(o map[string]any) {
	encap, ok := o["encap"].(map[string]any)
	if !ok {
		return
	}
	for name, v := range encap {
		// Of two members of a name the last counts. Only the route's dst comes
		// before encap.
		if _, ok := o[name]; !ok || name == "dst" {
			o[name] = v
		}
	}
	o["encap"] = encap["encap_type"]
	delete(o, "encap_type")
}

package main

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/nexthop"
)

// Commands that iproute2 6.1 answers in another way than later versions, or in JSON that
// programs cannot read.
func TestKernelNewer(t *testing.T) {
	needs(t, uapi.Version{Major: 6, Minor: 9})
	h := newHost(t)
	for _, args := range [][]string{
		{"route", "add", "10.1.0.0/16", "nexthop", "via", "192.168.1.1", "nexthop", "via", "192.168.2.1"},
		{"-6", "route", "add", "2001:db8:a::/48", "nexthop", "via", "2001:db8:1::1", "nexthop", "via", "2001:db8:2::1"},
		{"route", "add", "10.2.0.0/16", "dev", "eth0"},
	} {
		if got := h.ip(args...); got.status != 0 {
			t.Fatal(args, got)
		}
	}
	const hops = "10.1.0.0/16 \n\tnexthop via 192.168.1.1 dev eth0 weight 1 \n\tnexthop via 192.168.2.1 dev eth1 weight 1 \n"
	const hops6 = "2001:db8:a::/48 metric 1024 pref medium\n" +
		"\tnexthop via 2001:db8:1::1 dev eth0 weight 1 \n\tnexthop via 2001:db8:2::1 dev eth1 weight 1 \n"
	const noTable = "Error: ipv4: FIB table does not exist.\nDump terminated\n"
	for _, x := range []struct {
		args []string
		want result
	}{
		// A route with a next hop by the interface.
		{[]string{"route", "show", "dev", "eth1", "10.1.0.0/16"}, result{out: hops}},
		{[]string{"route", "show", "dev", "eth0", "root", "10.0.0.0/8"}, result{out: hops + "10.2.0.0/16 scope link \n"}},
		{[]string{"-6", "route", "show", "dev", "eth1", "2001:db8:a::/48"}, result{out: hops6}},
		{[]string{"route", "show", "dev", "lo", "10.1.0.0/16"}, result{}},
		{[]string{"route", "flush", "dev", "eth1", "10.1.0.0/16"}, result{}},
		{[]string{"route", "show", "root", "10.0.0.0/8"}, result{out: "10.2.0.0/16 dev eth0 scope link \n"}},
		// JSON is complete also after an error.
		{[]string{"-j", "route", "show", "table", "999"}, result{status: 2, out: "[]\n", stderr: noTable}},
		{[]string{"-j", "-p", "route", "show", "table", "999"}, result{status: 2, out: "[ ]\n", stderr: noTable}},
		{[]string{"route", "show", "table", "999"}, result{status: 2, stderr: noTable}},
		{[]string{"-j", "-echo", "rule", "add", "from", "10.9.0.1", "table", "20", "pref", "9"},
			result{out: `[{"priority":9,"src":"10.9.0.1","table":"20"}]` + "\n"}},
		{[]string{"-j", "-echo", "rule", "del", "pref", "9"},
			result{out: `[{"deleted":true,"priority":9,"src":"10.9.0.1","table":"20"}]` + "\n"}},
		{[]string{"-j", "-p", "-echo", "route", "del", "10.2.0.0/16"},
			result{out: "[ {\n        \"deleted\": true,\n        \"dst\": \"10.2.0.0/16\",\n        \"dev\": \"eth0\",\n" +
				"        \"scope\": \"link\",\n        \"flags\": [ ]\n    } ]\n"}},
	} {
		if got := h.ip(x.args...); got != x.want {
			h.Errorf("ip %q:\n got %+q\nwant %+q", x.args, got, x.want)
		}
		if len(x.want.out) > 0 && x.want.out[0] == '[' && !json.Valid([]byte(x.want.out)) {
			h.Errorf("ip %q: not JSON", x.args)
		}
	}
}

// A group of nexthop objects has statistics.
func TestKernelGroupStatistics(t *testing.T) {
	needs(t, uapi.Version{Major: 6, Minor: 9})
	h := newHost(t)
	for _, n := range []nexthop.Object{
		{ID: 1, Family: route.IPv4, Gateway: netip.MustParseAddr("192.168.1.1"), OIF: 3},
		{ID: 2, Group: []nexthop.Member{{ID: 1}}},
	} {
		if _, err := nexthop.Add(t.Context(), h.conn, n); err != nil {
			t.Fatal(err)
		}
	}
	if got := h.ip("route", "add", "10.1.0.0/16", "nhid", "2"); got.status != 0 {
		t.Fatal(got)
	}
	const unicast = "unicast 10.1.0.0/16 nhid 2 via 192.168.1.1 dev eth0 proto boot scope global \n" +
		"\tnh_info id 2 group 1 scope global proto unspec "
	for _, x := range []struct{ options, want string }{
		{"-d", unicast + "\n"},
		{"-s -d", unicast + "hw_stats off used off \n  stats:\n    id 1 packets 0\n"},
		{"-s -s -d", unicast + "hw_stats off used off \n  stats:\n    id 1 packets 0 packets_hw 0\n"},
		{"-s -d -o", unicast + `hw_stats off used off \  stats:\    id 1 packets 0` + "\n"},
		{"-s -d -j", `[{"type":"unicast","dst":"10.1.0.0/16","nhid":2,"gateway":"192.168.1.1","dev":"eth0","protocol":"boot",` +
			`"scope":"global","flags":[],"nh_info":{"id":2,"group":[{"id":1}],"scope":"global","protocol":"unspec","flags":[],` +
			`"hw_stats":{"enabled":false,"used":false},"group_stats":[{"id":1,"packets":0}]}}]` + "\n"},
	} {
		args := append(strings.Fields(x.options), "route", "show", "10.1.0.0/16")
		if got := h.ip(args...); got.out != x.want {
			h.Errorf("ip %q:\n got %q %s\nwant %q", args, got.out, got.stderr, x.want)
		}
	}
}

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"testing"

	"github.com/policyroute/policyroute/internal/capture"
	"github.com/policyroute/policyroute/table/explain"
)

// The verdicts about packets on a host that is a text.
func TestJudge(t *testing.T) {
	file, err := parseConfig("uplinks.conf", `lan1 table 10 dev eth0 via 192.168.1.1
lan2 table 20 dev eth1 via 192.168.2.1 main-first src 10.8.0.0/24
lan3 table 30 dev eth9 via 192.0.2.1
`)
	if err != nil {
		t.Fatal(err)
	}
	w, err := explain.Parse(`link add eth0 index 2
link add eth1 index 3
link add ts0 index 4
link add wg0 index 5
link add br0 index 6
address add 192.168.1.2/24 dev eth0
address add 192.168.2.2/24 dev eth1
address add 100.64.0.1/32 dev ts0
address add 10.6.0.1/24 dev wg0
address add 10.8.0.1/24 dev br0
sysctl -w net.ipv4.conf.br0.forwarding=1
route add default via 192.168.1.1 dev eth0
route add 203.0.113.0/24 via 192.168.1.1 dev eth0
route add default via 192.168.2.1 dev eth1 table 20
route add 172.16.0.0/12 via 10.6.0.2 dev wg0
route add default dev ts0 table 52
route add default dev wg0 table 53
route add 128.0.0.0/3 dev ts0
rule add fwmark 0x5 lookup 20 pref 900
rule add fwmark 0x6 lookup 52 pref 910
rule add fwmark 0x7 lookup 53 pref 920
rule add from 192.168.2.2 dport 25 ipproto tcp lookup main pref 1000
sysctl -w net.ipv4.conf.all.rp_filter=1
sysctl -w net.ipv4.fib_has_custom_rules=1
`)
	if err != nil {
		t.Fatal(err)
	}
	h := newTapHost(w, file.uplinks)
	if got := h.interfaces(); len(got) != 2 || got[0] != 2 || got[1] != 3 {
		t.Errorf("the interfaces are %v", got)
	}
	if got := fmt.Sprint(h.sources()); got != "[192.168.1.2/32 192.168.2.2/32 10.8.0.0/24]" {
		t.Errorf("the sources are %s", got)
	}
	for _, c := range []struct {
		index    uint32
		out      bool
		src, dst string
		mark     uint32
		want     string
	}{
		{2, true, "192.168.1.2:1", "198.51.100.7:53", 0, "right lan1"},
		{2, true, "192.168.2.2:1", "198.51.100.7:53", 0, "astray: source of lan2 by the wire of lan1; 32766: from all lookup main"},
		{2, true, "192.168.2.2:1", "198.51.100.7:25", 0, "astray: source of lan2 by the wire of lan1; 1000: from 192.168.2.2 ipproto tcp dport 25 lookup main"},
		{2, true, "192.168.2.2:1", "203.0.113.7:53", 0, "right lan2, by a route of table main"},
		{3, true, "192.168.2.2:1", "198.51.100.7:53", 0, "right lan2"},
		{3, true, "192.168.1.2:1", "198.51.100.7:53", 5, "astray: source of lan1 by the wire of lan2; 900: from all fwmark 0x5 lookup 20"},
		{3, true, "192.168.1.2:1", "198.51.100.7:53", 0, "astray: source of lan1 by the wire of lan2; the socket is bound to eth1"},
		{2, true, "10.8.0.9:1", "198.51.100.7:53", 0, "astray: source of lan2 by the wire of lan1; no rule sends it there: the host may have changed"},
		{2, true, "10.9.0.9:1", "198.51.100.7:53", 0, "other"},
		{2, true, "192.168.2.2:1", "224.0.0.1:53", 0, "other"},
		{2, false, "198.51.100.7:53", "192.168.1.2:1", 0, "right lan1"},
		{3, false, "192.168.2.9:53", "192.168.2.2:1", 0, "right lan2"},
		{3, false, "198.51.100.7:53", "192.168.2.2:1", 0, "refused: the source has its route by another interface, and the reverse path filter is strict"},
		{2, false, "198.51.100.7:53", "192.168.2.2:1", 0, "astray: to lan2 by the wire of lan1"},
		{2, false, "198.51.100.7:53", "192.168.9.9:1", 0, "other"},
		// Interfaces that no uplink has.
		{4, true, "192.168.2.2:1", "198.51.100.7:53", 6, "astray: source of lan2 by ts0, which no uplink has; 910: from all fwmark 0x6 lookup 52"},
		{4, true, "10.8.0.9:1", "198.51.100.7:53", 6, "astray: source of lan2 by ts0, which no uplink has; 910: from all fwmark 0x6 lookup 52"},
		{4, true, "192.168.2.2:1", "130.0.0.1:53", 0, "astray: source of lan2 by ts0, which no uplink has; 32766: from all lookup main"},
		{4, true, "192.168.2.2:1", "198.51.100.7:53", 0, ""}, // bound to ts0, or ts0 carries packets of eth1
		{4, true, "192.168.9.9:1", "198.51.100.7:53", 6, ""},
		{4, true, "192.168.2.2:1", "224.0.0.1:53", 6, ""},
		{4, true, "192.168.2.2:1", "255.255.255.255:53", 6, ""},
		{4, false, "198.51.100.7:53", "192.168.2.2:1", 6, ""},
		{5, true, "192.168.2.2:1", "10.6.0.9:53", 7, ""},
		{5, true, "192.168.2.2:1", "10.7.0.9:53", 7, "astray: source of lan2 by wg0, which no uplink has; 920: from all fwmark 0x7 lookup 53"},
		{5, true, "192.168.1.2:1", "172.16.9.9:53", 0, ""},
	} {
		j, ok := h.judge(&capture.Packet{
			IfIndex: c.index, Out: c.out, Mark: c.mark, Proto: 6, Src: netip.MustParseAddrPort(c.src), Dst: netip.MustParseAddrPort(c.dst),
		})
		got := ""
		if ok {
			got = j.text()
		}
		if got != c.want {
			t.Errorf("interface %d, out %v, %s → %s: %s\nwant %s", c.index, c.out, c.src, c.dst, got, c.want)
		}
	}
}

// Who lacks the privilege is told which one.
func TestTapErrors(t *testing.T) {
	for err, want := range map[error]string{
		fs.ErrPermission:      "tap needs CAP_NET_RAW: run it as root",
		errors.ErrUnsupported: "tap works on Linux only",
	} {
		if got := tapError(err); got != want {
			t.Errorf("%v: %s, want %s", err, got, want)
		}
	}
	expectRun(t, "", "uplinks: tap takes no names. See uplinks help tap.\n", exitUsage, "tap", "lan1")
}

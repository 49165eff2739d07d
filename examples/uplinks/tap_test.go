package main

import (
	"errors"
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
address add 192.168.1.2/24 dev eth0
address add 192.168.2.2/24 dev eth1
route add default via 192.168.1.1 dev eth0
route add 203.0.113.0/24 via 192.168.1.1 dev eth0
route add default via 192.168.2.1 dev eth1 table 20
rule add fwmark 0x5 lookup 20 pref 900
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
	} {
		j := h.judge(&capture.Packet{
			IfIndex: c.index, Out: c.out, Mark: c.mark, Proto: 6, Src: netip.MustParseAddrPort(c.src), Dst: netip.MustParseAddrPort(c.dst),
		})
		if got := j.text(); got != c.want {
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

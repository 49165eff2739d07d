package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
)

// newConfHost returns a host with a file of the folder conf.
func newConfHost(t *testing.T, file string) *host {
	text, err := os.ReadFile(filepath.Join("conf", file))
	if err != nil {
		t.Fatal(err)
	}
	return newHost(t, string(text))
}

// Two modems with the same address: marks and sockets bound to an interface take the right
// one.
func TestConfModems(t *testing.T) {
	h := newConfHost(t, "modems.conf")
	h.ns.DelAddr("eth0", "192.168.1.2/24")
	h.ns.DelAddr("eth1", "192.168.2.2/24")
	h.ns.Addr("eth0", "192.168.8.100/24")
	h.ns.Addr("eth1", "192.168.8.100/24")
	h.route("add", "default via 192.168.8.1 dev eth0")
	marked := func(mark uint32) route.Query { return route.Query{Dst: addr("198.51.100.7"), Mark: mark} }
	bound := func(dev string) route.Query { return route.Query{Dst: addr("198.51.100.7"), OIF: h.ns.Index(dev)} }
	if got := h.wayOut(marked(0x20)); got != "eth0 192.168.8.1" {
		t.Errorf("without uplinks a mark leads to %s", got)
	}
	d := h.daemon("-once")
	d.ended(exitOK)
	h.run(exitOK, "status")
	for want, q := range map[string][]route.Query{
		"eth0 192.168.8.1": {marked(0), marked(0x10), bound("eth0")},
		"eth1 192.168.8.1": {marked(0x20), bound("eth1")},
	} {
		for _, q := range q {
			if got := h.wayOut(q); got != want {
				t.Errorf("%+v goes by %s, want %s", q, got, want)
			}
		}
	}
	stdout, _ := h.run(exitOK, "status")
	if strings.Contains(stdout, "192.168.8.100") {
		t.Errorf("the address is a source:\n%s", stdout)
	}
	h.run(exitOK, "down")
}

// What a host of the LAN sends with a prefix that a provider has delegated leaves by that
// provider, also after another prefix was delegated.
func TestConfDelegated(t *testing.T) {
	h := newConfHost(t, "delegated.conf")
	h.ns.Sysctl("net.ipv6.conf.all.forwarding", "1")
	h.ns.Link("lan0", lab.Test(t).NS("lan"), "eth0")
	h.ns.Addr("eth0", "2001:db8:1::2/64")
	h.ns.Addr("lan0", "2001:db8:100:1::1/64", "2001:db8:200:1::1/64", "2001:db8:300:1::1/64")
	h.route("add", "default from 2001:db8:100::/56 via 2001:db8:1::1 dev eth0 proto dhcp metric 100")
	h.route("add", "default from 2001:db8:1::/64 via 2001:db8:1::1 dev eth0 proto dhcp metric 100")
	d := h.daemon()
	d.complete()
	from := func(source, to string) route.Query {
		return route.Query{Src: addr(source), Dst: addr(to), IIF: h.ns.Index("lan0")}
	}
	wants := func(when string, want map[string]string) {
		t.Helper()
		for source, way := range want {
			if got := h.wayOut(from(source, "2001:db8:99::10")); got != way {
				t.Errorf("%s: from %s by %s, want %s", when, source, got, way)
			}
			if got := h.wayOut(from(source, "2001:db8:200:1::10")); got != "lan0" {
				t.Errorf("%s: from %s to the LAN by %s", when, source, got)
			}
		}
	}
	wants("at first", map[string]string{
		"2001:db8:100:1::10": "eth0 2001:db8:1::1", "2001:db8:200:1::10": "eth1 2001:db8:2::1",
		"2001:db8:300:1::10": "network is unreachable",
	})
	d.says("ready\n")
	h.route("add", "default from 2001:db8:300::/56 via 2001:db8:1::1 dev eth0 proto dhcp metric 100")
	h.route("del", "default from 2001:db8:100::/56 via 2001:db8:1::1 dev eth0 proto dhcp metric 100")
	d.until("the new prefix is that of lan1", func() bool {
		now, _, _ := strings.Cut(d.asked(), "\nlast events:") // those have the old one
		return strings.Contains(now, "2001:db8:300::/56") && !strings.Contains(now, "2001:db8:100::/56")
	})
	d.complete()
	wants("renumbered", map[string]string{
		"2001:db8:300:1::10": "eth0 2001:db8:1::1", "2001:db8:200:1::10": "eth1 2001:db8:2::1",
	})
	d.end(exitOK)
}

// A source that is elsewhere means the same to all commands: it has its rule, and the
// uplink is complete; with no other source it is what the uplink waits for.
func TestAbsentSource(t *testing.T) {
	h := newHost(t, "lan2 table 20 dev eth1 via 192.168.2.1 src 192.168.2.2 192.168.2.9\n")
	const note, reason = "192.168.2.9 is not an address of this host now", "192.168.2.9 is not an address of this host"
	h.run(exitPending, "plan")
	h.run(exitOK, "up")
	h.run(exitOK, "plan")
	if stdout, _ := h.run(exitOK, "status"); !strings.Contains(stdout, "\n    "+note+"\n") {
		t.Errorf("status:\n%s", stdout)
	}
	h.wantCodes("another source is here", h.codes("lan2"), "source-absent 192.168.2.9")
	h.run(exitOK, "check")
	d := h.daemon()
	d.says("uplink lan2 IPv4 installed\n")
	d.says("ready\n")
	d.complete()
	d.end(exitOK)
	h.run(exitOK, "down")

	h.write(h.file, "lan2 table 20 dev eth1 via 192.168.2.1 src 192.168.2.9\n")
	before := h.state()
	for _, command := range []string{"plan", "up"} {
		if _, stderr := h.run(exitFailure, command); !strings.Contains(stderr, "src: "+reason+";") && !strings.Contains(stderr, "src: "+reason+"\n") {
			t.Errorf("%s: %s", command, stderr)
		}
	}
	h.unchanged(before)
	if stdout, _ := h.run(exitPending, "status"); !strings.Contains(stdout, reason+"\n") || strings.Contains(stdout, note) {
		t.Errorf("status:\n%s", stdout)
	}
	h.wantCodes("no source is here", h.codes("lan2"), "source-gone 192.168.2.9", "absent lan2")
	d = h.daemon()
	d.says("uplink lan2 IPv4 pending: " + reason + "\n")
	d.end(exitOK)
}

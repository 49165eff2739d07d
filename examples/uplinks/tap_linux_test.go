package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"
)

// A screen is what a command has printed so far.
type screen struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// waitFor does something until a text is on the screen.
func (s *screen) waitFor(t *testing.T, text string, do func()) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !strings.Contains(s.String(), text); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %q in\n%s", text, s)
		}
		if do != nil {
			do()
		}
	}
}

// start runs a command until the function that is returned, which checks the exit status.
func (h *host) start(args ...string) (*screen, func(status int)) {
	h.Helper()
	var out screen
	ctx, cancel := context.WithCancel(h.Context())
	done := make(chan int)
	go func() {
		done <- run(ctx, append([]string{"-n", h.ns.Path(), "-f", h.file, "-etc", h.etc, "-control", h.control}, args...), &out, &out)
	}()
	h.Cleanup(cancel)
	return &out, func(status int) {
		h.Helper()
		cancel()
		if got := <-done; got != status {
			h.Errorf("exit %d, want %d\n%s", got, status, &out)
		}
	}
}

// send sends a UDP packet from an address of the host.
func (h *host) send(from, to string) {
	h.Helper()
	c, err := h.ns.Dial(h.Context(), "udp", from, to)
	if err != nil {
		h.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("hello")); err != nil && !strings.Contains(err.Error(), "refused") {
		h.Fatal(err)
	}
}

// newTapTest returns a host whose two gateways answer.
func newTapTest(t *testing.T) *host {
	h := newHost(t, "lan1 table 10 dev eth0 via 192.168.1.1\nlan2 table 20 dev eth1 via 192.168.2.1\n")
	h.net.Addr("g1", "192.168.1.1/24")
	h.net.Addr("g2", "192.168.2.1/24")
	h.net.Addr("lo", "198.51.100.7/32")
	return h
}

// Tap tells a packet that goes astray from one that does not, and names the rule. It
// follows addresses and rules that are added.
func TestTap(t *testing.T) {
	h := newTapTest(t)
	out, stop := h.start("tap")
	out.waitFor(t, "TIME", nil)
	h.send("192.168.1.2:1001", "198.51.100.7:53")
	out.waitFor(t, "192.168.1.2:1001 → 198.51.100.7:53  right lan1\n", nil)
	h.send("192.168.2.2:1002", "198.51.100.7:53")
	out.waitFor(t, "192.168.2.2:1002 → 198.51.100.7:53  astray: source of lan2 by the wire of lan1; 32766: from all lookup main\n", nil)
	if !strings.Contains(out.String(), "eth0      out  udp      192.168.2.2:1002") {
		t.Errorf("no interface, direction and protocol in\n%s", out)
	}
	// A new address belongs to the uplink, and the packets of one that is installed are right.
	h.ns.Addr("eth1", "192.168.2.3/24")
	out.waitFor(t, "192.168.2.3:1003 → 198.51.100.7:53  astray", func() { h.send("192.168.2.3:1003", "198.51.100.7:53") })
	h.run(exitOK, "up")
	h.send("192.168.2.3:1004", "198.51.100.7:53")
	out.waitFor(t, "192.168.2.3:1004 → 198.51.100.7:53  right lan2\n", nil)
	// Rules of other programs are named, too.
	h.rule("add", "from all to 198.51.100.7 dport 99 ipproto udp lookup main pref 500")
	out.waitFor(t, "source of lan2 by the wire of lan1; 500: from all to 198.51.100.7 ipproto udp dport 99 lookup main",
		func() { h.send("192.168.2.2:1005", "198.51.100.7:99") })
	stop(exitPending)
	if !strings.Contains(out.String(), " packets: ") || !strings.Contains(out.String(), " right, ") {
		t.Errorf("no counts in\n%s", out)
	}
}

// Tap sees what leaves astray by an interface that no uplink has, such as that of a VPN, and
// nothing else of such an interface.
func TestTapExit(t *testing.T) {
	h := newTapTest(t)
	h.ns.Link("ts0", h.net, "g3")
	h.ns.Addr("ts0", "100.64.0.1/24")
	h.net.Addr("g3", "100.64.0.2/24")
	h.run(exitOK, "up")
	out, stop := h.start("tap")
	out.waitFor(t, "TIME", nil)
	h.send("192.168.2.2:1001", "198.51.100.7:53")
	out.waitFor(t, "192.168.2.2:1001 → 198.51.100.7:53  right lan2\n", nil)
	h.route("add", "default dev ts0 table 52")
	h.rule("add", "from all lookup 52 pref 270")
	h.ns.Sysctl("net/ipv4/conf/ts0/rp_filter", "0")
	h.net.Sysctl("net/ipv4/conf/g3/proxy_arp", "1")
	h.send("100.64.0.1:1002", "198.51.100.7:53") // it has no address of an uplink
	h.send("192.168.2.2:1003", "100.64.0.2:53")  // a neighbour
	out.waitFor(t, "192.168.2.2:1004 → 198.51.100.7:53  astray: source of lan2 by ts0, which no uplink has; 270: from all lookup 52",
		func() { h.send("192.168.2.2:1004", "198.51.100.7:53") })
	if !strings.Contains(out.String(), "ts0       out  udp      192.168.2.2:1004") {
		t.Errorf("no interface, direction and protocol in\n%s", out)
	}
	stop(exitPending)
	for _, port := range []string{":1002 ", ":1003 "} {
		if strings.Contains(out.String(), port) {
			t.Errorf("a packet from port %s in\n%s", port, out)
		}
	}
}

// The packets of an uplink that is a bridge or a macvlan pass the device below it, too, and
// are not astray there.
func TestTapBelow(t *testing.T) {
	h := newHost(t, "lan1 table 10 dev br0 via 192.168.3.1\nlan2 table 20 dev mac0 via 192.168.2.1\n")
	h.net.Addr("g2", "192.168.2.1/24")
	h.net.Addr("lo", "198.51.100.7/32")
	h.ns.Link("eth2", h.net, "g3")
	h.net.Addr("g3", "192.168.3.1/24")
	h.ns.Bridge("br0", "eth2")
	h.ns.Addr("br0", "192.168.3.2/24")
	h.ns.MACVLAN("mac0", "eth1")
	h.ns.Addr("mac0", "192.168.2.4/24")
	h.route("replace", "default via 192.168.2.1 dev eth1")
	h.run(exitOK, "up")
	out, stop := h.start("tap")
	out.waitFor(t, "TIME", nil)
	h.send("192.168.3.2:1001", "198.51.100.7:53")
	out.waitFor(t, "192.168.3.2:1001 → 198.51.100.7:53  right lan1\n", nil)
	h.send("192.168.2.4:1002", "198.51.100.7:53")
	out.waitFor(t, "192.168.2.4:1002 → 198.51.100.7:53  right lan2\n", nil)
	stop(exitOK)
}

// Packets that come in are judged by their destination, and those that the kernel drops have
// the reason.
func TestTapIn(t *testing.T) {
	h := newTapTest(t)
	for _, dev := range []string{"all", "eth0", "eth1"} {
		h.ns.Sysctl("net/ipv4/conf/"+dev+"/rp_filter", "1")
	}
	out, stop := h.start("-json", "tap")
	sendIn := func(from, to string) func() {
		return func() {
			c, err := h.net.Dial(t.Context(), "udp", from, to)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_, _ = c.Write([]byte("hello")) // an ICMP error of the packet before
		}
	}
	out.waitFor(t, `"sport":2001,"dport":7,`, sendIn("192.168.2.1:2001", "192.168.2.2:7"))
	// The source 203.0.113.9 has its route by the default of main: by eth0.
	h.net.Addr("lo", "203.0.113.9/32")
	out.waitFor(t, `"sport":2002,"dport":7,`, sendIn("203.0.113.9:2002", "192.168.2.2:7"))
	stop(exitOK)
	verdicts := make(map[uint16]tapLine)
	var last tapCounts
	for l := range strings.Lines(out.String()) {
		var x tapLine
		if err := json.Unmarshal([]byte(l), &x); err != nil {
			t.Fatalf("%v: %s", err, l)
		}
		if x.Direction == "in" {
			verdicts[x.SPort] = x
		}
		_ = json.Unmarshal([]byte(l), &last)
	}
	if x := verdicts[2001]; x.Verdict != tapRight || x.Uplink != "lan2" || x.Dev != "eth1" {
		t.Errorf("%+v", x)
	}
	if x := verdicts[2002]; x.Verdict != tapRefused || !strings.Contains(x.Reason, "reverse path filter") {
		t.Errorf("%+v", x)
	}
	if last.Packets == 0 || last.Packets != last.Right+last.Astray+last.Refused+last.Other {
		t.Errorf("%+v", last)
	}
}

// The time of -for ends tap, and no packet is no failure.
func TestTapFor(t *testing.T) {
	h := newHost(t, "lan2 table 20 dev eth9 via 192.168.2.1\n")
	h.want("TIME             DEV            PROTO    PACKET\n0 packets: 0 right, 0 astray, 0 refused, 0 other\n", exitOK, "-for", "10ms", "tap")
	_, stderr := h.run(exitUsage, "-for", "10", "tap")
	if !strings.Contains(stderr, "a time needs its unit: 10s") {
		t.Error(stderr)
	}
}

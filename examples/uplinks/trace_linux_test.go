package main

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// isHostRoot reports whether this process is root of the host, and not only of a user
// namespace.
func isHostRoot(t *testing.T) bool {
	t.Helper()
	b, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		t.Fatal(err)
	}
	return os.Geteuid() == 0 && slices.Equal(strings.Fields(string(b)), []string{"0", "0", "4294967295"})
}

// newTraceTest returns a host with addresses that no other test has, since the kernel reports
// the lookups of all namespaces. It returns nil for an ordinary user, after it has looked at
// the error.
func newTraceTest(t *testing.T) *host {
	h := newHost(t, "")
	h.ns.Addr("eth0", "100.74.1.2/24")
	h.ns.Addr("eth1", "100.74.2.2/24", "2001:db8:7400:2::2/64")
	if !isHostRoot(t) {
		stdout, stderr := h.run(exitFailure, "-for", "10ms", "trace")
		if stdout != "" || !strings.Contains(stderr, "use sudo") {
			t.Errorf("for an ordinary user: %s%s", stdout, stderr)
		}
		t.Log("no tracepoints for an ordinary user")
		return nil
	}
	h.route("add", "default via 100.74.2.1 dev eth1 table 20")
	h.route("add", "default via 2001:db8:7400:2::1 dev eth1 table 20")
	h.rule("add", "from 100.74.2.2 lookup 20 pref 1000")
	h.rule("add", "from 2001:db8:7400:2::2 lookup 20 pref 1000")
	return h
}

// Trace prints the lookup of a packet with its rule, and follows rules that are added.
func TestTrace(t *testing.T) {
	h := newTraceTest(t)
	if h == nil {
		return
	}
	out, stop := h.start("trace", "to", "100.73.9.0/24")
	out.waitFor(t, "TIME", nil)
	h.send("100.74.2.2:1001", "100.73.9.7:53")
	out.waitFor(t, "100.74.2.2:1001 → 100.73.9.7:53 udp  local: no route, 20: via 100.74.2.1 dev eth1  "+
		"1000: from 100.74.2.2 lookup 20; default via 100.74.2.1 dev eth1\n", nil)
	h.send("100.74.1.2:1002", "100.73.9.7:53")
	out.waitFor(t, "main: via 192.168.1.1 dev eth0  32766: from all lookup main; default via 192.168.1.1 dev eth0\n", nil)
	h.rule("add", "from all to 100.73.9.0/24 dport 99 ipproto udp lookup 20 pref 500")
	out.waitFor(t, "20: via 100.74.2.1 dev eth1  500: from all to 100.73.9.0/24 ipproto udp dport 99 lookup 20",
		func() { h.send("100.74.1.2:1003", "100.73.9.7:99") })
	stop(exitOK)
	if !strings.Contains(out.String(), " explained, ") {
		t.Errorf("no counts in\n%s", out)
	}
	// A packet of another network namespace is not taken for one of this one.
	h.net.Addr("g1", "100.74.3.1/24")
	out, stop = h.start("trace", "to", "100.74.3.0/24")
	out.waitFor(t, "TIME", nil)
	c, err := h.net.Dial(t.Context(), "udp", "100.74.3.1:1004", "100.74.3.9:53")
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	out.waitFor(t, "  ? this network namespace refuses the packet", nil)
	stop(exitOK)
}

// Packets that come in have the lookup of their destination and that of their source.
func TestTraceIn(t *testing.T) {
	h := newTraceTest(t)
	if h == nil {
		return
	}
	for _, dev := range []string{"all", "eth1"} {
		h.ns.Sysctl("net/ipv4/conf/"+dev+"/rp_filter", "1")
	}
	h.net.Addr("g2", "100.74.2.1/24", "2001:db8:7400:2::1/64")
	out, stop := h.start("-json", "trace")
	send := func(from, to string) func() {
		return func() {
			c, err := h.net.Dial(t.Context(), "udp", from, to)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_, _ = c.Write([]byte("hello")) // an ICMP error of the packet before
		}
	}
	out.waitFor(t, `"from":"100.74.2.1","to":"100.74.2.2","iif":"eth1"`, send("100.74.2.1:2001", "100.74.2.2:7"))
	out.waitFor(t, `"reverse":true,"from":"100.74.2.2","to":"100.74.2.1"`, send("100.74.2.1:2002", "100.74.2.2:7"))
	out.waitFor(t, `"to":"2001:db8:7400:2::2","iif":"eth1"`, send("[2001:db8:7400:2::1]:2003", "[2001:db8:7400:2::2]:7"))
	stop(exitOK)
	var last traceCounts
	found := make(map[string]bool)
	for l := range strings.Lines(out.String()) {
		var x traceLine
		if err := json.Unmarshal([]byte(l), &x); err != nil {
			t.Fatalf("%v: %s", err, l)
		}
		_ = json.Unmarshal([]byte(l), &last)
		if !x.To.IsValid() || x.Rule == nil {
			continue
		}
		switch to := x.To.String(); {
		case x.IIF == "eth1" && (to == "100.74.2.2" || to == "2001:db8:7400:2::2"):
			found[to] = x.Rule.Priority == 0 && strings.HasPrefix(x.Route, "local ")
		case x.Reverse && to == "100.74.2.1":
			found[to] = x.Rule.Priority == 1000
		}
	}
	for _, to := range []string{"100.74.2.2", "2001:db8:7400:2::2", "100.74.2.1"} {
		if !found[to] {
			t.Errorf("no lookup of %s with its rule in\n%s", to, out)
		}
	}
	if last.Lookups == 0 || last.Lookups != last.Explained+last.Unexplained {
		t.Errorf("%+v", last)
	}
}

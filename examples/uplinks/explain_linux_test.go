package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/table/explain"
)

// Explain agrees with the kernel about packets that leave, come in, stay, and are refused.
func TestExplainHost(t *testing.T) {
	h := newHost(t, "lan2 table 20 dev eth1 via 192.168.2.1\nlan2 dev eth1 via 2001:db8:2::1\n")
	h.run(exitOK, "up")
	h.rule("add", "to 203.0.113.0/24 prohibit pref 500")
	for _, packet := range []string{
		"198.51.100.7", "198.51.100.7 from 192.168.2.2", "198.51.100.7 from 192.168.3.2", "198.51.100.7 oif eth1", "192.168.2.9",
		"192.168.2.2 from 192.168.1.2", "192.168.2.255", "203.0.113.1", "192.168.2.2 from 192.168.2.1 iif eth1",
		"192.168.1.2 from 198.51.100.7 iif eth0", "2001:db8::7 from 2001:db8:2::2", "2001:db8::7", "224.0.0.1 oif eth1",
		"198.51.100.7 ipproto tcp dport 443", "198.51.100.7 dport 53", "198.51.100.7 mark 0x5",
	} {
		stdout, _ := h.run(exitOK, append([]string{"explain"}, strings.Fields(packet)...)...)
		if !strings.HasSuffix(stdout, "\nkernel agrees\n") {
			t.Errorf("explain %s:\n%s", packet, stdout)
		}
	}
	h.want(`31000: from 192.168.2.2 lookup 20  20  default via 192.168.2.1 dev eth1 src 192.168.2.2
198.51.100.7 from 192.168.2.2: unicast via 192.168.2.1 dev eth1
kernel agrees
`, exitOK, "explain", "198.51.100.7", "from", "192.168.2.2")
	h.want(`198.51.100.7 oif eth9: none, ENODEV: there is no such interface
the kernel was not asked: there is no interface eth9
`, exitOK, "explain", "198.51.100.7", "oif", "eth9")
}

// The text of snapshot is explained as the host is.
func TestSnapshotWorld(t *testing.T) {
	h := newHost(t, "lan2 table 20 dev eth1 via 192.168.2.1\n")
	h.run(exitOK, "up")
	text, _ := h.run(exitOK, "snapshot")
	world := writeTemp(t, "world", text)
	for _, packet := range []string{"198.51.100.7", "198.51.100.7 from 192.168.2.2", "192.168.1.2 from 192.168.1.1 iif eth0"} {
		args := append([]string{"-v", "explain"}, strings.Fields(packet)...)
		host, _ := h.run(exitOK, args...)
		expectRun(t, strings.TrimSuffix(host, "kernel agrees\n"), "", exitOK, append([]string{"-world", world}, args...)...)
	}
	stdout, _ := h.run(exitOK, "-json", "snapshot")
	var o struct{ Command, World string }
	if err := json.Unmarshal([]byte(stdout), &o); err != nil || o.Command != "snapshot" {
		t.Fatalf("%v\n%s", err, stdout)
	}
	if _, err := explain.Parse(o.World); err != nil || !strings.Contains(o.World, "rule add from 192.168.2.2 lookup 20") {
		t.Errorf("%v\n%s", err, o.World)
	}
}

// If the kernel disagrees, both answers are printed.
func TestExplainDisagreement(t *testing.T) {
	h := newHost(t, "")
	other, err := explain.Parse(tutorial)
	if err != nil {
		t.Fatal(err)
	}
	x := explainer{fib: explain.NewFIB(other), kernel: &kernel{t.Context(), h.conn, func() (explain.World, error) { return other, nil }}}
	packets, err := parsePackets([]string{"198.51.100.7 from 192.168.2.2", "198.51.100.7"})
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	status := x.each(options{command: "explain"}, packets, &stdout, &stderr)
	if !strings.Contains(stdout.String(), "198.51.100.7 from 192.168.2.2: unicast via 192.168.2.1 dev eth1\nthe kernel disagrees: ") ||
		status != exitFailure || stderr.String() != "uplinks: the kernel disagrees about 1 packet\n" {
		t.Errorf("exit %d\n%s%s", status, &stdout, &stderr)
	}
	// A host that has changed in the meantime is read again.
	x = explainer{fib: explain.NewFIB(other), kernel: &kernel{t.Context(), h.conn, func() (explain.World, error) { return explain.Take(t.Context(), h.conn) }}}
	stderr.Reset()
	if status := x.each(options{command: "explain"}, packets, &stdout, &stderr); status != exitOK || stderr.Len() > 0 {
		t.Errorf("exit %d\n%s%s", status, &stdout, &stderr)
	}
}

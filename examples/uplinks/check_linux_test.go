package main

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/table/check"
)

// findings runs check, and compares its exit status with the findings. It leaves out
// findings about programs of this machine.
func (h *host) findings() (found []finding) {
	h.Helper()
	var out, errs bytes.Buffer
	got := run(h.Context(), []string{"-f", h.file, "-etc", h.etc, "-n", h.ns.Path(), "-json", "check"}, &out, &errs)
	var r struct{ Findings []finding }
	if err := json.Unmarshal(out.Bytes(), &r); err != nil || errs.Len() > 0 {
		h.Fatalf("%v:\n%s%s", err, &out, &errs)
	}
	want := exitOK
	for _, f := range r.Findings {
		if f.Severity > check.Note {
			want = exitPending
		}
	}
	if got != want {
		h.Errorf("exit %d, want %d:\n%s", got, want, &out)
	}
	return slices.DeleteFunc(r.Findings, func(f finding) bool { return f.Uplink == "" })
}

// Findings have their cure, as text and as JSON. A note does not change the exit status.
func TestCheck(t *testing.T) {
	h := newHost(t, lan12)
	h.run(exitOK, "up")
	// There was no traffic to the gateways yet.
	found := h.findings()
	if len(found) != 2 || found[0].Severity != check.Note || found[0].Code != check.CodeGatewayUnknown || found[0].Uplink != "lan1" {
		t.Errorf("after up: %+v", found)
	}

	h.rule("del", theRule)
	stdout, stderr := h.run(exitPending, "check", "lan2")
	want := `lan2: fault: rule from 192.168.2.2 lookup 20 proto 210 pref 31001 does not exist [missing]
    cure: ip rule add from 192.168.2.2 lookup 20 proto 210 pref 31001
lan2: note: this host has not sent anything to the gateway 192.168.2.1 on eth1 yet, so the kernel does not know whether the gateway is there [gateway-unknown]
    cure: ping -c 1 -I eth1 192.168.2.1
`
	if !strings.HasPrefix(stdout, want) || stderr != "" {
		t.Errorf("got\n%s%swant\n%s", stdout, stderr, want)
	}
	found = h.findings()
	if !slices.ContainsFunc(found, func(f finding) bool {
		return f.Code == check.CodeMissing && f.Severity == check.Fault && f.Uplink == "lan2" && f.Cure != ""
	}) {
		t.Errorf("in JSON: %+v", found)
	}
	before := h.state()
	h.run(exitPending, "check")
	h.unchanged(before)
}

// codes returns the findings of an uplink, without those about gateways that were never asked.
func (h *host) codes(uplink string) (all []string) {
	h.Helper()
	for _, f := range h.findings() {
		if f.Uplink == uplink && f.Code != check.CodeGatewayUnknown {
			all = append(all, string(f.Code)+" "+f.Object)
		}
	}
	return all
}

// want compares lists.
func (h *host) wantCodes(what string, got []string, want ...string) {
	h.Helper()
	if !slices.Equal(got, want) {
		h.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// An uplink whose gateway cannot be learned is examined like others.
func TestCheckUnlearned(t *testing.T) {
	h := newHost(t, "lan2 table 20 dev eth1 learn inet\nlan9 table 30 dev eth9 learn inet\n")
	h.wantCodes("no interface", h.codes("lan9"), "interface-missing eth9", "absent lan9")
	if stdout, _ := h.run(exitPending, "status", "lan9"); !strings.Contains(stdout, "absent  -\n    dev: the interface \"eth9\" does not exist\n") {
		t.Errorf("status: %s", stdout)
	}
	h.wantCodes("no default", h.codes("lan2"), "gateway-unlearned eth1", "absent lan2")
	h.route("add", "default via 192.168.2.1 dev eth1 metric 200")
	h.write(h.file, "lan2 table 20 dev eth1 learn inet\n")
	h.run(exitOK, "up")
	h.wantCodes("complete", h.codes("lan2"))
	h.route("del", "default via 192.168.2.1 dev eth1 metric 200")
	h.rule("add", "from all unreachable pref 77")
	h.wantCodes("the last gateway is kept", h.codes("lan2"), "overruled rule from all unreachable pref 77")
	h.rule("del", "from all unreachable pref 77")
	h.ns.Down("eth1")
	h.wantCodes("link down", h.codes("lan2"), "interface-down eth1", "gateway-unlearned eth1")
}

// A DHCP client that adds a default route without a metric fails where another interface has
// one: check says so, and with what.
func TestCheckDefaultWithoutMetric(t *testing.T) {
	h := newHost(t, "lan2 table 20 dev eth1 learn inet\n")
	cure := func() string {
		h.Helper()
		for _, f := range h.findings() {
			if f.Code == check.CodeGatewayUnlearned {
				return f.Text + " / " + f.Cure
			}
		}
		h.Fatal("not found")
		return ""
	}
	for _, part := range []string{"default route by eth0 has no metric", "metric 200 below iface eth1", "IF_METRIC=200"} {
		if got := cure(); !strings.Contains(got, part) {
			t.Errorf("%s\nlacks %q", got, part)
		}
	}
	h.route("del", "default via 192.168.1.1 dev eth0")
	h.route("add", "default via 192.168.1.1 dev eth0 metric 100")
	if got := cure(); !strings.Contains(got, "check the DHCP client") || strings.Contains(got, "metric 200") {
		t.Errorf("with a metric: %s", got)
	}
}

// A UDP server that is said to answer from the address that was asked is not found any more,
// and check can succeed. A port without a server is.
func TestCheckMultihome(t *testing.T) {
	h := newHost(t, lan12)
	h.run(exitOK, "up")
	c, err := h.ns.ListenPacket("udp4", "0.0.0.0:1194")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	h.wantCodes("unknown", h.codes("lan2"), "udp-wildcard udp 0.0.0.0:1194")
	h.write(h.file, "multihome udp 1194\n"+lan12)
	h.wantCodes("known", h.codes("lan2"))
	if stdout, _ := h.run(exitOK, "check"); strings.Contains(stdout, "1194") {
		t.Errorf("got %s", stdout)
	}
	c.Close()
	if stdout, _ := h.run(exitOK, "check"); !strings.Contains(stdout, "host: note: no UDP server listens on port 1194") {
		t.Errorf("got %s", stdout)
	}
}

// Someone who comes from a script is told what there is, and how to go on.
func TestCheckScript(t *testing.T) {
	h := newHost(t, "lan2 table 20 dev eth1 via 192.168.2.1\n")
	h.route("add", "default via 192.168.2.1 dev eth1 table 20")
	h.rule("add", "from 192.168.2.2 lookup 20 pref 32765")
	h.rule("add", "to 192.168.2.2 lookup 20 pref 32764")
	_, stderr := h.run(exitFailure, "up")
	if !strings.HasSuffix(stderr, "; nothing was changed; \"uplinks adopt\" replaces what scripts have made\n") {
		t.Errorf("up: %s", stderr)
	}
	stdout, _ := h.run(exitPending, "check")
	for _, part := range []string{
		"lan2: warning: scripts or other programs have installed this uplink: ", "rule from 192.168.2.2 lookup 20 pref 32765",
		"route default via 192.168.2.1 dev eth1 table 20", "cure: uplinks adopt lan2, which replaces these rules and routes without losing a packet",
	} {
		if !strings.Contains(stdout, part) {
			t.Errorf("check lacks %q:\n%s", part, stdout)
		}
	}
	if strings.Contains(stdout, "cure: uplinks up") {
		t.Errorf("check wants what is refused:\n%s", stdout)
	}
}

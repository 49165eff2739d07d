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
	want := `lan2: fault: rule from 192.168.2.2 lookup 20 proto 210 pref 31001 is missing [missing]
    cure: ip rule add from 192.168.2.2 lookup 20 proto 210 pref 31001
lan2: note: the gateway 192.168.2.1 has not been talked to on eth1, so that nobody knows whether it answers [gateway-unknown]
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

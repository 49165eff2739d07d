package main

import (
	"strings"
	"testing"
)

// Plan, check and up follow the expectations of the file.
func TestExpectations(t *testing.T) {
	const uplinks = "lan1 table 10 dev eth0 via 192.168.1.1\nlan2 table 20 dev eth1 via 192.168.2.1\n"
	h := newHost(t, uplinks+"expect 198.51.100.7 from 192.168.2.2 by lan2\nexpect 198.51.100.7 by lan1\n")
	t.Setenv("GITHUB_ACTIONS", "")

	// It does not hold before up, and will.
	const astray = "198.51.100.7 from 192.168.2.2: expected by lan2, but it is unicast via 192.168.1.1 dev eth0, by the rule 32766: from all lookup main"
	h.want("FILE:3: FAILED: "+astray+"\nFILE:4: ok: 198.51.100.7 by lan1\n1 of 2 expectations failed\n", exitPending, "test")
	h.want("FILE:3: ok: 198.51.100.7 from 192.168.2.2 by lan2\nFILE:4: ok: 198.51.100.7 by lan1\n2 expectations ok\n", exitOK, "-planned", "test")
	if _, stderr := h.run(exitPending, "plan"); stderr != "" {
		t.Errorf("plan: %s", stderr)
	}
	stdout, _ := h.run(exitPending, "check")
	if want := "lan2: fault: " + astray + " [expectation]\n    cure: uplinks -v explain 198.51.100.7 from 192.168.2.2\n"; !strings.Contains(stdout, want) {
		t.Errorf("check:\n%s\nwant %s", stdout, want)
	}
	h.run(exitOK, "up")
	h.want("FILE:3: ok: 198.51.100.7 from 192.168.2.2 by lan2\nFILE:4: ok: 198.51.100.7 by lan1\n2 expectations ok\n", exitOK, "test")
	if stdout, _ := h.run(exitOK, "check"); strings.Contains(stdout, "[expectation]") {
		t.Errorf("check:\n%s", stdout)
	}

	// A change that breaks it is refused, and is made with -force.
	h.write(h.file, uplinks+"expect 198.51.100.7 from 192.168.2.2 by lan2\nexpect 198.51.100.7 ipproto tcp dport 25 by lan1\n")
	h.run(exitOK, "up")
	h.write(h.file, "lan1 table 10 dev eth0 via 192.168.1.1\nlan2 table 20 dev eth1 via 192.168.2.1 also ipproto tcp dport 25\n"+
		"expect 198.51.100.7 ipproto tcp dport 25 by lan1\nexpect 192.0.2.1 from 192.168.1.2 by lan2\n")
	const broken = "FILE:3: after the change, 198.51.100.7 ipproto tcp dport 25: expected by lan1, but it is unicast via 192.168.2.1 dev eth1"
	before := h.state()
	_, stderr := h.run(exitFailure, "up")
	if !strings.HasPrefix(stderr, "uplinks: the change breaks what the file expects (-force makes it nevertheless): "+broken) ||
		strings.Contains(stderr, "FILE:4") {
		t.Errorf("up: %s", stderr)
	}
	h.unchanged(before)
	_, stderr = h.run(exitPending, "plan")
	if !strings.Contains(stderr, "uplinks: warning: "+broken) || !strings.Contains(stderr, "; \"uplinks up\" refuses that without -force\n") ||
		!strings.Contains(stderr, "uplinks: warning: FILE:4: after the change, 192.0.2.1 from 192.168.1.2: expected by lan2, but") {
		t.Errorf("plan: %s", stderr)
	}
	stdout, _ = h.run(exitPending, "-json", "plan")
	if !strings.Contains(stdout, "\"by\": \"lan1\",\n      \"holds\": false,\n      \"held\": true,\n") {
		t.Errorf("plan -json:\n%s", stdout)
	}
	h.run(exitOK, "-force", "up")
	h.run(exitOK, "up") // what did not hold before can stay so
}

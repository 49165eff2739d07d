package main

import (
	"strings"
	"testing"
)

// An uplink with all of its rules is installed and updated, and status reports a missing rule.
func TestLadder(t *testing.T) {
	h := newHost(t, "lan2 table 20 dev eth1 via 192.168.2.1 main-first unreachable\n")
	before := h.state()
	h.want("lan2 inet: added 2 routes and 4 rules, named table 20 lan2\n", exitOK, "up")
	h.run(exitOK, "status")
	h.want("", exitOK, "up")
	h.rule("del", "from 192.168.2.2 unreachable proto 210 pref 31003")
	if got, want := h.lan2(), "incomplete; missing: rule from 192.168.2.2 unreachable proto 210 pref 31003"; got != want {
		t.Errorf("state %s\nwant  %s", got, want)
	}
	h.want("lan2 inet: added 1 rule\n", exitOK, "up")
	h.write(h.file, "lan2 table 20 dev eth1 via 192.168.2.254\n")
	h.want("lan2 inet: added 1 rule, replaced 1 route, deleted 4 rules\n", exitOK, "up")
	h.run(exitOK, "status")
	h.want("lan2 inet: deleted 2 routes and 1 rule, removed the name lan2 of table 20\n", exitOK, "down")
	h.unchanged(before)
}

// With -prune, up removes uplinks that the file no longer has. Rules and routes with
// another protocol stay.
func TestPrune(t *testing.T) {
	h := newHost(t, twoProviders)
	h.rule("add", "from 10.9.9.9 lookup 99 proto static pref 99")
	before := h.state()
	h.run(exitOK, "up")
	h.write(h.file, "mail table 30 dev eth1 via 192.168.2.1\n")
	// The new uplink has the IPv4 address of lan2.
	stdout, _ := h.run(exitPending, "-prune", "plan", "-json")
	if !strings.Contains(stdout, `"others": [`) || !strings.Contains(stdout, `"table": 30`) {
		t.Errorf("plan -json: %s", stdout)
	}
	h.want(`mail inet: added 2 routes and 1 rule, deleted 2 routes and 1 rule, named table 30 mail
lan1: deleted 2 routes and 3 rules, removed the name lan1 of table 10
lan2: deleted 2 routes and 1 rule, removed the name lan2 of table 20
`, exitOK, "-prune", "up")
	h.want("", exitOK, "-prune", "up")
	h.run(exitOK, "status")
	h.write(h.file, "lan1 table 10 dev eth0 via 192.168.1.1\n")
	h.want("lan1 inet: added 2 routes and 1 rule, named table 10 lan1\n"+
		"mail: deleted 2 routes and 1 rule, removed the name mail of table 30\n", exitOK, "up", "-prune")
	h.run(exitOK, "down")
	h.unchanged(before)
}

// With -prune and a file that has no uplinks any more, up removes them with their names.
func TestPruneAll(t *testing.T) {
	h := newHost(t, twoProviders)
	before := h.state()
	h.run(exitOK, "up")
	h.write(h.file, "# none\n")
	if stdout, _ := h.run(exitPending, "-prune", "plan", "-v"); !strings.Contains(stdout, "sed -i ") {
		t.Errorf("plan: %s", stdout)
	}
	if stdout, _ := h.run(exitOK, "-prune", "up"); !strings.Contains(stdout, "removed the name lan2 of table 20") {
		t.Errorf("up: %s", stdout)
	}
	h.unchanged(before)
}

// An uplink that gets another name keeps nothing of the old one.
func TestRename(t *testing.T) {
	for _, command := range [][]string{{"up"}, {"-prune", "up"}} {
		h := newHost(t, "lan2 table 20 dev eth1 via 192.168.2.1\nlan2 dev eth1 via 2001:db8:2::1\n")
		before := h.state()
		h.run(exitOK, "up")
		h.write(h.file, "dsl table 20 dev eth1 via 192.168.2.1\ndsl dev eth1 via 2001:db8:2::1\n")
		h.want("dsl inet: removed the name lan2 of table 20, named table 20 dsl\n", exitOK, command...)
		h.run(exitOK, "status")
		if state := h.state(); strings.Contains(state, "lan2") || !strings.Contains(state, `20\tdsl # policyroute`) {
			t.Errorf("%q leaves\n%s", command, state)
		}
		h.run(exitOK, "down")
		h.unchanged(before)
	}
}

// recover and up clean up after a command that was killed.
func TestRecover(t *testing.T) {
	for _, command := range []string{"recover", "up"} {
		h := newHost(t, "lan2 table 20 dev eth1 via 192.168.2.1\n")
		h.run(exitOK, "up")
		before := h.state()
		h.rule("add", "from all nop proto 210 pref 31005")
		h.rule("add", "from 192.168.2.2 goto 31005 proto 210 pref 31001")
		h.rule("add", "from 192.168.2.2 lookup 21 proto 210 pref 31002")
		h.route("add", "192.168.2.0/24 dev eth1 table 21 proto 210")
		h.want("(left over): deleted 1 route and 3 rules\n", exitOK, command)
		h.unchanged(before)
		h.want("", exitOK, command)
		if stdout, _ := h.run(exitOK, command, "-json"); !strings.Contains(stdout, `"command": "`+command+`"`) {
			t.Errorf("-json: %s", stdout)
		}
	}
}

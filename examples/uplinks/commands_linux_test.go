package main

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const twoProviders = `
lan1 table 10 dev eth0 via 192.168.1.1 also ipproto tcp dport 80
lan2 table 20 dev eth1 via 192.168.2.1
lan2          dev eth1 via 2001:db8:2::1
`

// status2 returns the status of twoProviders, in which all uplinks have the same state.
const status2 = `NAME  FAMILY  DEV   <STATE>  TCP  SOURCES
lan1  inet    eth0  <state>    0  192.168.1.2<note>
lan2  inet    eth1  <state>    0  192.168.2.2<note>
lan2  inet6   eth1  <state>    0  2001:db8:2::2<note>
`

// status2With returns status2 with a state and a line below each uplink, if there is one.
func status2With(state, note string) string {
	if note != "" {
		note = "\n    " + note
	}
	header := "STATE" + strings.Repeat(" ", len(state)-len("STATE"))
	return strings.NewReplacer("<STATE>", header, "<state>", state, "<note>", note).Replace(status2) + notMaintained + "\n"
}

func TestSession(t *testing.T) {
	h := newHost(t, twoProviders)
	before := h.state()
	h.want(status2With(stateAbsent, ""), exitPending, "status")
	// Both IPv4 uplinks come into effect with the deletion of the rule goto.
	plan := `echo '10 lan1 # policyroute' >>ETC/rt_tables
echo '20 lan2 # policyroute' >>ETC/rt_tables
ip rule add from all nop proto 210 pref 31002
ip rule add from all goto 31002 proto 210 pref 30999
ip route add 192.168.1.0/24 dev eth0 table 10 proto 210 src 192.168.1.2
ip route add default via 192.168.1.1 dev eth0 table 10 proto 210 src 192.168.1.2
ip route add 192.168.2.0/24 dev eth1 table 20 proto 210 src 192.168.2.2
ip route add default via 192.168.2.1 dev eth1 table 20 proto 210 src 192.168.2.2
ip -6 route add 2001:db8:2::/64 dev eth1 table 20 proto 210 src 2001:db8:2::2
ip -6 route add default via 2001:db8:2::1 dev eth1 table 20 proto 210 src 2001:db8:2::2
ip rule add from 192.168.1.2 lookup 10 proto 210 pref 31000
ip rule add from 192.168.2.2 lookup 20 proto 210 pref 31001
ip rule del from all goto 31002 proto 210 pref 30999
ip -6 rule add from 2001:db8:2::2 lookup 20 proto 210 pref 31000
ip rule add from all ipproto tcp dport 80 lookup main suppress_prefixlength 1 proto 210 pref 32000
ip rule add from all ipproto tcp dport 80 lookup 10 proto 210 pref 32001
ip rule del from all nop proto 210 pref 31002
`
	steps := strings.Replace(plan, "goto 31002 proto 210 pref 30999\nip -6", "goto 31002 proto 210 pref 30999"+commitMark+"\nip -6", 1)
	steps = strings.Replace(steps, "2001:db8:2::2 lookup 20 proto 210 pref 31000\n", "2001:db8:2::2 lookup 20 proto 210 pref 31000"+commitMark+"\n", 1)
	h.want(steps, exitPending, "plan", "-v")
	h.want(`lan1 inet:
    added    name lan1
    added    route 192.168.1.0/24 dev eth0 table 10 proto 210 src 192.168.1.2
    added    route default via 192.168.1.1 dev eth0 table 10 proto 210 src 192.168.1.2
    added    rule from 192.168.1.2 lookup 10 proto 210 pref 31000
    added    rule from all ipproto tcp dport 80 lookup main suppress_prefixlength 1 proto 210 pref 32000
    added    rule from all ipproto tcp dport 80 lookup 10 proto 210 pref 32001
lan2 inet:
    added    name lan2
    added    route 192.168.2.0/24 dev eth1 table 20 proto 210 src 192.168.2.2
    added    route default via 192.168.2.1 dev eth1 table 20 proto 210 src 192.168.2.2
    added    rule from 192.168.2.2 lookup 20 proto 210 pref 31001
lan2 inet6:
    added    route 2001:db8:2::/64 dev eth1 table 20 proto 210 src 2001:db8:2::2
    added    route default via 2001:db8:2::1 dev eth1 table 20 proto 210 src 2001:db8:2::2
    added    rule from 2001:db8:2::2 lookup 20 proto 210 pref 31000
All IPv4 packets switch to the new routes in one step.
All IPv6 packets switch to the new routes in one step.
`, exitPending, "plan")
	h.unchanged(before)
	h.want(`lan1 inet: added 2 routes and 3 rules, named table 10 lan1
lan2 inet: added 2 routes and 1 rule, named table 20 lan2
lan2 inet6: added 2 routes and 1 rule
`, exitOK, "up")
	up := h.state()
	for _, line := range []string{"10\tlan1", "20\tlan2", "31001: from 192.168.2.2 lookup 20 proto 210"} {
		if !strings.Contains(strings.ReplaceAll(up, `\t`, "\t"), line) {
			t.Errorf("after up, the state is\n%s\nwithout %q", up, line)
		}
	}
	h.want("", exitOK, "up")
	h.want("nothing to change\n", exitOK, "plan")
	h.want(status2With(stateComplete, ""), exitOK, "status")
	h.unchanged(up)
	h.want(`lan1 inet: deleted 2 routes and 3 rules, removed the name lan1 of table 10
lan2 inet: deleted 2 routes and 1 rule, removed the name lan2 of table 20
lan2 inet6: deleted 2 routes and 1 rule
`, exitOK, "down")
	h.unchanged(before)
	h.want("", exitOK, "down")
}

func TestSelect(t *testing.T) {
	h := newHost(t, twoProviders)
	h.run(exitOK, "up", "lan2")
	h.want(`NAME  FAMILY  DEV   STATE     TCP  SOURCES
lan1  inet    eth0  absent      0  192.168.1.2
lan2  inet    eth1  complete    0  192.168.2.2
lan2  inet6   eth1  complete    0  2001:db8:2::2
`+notMaintained+"\n", exitPending, "status")
	h.run(exitOK, "status", "lan2")
	h.run(exitPending, "status", "lan2", "lan1")
	h.want("", exitOK, "down", "lan1")
	if _, stderr := h.run(exitUsage, "up", "lan3"); stderr != `uplinks: FILE has no uplink "lan3"; did you mean lan1?`+"\n" {
		t.Errorf("stderr %q", stderr)
	}
}

// After a refusal in the middle all steps are undone, and the error has the step and the reason.
func TestFailure(t *testing.T) {
	h := newHost(t, strings.Replace(twoProviders, "via 192.168.2.1", "via 192.168.1.255 onlink", 1))
	before := h.state()
	stdout, stderr := h.run(exitFailure, "up")
	// The kernel's words are "Nexthop has invalid gateway".
	want := regexp.MustCompile(`^uplinks: uplink lan2: .*192\.168\.1\.255 .*gateway.*; all changes were rolled back\n$`)
	if stdout != "" || !want.MatchString(stderr) {
		t.Errorf("%s%s\nwant %s", stdout, stderr, want)
	}
	h.unchanged(before)
	h.run(exitPending, "status")
	h.want("", exitOK, "down")
	h.unchanged(before)
}

func TestCancelled(t *testing.T) {
	h := newHost(t, twoProviders)
	before := h.state()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, stderr := h.runIn(ctx, exitFailure, "-n", h.ns.Path(), "up")
	if !strings.Contains(stderr, "context canceled") {
		t.Errorf("stderr %q", stderr)
	}
	h.unchanged(before)
}

// After a change of the file, up changes only what differs.
func TestChange(t *testing.T) {
	h := newHost(t, "lan2 table 20 dev eth1 via 192.168.2.1 src 192.168.2.2 192.168.2.3 also dport 25\n")
	h.ns.Addr("eth1", "192.168.2.3/24")
	before := h.state()
	h.run(exitOK, "up")

	h.write(h.file, "lan2 table 20 dev eth1 via 192.168.2.254 src 192.168.2.2 192.168.2.3 also dport 25\n")
	h.want(`lan2 inet:
    changed  route default via 192.168.2.254 dev eth1 table 20 proto 210 src 192.168.2.2
    was      route default via 192.168.2.1 dev eth1 table 20 proto 210 src 192.168.2.2
All IPv4 packets switch to the new routes in one step.
`, exitPending, "plan")
	h.want("ip route replace default via 192.168.2.254 dev eth1 table 20 proto 210 src 192.168.2.2"+commitMark+"\n",
		exitPending, "plan", "-v")
	h.want(`NAME  FAMILY  DEV   STATE       TCP  SOURCES
lan2  inet    eth1  incomplete    0  192.168.2.2,192.168.2.3
    changed: route default via 192.168.2.1 dev eth1 table 20 proto 210 src 192.168.2.2; `+
		`wanted: route default via 192.168.2.254 dev eth1 table 20 proto 210 src 192.168.2.2
`+notMaintained+"\n", exitPending, "status")
	h.want("lan2 inet: replaced 1 route\n", exitOK, "up")
	h.want("nothing to change\n", exitOK, "plan")

	h.write(h.file, "lan2 table 20 dev eth1 via 192.168.2.254 src 192.168.2.2\n")
	h.want(`lan2 inet:
    removed  rule from 192.168.2.3 lookup 20 proto 210 pref 31000
    removed  rule from all dport 25 lookup 20 proto 210 pref 32001
    removed  rule from all dport 25 lookup main suppress_prefixlength 1 proto 210 pref 32000
All IPv4 packets switch to the new routes in one step.
`, exitPending, "plan")
	h.want("lan2 inet: deleted 3 rules\n", exitOK, "up")
	h.run(exitOK, "status")
	h.run(exitOK, "down")
	h.unchanged(before)
}

// Uplinks work without rt_tables.
func TestNames(t *testing.T) {
	for _, c := range []struct {
		name string
		harm func(h *host)
		word string // of the warning
	}{
		{"damaged", func(h *host) { h.write(filepath.Join(h.etc, "rt_tables"), "255 local\nrubbish\n") }, "rubbish"},
		{"no directory", func(h *host) { h.etc = filepath.Join(h.etc, "rt_tables") }, "not a directory"},
		{"other names", func(h *host) { h.write(filepath.Join(h.etc, "rt_tables"), "10 one\n20 two\n") }, "is already named"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t, twoProviders)
			c.harm(h)
			before := h.state()
			stdout, stderr := h.run(exitOK, "up")
			if want := "lan1 inet: added 2 routes and 3 rules\nlan2 inet: added 2 routes and 1 rule\n" +
				"lan2 inet6: added 2 routes and 1 rule\n"; stdout != want {
				t.Errorf("%s\nwant\n%s", stdout, want)
			}
			lines := strings.Split(strings.TrimSuffix(stderr, "\n"), "\n")
			if len(lines) != 2 {
				t.Fatalf("%d lines of warnings, want 2:\n%s", len(lines), stderr)
			}
			for i, name := range []string{"lan1", "lan2"} {
				want := "uplinks: warning: the name " + name + " of table "
				if !strings.HasPrefix(lines[i], want) || !strings.Contains(lines[i], c.word) {
					t.Errorf("%s\nwant %s… %s", lines[i], want, c.word)
				}
			}
			h.want(status2With(stateComplete, "not named in rt_tables"), exitOK, "status")
			// There is nothing left to do, and plan says as well why the names are not there.
			if out, again := h.run(exitOK, "plan"); out != "nothing to change\n" || again != stderr {
				t.Errorf("plan: %s%s\nwant\n%s", out, again, stderr)
			}
			h.run(exitOK, "down")
			h.unchanged(before)
		})
	}
}

// A line without a table gets one.
func TestNoTable(t *testing.T) {
	h := newHost(t, "lan2 dev eth1 via 192.168.2.1\nlan2 dev eth1 via 2001:db8:2::1\n")
	before := h.state()
	h.run(exitOK, "up")
	h.want(`NAME  FAMILY  DEV   STATE     TCP  SOURCES
lan2  inet    eth1  complete    0  192.168.2.2
lan2  inet6   eth1  complete    0  2001:db8:2::2
`+notMaintained+"\n", exitOK, "status")
	h.run(exitOK, "down")
	h.unchanged(before)
}

func TestNoFile(t *testing.T) {
	h := newHost(t, "")
	if err := os.Remove(h.file); err != nil {
		t.Fatal(err)
	}
	if _, stderr := h.run(exitUsage, "up"); !strings.HasSuffix(stderr, " FILE: no such file or directory\n") {
		t.Errorf("stderr %q", stderr)
	}
	h.write(h.file, "a\nb\n")
	if _, stderr := h.run(exitUsage, "up"); stderr !=
		"FILE:1: word 2: dev is missing after \"a\"\nFILE:2: word 2: dev is missing after \"b\"\n" {
		t.Errorf("stderr %q", stderr)
	}
}

// A file without uplinks is not taken in silence, except where it says that all are to go.
func TestEmptyFile(t *testing.T) {
	h := newHost(t, "# nothing yet\n")
	const want = "uplinks: warning: FILE has no uplinks\n"
	for _, command := range []string{"up", "plan", "status", "check", "down"} {
		if _, stderr := h.run(exitOK, command); stderr != want {
			t.Errorf("%s: %q", command, stderr)
		}
	}
	h.want("", exitOK, "-prune", "up")
	if _, stderr := h.run(exitOK, "-once", "run"); !strings.Contains(stderr, "warning: FILE has no uplinks") {
		t.Errorf("run: %q", stderr)
	}
}

// What is no network namespace is said to be none.
func TestNoNetns(t *testing.T) {
	h := newHost(t, lan12)
	for netns, want := range map[string]string{
		h.file:              "FILE is not a network namespace",
		"/proc/self/ns/mnt": "/proc/self/ns/mnt is not a network namespace",
		"no-such-name":      "the network namespace /run/netns/no-such-name does not exist: ip netns list shows the names",
	} {
		for _, command := range []string{"up", "run"} {
			_, stderr := h.runIn(h.Context(), exitFailure, "-n", netns, command)
			if !strings.HasSuffix(stderr, "uplinks: "+want+"\n") {
				t.Errorf("-n %s %s: %s\nwant %s", netns, command, stderr, want)
			}
		}
	}
}

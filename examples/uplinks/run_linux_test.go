package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/policyroute/policyroute/rule"
)

const leased = `lan1 table 10 dev eth0 learn inet unreachable
lan2 table 20 dev eth1 learn inet main-first unreachable
lan2 dev eth1 via 2001:db8:2::1
`

// The log does not say that a table was named if its name could not be written, and it
// says why.
func TestRunWithoutNames(t *testing.T) {
	h := newHost(t, "lan2 table 20 dev eth1 via 192.168.2.1\n")
	h.etc = filepath.Join(h.etc, "rt_tables")
	d := h.daemon()
	d.says("uplink lan2 IPv4 installed: added 2 routes and 1 rule: the name lan2 of table 20: ")
	d.says("not a directory\n")
	d.says("ready\n")
	d.complete()
	d.end(exitOK)
	h.run(exitOK, "down")
	d = h.daemon("-v")
	d.says("uplink lan2 IPv4 installed: the name lan2 of table 20: ")
	d.says("not a directory: ip route add 192.168.2.0/24 ")
	d.says("ready\n")
	d.end(exitOK)
}

// Leases come and go, cables are pulled, addresses change, rules are deleted by hand and
// the file changes. Each time the service restores the uplinks, and the log says what
// happened.
func TestRun(t *testing.T) {
	h := newHost(t, leased)
	d := h.daemon()
	d.says("uplink lan1 IPv4 installed: added 2 routes and 2 rules, named table 10 lan1\n")
	d.says("uplink lan2 IPv4 pending: table main has no IPv4 default route by eth1 to learn from\n")
	d.says("uplink lan2 IPv6 installed: added 2 routes and 1 rule, named table 20 lan2\n")
	d.says("ready\n")

	// The lease arrives with its default route.
	h.route("add", "default via 192.168.2.1 dev eth1 metric 200 proto dhcp")
	d.says("uplink lan2 IPv4 installed: added")
	d.complete()

	// The cable is pulled.
	h.ns.Down("eth1")
	d.says("uplink lan2 IPv4 pending: the interface eth1 is down\n")
	h.ns.Up("eth1")
	d.says("uplink lan2 IPv4 installed: added ")

	// The address and the gateway change.
	h.ns.Addr("eth1", "2001:db8:2::2/64")
	h.ns.DelAddr("eth1", "192.168.2.2/24")
	h.ns.Addr("eth1", "192.168.2.77/24")
	h.route("replace", "default via 192.168.2.9 dev eth1 metric 200 proto dhcp")
	// How many events come of these changes depends on when the service looks.
	d.until("the new address and gateway are used", func() bool {
		state := h.state()
		return strings.Contains(state, "from 192.168.2.77 lookup 20 ") && strings.Contains(state, "via 192.168.2.9 dev if")
	})
	d.complete()
	if state := h.state(); strings.Contains(state, "192.168.2.2 ") || !strings.Contains(state, "via 192.168.2.9 dev if") {
		t.Errorf("the state is\n%s", state)
	}

	// Rules are deleted by hand.
	h.rule("del", "from 192.168.1.2 lookup 10 proto 210 pref 31000")
	d.says("uplink lan1 IPv4 repaired: ")
	d.says("rules changed: ")
	d.says("ip rule add from 192.168.1.2 lookup 10 proto 210 pref 31000")
	d.complete()

	// The file changes.
	h.write(h.file, "lan2 table 20 dev eth1 via 192.168.2.1 also fwmark 7\n")
	hangUp(t)
	d.says("was read again: 1 uplink\n")
	d.says("uplink lan1 IPv4 removed\n")
	d.says("ready\n")
	d.complete()
	if state := h.state(); strings.Contains(state, "table 10 ") || !strings.Contains(state, "fwmark 0x7") {
		t.Errorf("after another file the state is\n%s", state)
	}
	// A file with a fault changes nothing.
	before := h.state()
	h.write(h.file, "lan2 table x\n")
	hangUp(t)
	d.says("error: " + h.file + `:1: word 3 "x": not the number of a table`)
	d.says("error: the file was not loaded: the uplinks stay as they were\n")
	d.end(exitOK)
	d.says("stopped: the uplinks stay installed, and are no longer repaired\n")
	h.unchanged(before)
}

// A shared default route is added, moved and removed by changes of the file.
func TestRunShared(t *testing.T) {
	const line = "lan2 table 20 dev eth1 via 192.168.2.1"
	h := newHost(t, line+"\n")
	h.route("del", "default via 192.168.1.1 dev eth0")
	d := h.daemon()
	d.says("ready\n")
	without := h.state()
	becomes := func(text string) {
		t.Helper()
		h.write(h.file, text)
		hangUp(t)
	}
	has := func(words string) {
		t.Helper()
		d.complete()
		if state := h.state(); strings.Count(state, "proto 210") != strings.Count(without, "proto 210")+1 || !strings.Contains(state, words) {
			t.Errorf("want one more, %s, in\n%s", words, state)
		}
	}
	becomes(line + " weight 2\n")
	d.says("uplink (default) IPv4 installed: added 1 route\n")
	d.says("ready\n")
	has("proto 210 metric 50\n")
	becomes(line + " weight 2\ndefault metric 70\n")
	d.says("uplink (default) IPv4 installed: ")
	d.says("ready\n")
	has("proto 210 metric 70\n")
	becomes(line + " weight 2\ndefault table 9\n")
	d.says("uplink (default) IPv4 installed: added 1 route\n")
	d.says("uplink (default) IPv4 repaired: ")
	d.says("other uplinks changed")
	d.says(": ip route del default via 192.168.2.1 dev eth1 proto 210 metric 70\n")
	d.says("ready\n")
	has("table 9 proto 210 metric 50\n")
	becomes(line + " weight 2\ndefault table 20\n")
	d.says("error: " + h.file + ":1: table: 20 is also the table of the shared default\n")
	d.says("error: the file was not loaded: the uplinks stay as they were\n")
	becomes(line + "\n")
	d.says("uplink (default) IPv4 removed: ip route del default via 192.168.2.1 dev eth1 table 9 proto 210 metric 50\n")
	d.says("ready\n")
	d.complete()
	h.unchanged(without)
	// A shared default route that cannot be installed, and then is not wanted any more.
	h.route("add", "default via 192.168.1.1 dev eth0 metric 50")
	becomes(line + " weight 2\n")
	d.says("uplink (default) IPv4 failed: ")
	d.says("ready\n")
	if out := d.asked(); !strings.Contains(out, "shared default inet: failed") {
		t.Errorf("status says\n%s", out)
	}
	becomes(line + "\n")
	d.says("uplink (default) IPv4 removed\n")
	d.says("ready\n")
	if out := d.asked(); strings.Contains(out, "shared default") {
		t.Errorf("status still says\n%s", out)
	}
	d.end(exitOK)
}

// hangUp makes the services of this process read their files again.
func hangUp(t *testing.T) {
	t.Helper()
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
}

// If a program deletes a rule again and again, status reports a fight.
func TestRunFight(t *testing.T) {
	h := newHost(t, "lan1 table 10 dev eth0 via 192.168.1.1\nlan2 table 20 dev eth1 via 192.168.2.1\n")
	d := h.daemon()
	d.says("ready\n")
	fighting := func() bool { return strings.Contains(d.stderr.String(), "warning: uplink lan2 fighting: ") }
	for end := time.Now().Add(patience); !fighting(); {
		for r, err := range rule.All(t.Context(), h.conn, rule.Filter{Table: 20}) {
			if err == nil {
				err = rule.Delete(t.Context(), h.conn, r)
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
		}
		if time.Now().After(end) {
			t.Fatalf("no fight within %v\n%s", patience, &d.stderr)
		}
	}
	d.statusSays("    lan2: repairs are limited: ")
	d.complete()
	d.end(exitOK)
}

// With -remove the uplinks are removed at the end. The log can be JSON.
func TestRunRemove(t *testing.T) {
	h := newHost(t, "lan2 table 20 dev eth1 via 192.168.2.1\n")
	before := h.state()
	d := h.daemon("-remove", "-json")
	d.until("ready", func() bool { return strings.Contains(d.stdout.String(), `"ready"`) })
	d.complete()
	d.end(exitOK)
	h.unchanged(before)
	var kinds []string
	for line := range strings.Lines(d.stdout.String()) {
		var e struct{ Msg, Uplink, Family, Steps string }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if strings.HasPrefix(e.Msg, "uplink") && (e.Uplink != "lan2" || e.Family != "inet") {
			t.Errorf("an event of something else: %s", line)
		}
		kinds = append(kinds, e.Msg)
	}
	if want := []string{"uplink installed", "ready", "uplink removed", "stopped: the uplinks were removed"}; !slices.Equal(kinds, want) || d.stderr.String() != "" {
		t.Errorf("events %q, want %q\n%s", kinds, want, &d.stderr)
	}
}

// With -once, run ends when everything is complete, or after the time of -wait.
func TestRunOnce(t *testing.T) {
	h := newHost(t, "lan2 table 20 dev eth1 via 192.168.2.1\n")
	h.ns.Down("eth1")
	d := h.daemon("-once", "-wait", "1s")
	d.ended(exitPending)
	d.says("pending: the interface eth1 is down\n")
	d.says("warning: not complete: lan2 inet: pending: the interface eth1 is down\n")
	d = h.daemon("-once")
	d.says("pending: the interface eth1 is down\n")
	h.ns.Up("eth1")
	d.ended(exitOK)
	h.run(exitOK, "status")
}

// Uplinks that conflict are a fault of the file, which has a status that no crash has. A namespace that cannot be opened is a failure.
func TestRunRefused(t *testing.T) {
	h := newHost(t, "lan2 table 20 dev eth1 via 192.168.2.1\nlan3 table 30 dev eth1 via 192.168.2.9\n")
	before := h.state()
	_, stderr := h.run(exitConfig, "run")
	if want := "FILE:2: src: is missing here and on line 1: both uplinks would have all addresses of eth1\n"; stderr != want {
		t.Errorf("%q, want %q", stderr, want)
	}
	h.write(h.file, "lan2 table 20 dev eth1 via 192.168.2.1\n")
	_, stderr = h.runIn(h.Context(), exitFailure, "-n", "/nowhere/at/all", "run", "lan2")
	if !strings.Contains(stderr, "/nowhere/at/all") {
		t.Errorf("%q", stderr)
	}
	h.unchanged(before)
}

// The namespace of -n is deleted and made again, and deleted for a while. The service follows
// the name, and answers in the namespace that has it.
func TestNamespaceFollowed(t *testing.T) {
	h := newHost(t, "lan2 table 20 dev eth1 via 192.168.2.1\n")
	other := newHost(t, "")
	other.file, other.etc, other.control = h.file, h.etc, h.control
	name := filepath.Join(t.TempDir(), "name")
	link := func(h *host) {
		t.Helper()
		if err := os.Symlink(h.ns.Path(), name+".new"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(name+".new", name); err != nil {
			t.Fatal(err)
		}
	}
	link(h)
	d := h.daemon("-n", name)
	d.says("ready\n")
	there := &daemon{host: other}
	link(other)
	d.says("the network namespace " + name + " was deleted and made again\n")
	there.complete()
	there.statusSays("monitored by process ")
	if said := d.asked(); !strings.Contains(said, "not monitored: ") {
		t.Errorf("in the old namespace status says\n%s", said)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	d.says("the network namespace " + name + " was deleted\n")
	link(h)
	d.statusSays("monitored by process ")
	d.complete()
	// The namespace of a process that maintains its uplinks is refused.
	busy := other.daemon("-n", other.ns.Path())
	busy.says("ready\n")
	link(other)
	d.says("already maintains the uplinks of this network namespace\n")
	d.ended(exitFailure)
	busy.end(exitOK)
}

// A path in /proc is that of a process. Another process can get its number, so the service
// does not follow.
func TestNamespaceOfProcessGoes(t *testing.T) {
	h := newHost(t, "lan2 table 20 dev eth1 via 192.168.2.1\n")
	f, err := os.Open(h.ns.Path())
	if err != nil {
		t.Fatal(err)
	}
	path := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), f.Fd())
	d := h.daemon("-n", path)
	d.says("ready\n")
	f.Close()
	d.says(path)
	d.ended(exitFailure)
}

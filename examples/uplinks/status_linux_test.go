package main

import (
	"strings"
	"testing"
)

// lan2 returns the state of lan2, which is the last uplink of the status, and what is below
// its line.
func (h *host) lan2() string {
	h.Helper()
	stdout, _ := h.run(exitPending, "status")
	_, after, ok := strings.Cut(strings.TrimSuffix(stdout, "\n"+notMaintained+"\n"), "\nlan2  inet    eth1  ")
	row, details, _ := strings.Cut(after, "\n")
	if !ok || row == "" {
		h.Fatalf("status has no lan2:\n%s", stdout)
	}
	return strings.Join(append(strings.Fields(row)[:1], splitDetails(details)...), "; ")
}

// splitDetails returns the lines below an uplink.
func splitDetails(text string) []string {
	var all []string
	for line := range strings.Lines(text) {
		all = append(all, strings.TrimSpace(line))
	}
	return all
}

const (
	theRule  = "from 192.168.2.2 lookup 20 proto 210 pref 31001"
	theRoute = "192.168.2.0/24 dev eth1 table 20 proto 210 src 192.168.2.2"
	theWay   = "default via 192.168.2.1 dev eth1 table 20 proto 210 src 192.168.2.2"
)

// harms are changes that other programs make to lan2.
var harms = []struct {
	name string
	harm func(h *host)
	want string
	stay bool // a conflict with other programs that up does not repair
}{
	{
		name: "rule deleted", harm: func(h *host) { h.rule("del", theRule) },
		want: "incomplete; missing: rule from 192.168.2.2 lookup 20 proto 210 pref 31001",
	},
	{
		name: "route deleted", harm: func(h *host) { h.route("del", theWay) },
		want: "incomplete; missing: route default via 192.168.2.1 dev eth1 table 20 proto 210 src 192.168.2.2",
	},
	{
		name: "both", harm: func(h *host) { h.rule("del", theRule); h.route("del", theRoute) },
		want: "incomplete; missing: route 192.168.2.0/24 dev eth1 table 20 proto 210 src 192.168.2.2; " +
			"missing: rule from 192.168.2.2 lookup 20 proto 210 pref 31001",
	},
	{
		name: "gateway", harm: func(h *host) {
			h.route("replace", "default via 192.168.2.9 dev eth1 table 20 proto 210")
		},
		want: "incomplete; changed: route default via 192.168.2.9 dev eth1 table 20 proto 210; " +
			"wanted: route default via 192.168.2.1 dev eth1 table 20 proto 210 src 192.168.2.2",
	},
	{
		name: "extra", harm: func(h *host) {
			h.rule("add", "from 10.9.9.9 lookup 20 proto 210 pref 99")
			h.route("add", "10.9.0.0/16 via 192.168.2.9 dev eth1 table 20 proto 210")
		},
		want: "incomplete; extra: rule from 10.9.9.9 lookup 20 proto 210 pref 99; " +
			"extra: route 10.9.0.0/16 via 192.168.2.9 dev eth1 table 20 proto 210",
	},
	{
		name: "a foreign rule in its place", stay: true,
		harm: func(h *host) {
			h.rule("del", theRule)
			h.rule("add", "from 10.9.9.9 lookup main pref 31001")
			h.write(h.file, strings.Replace(lan12, "dev eth1", "dev eth1 pref 31001", 1))
		},
		want: "incomplete; another program's rule has the priority of one of the uplink's rules: give the uplink another priority: 31001: from 10.9.9.9 lookup main",
	},
	{
		name: "a foreign route in its table", stay: true,
		harm: func(h *host) { h.route("replace", "default via 192.168.2.9 dev eth1 table 20 proto static") },
		want: "incomplete; another program's route has the same destination and metric as one of the uplink's; delete it, or set " +
			"another metric: default via 192.168.2.9 dev eth1 table lan2 proto static",
	},
	{
		name: "no interface", stay: true,
		harm: func(h *host) { h.ns.DeleteLink("eth1") },
		want: `incomplete; dev: the interface "eth1" does not exist`,
	},
	{
		name: "everything", harm: func(h *host) { h.run(exitOK, "down", "lan2") },
		want: "absent",
	},
}

// Status reports what other programs changed, and up repairs it.
func TestStatus(t *testing.T) {
	for _, c := range harms {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t, lan12)
			h.run(exitOK, "up")
			c.harm(h)
			if got := h.lan2(); got != c.want {
				t.Errorf("state %s\nwant  %s", got, c.want)
			}
			stdout, _ := h.run(exitPending, "status")
			if lan1 := "\nlan1  inet    eth0  complete    "; !strings.Contains(stdout, lan1) {
				t.Errorf("status\n%s\nwithout %s", stdout, lan1)
			}
			if !c.stay {
				h.run(exitOK, "up")
				h.run(exitOK, "status")
			}
		})
	}
}

const lan12 = `lan1 table 10 dev eth0 via 192.168.1.1
lan2 table 20 dev eth1 via 192.168.2.1
`

// If each of two uplinks can be installed alone, but not both, the status has the state of
// each and the reason.
func TestStatusTogether(t *testing.T) {
	h := newHost(t, "lan1 table 10 dev eth0 via 192.168.1.1\nlan2 table 20 dev eth1 via 192.168.2.1 src 192.168.1.2\n")
	h.want(`NAME  FAMILY  DEV   STATE   TCP  SOURCES
lan1  inet    eth0  absent    0  192.168.1.2
lan2  inet    eth1  absent    0  192.168.1.2
    src: 192.168.1.2 is also a source of uplink lan1
`+notMaintained+"\n", exitPending, "status")
	before := h.state()
	_, stderr := h.run(exitFailure, "up")
	if want := "uplinks: uplink lan2: src: 192.168.1.2 is also a source of uplink lan1; nothing was changed\n"; stderr != want {
		t.Errorf("%s\nwant %s", stderr, want)
	}
	h.unchanged(before)
}

// An uplink whose packets all go elsewhere is not complete, whoever sees to that.
func TestStatusOverruled(t *testing.T) {
	h := newHost(t, lan12)
	h.run(exitOK, "up")
	h.route("add", "default via 192.168.1.1 dev eth0 table 52")
	h.rule("add", "from all lookup 52 pref 5270")
	stdout, _ := h.run(exitPending, "status", "lan2")
	const want = "\n    the rule at 5270, from all lookup 52 (by its priority, it may belong to Tailscale), " +
		"comes before the uplink's rules and takes packets from 192.168.2.2, which leave by eth0\n"
	if !strings.Contains(stdout, want) {
		t.Errorf("got\n%swant %s", stdout, want)
	}
	h.rule("del", "from all lookup 52 pref 5270")
	h.run(exitOK, "status")
}

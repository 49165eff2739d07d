package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// statusSays waits until the status contains want.
func (d *daemon) statusSays(want string) {
	d.Helper()
	var stdout string
	for end := time.Now().Add(patience); !strings.Contains(stdout, want); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			d.Fatalf("status does not say %s, but\n%s%s", want, stdout, &d.stderr)
		}
		var out, errs bytes.Buffer
		run(d.Context(), []string{"-n", d.ns.Path(), "-f", d.file, "-etc", d.etc, "-control", d.control, "status"}, &out, &errs)
		stdout = out.String()
	}
}

// With a running service, status shows what its uplinks wait for, and where its lines differ.
func TestStatusKept(t *testing.T) {
	h := newHost(t, "lan1 table 10 dev eth0 via 192.168.1.1\nlan2 table 20 dev eth1 via 192.168.2.1\n")
	h.ns.Down("eth1")
	d := h.daemon()
	d.says("ready\n")
	kept := fmt.Sprintf("monitored by process %d since ", os.Getpid())
	d.statusSays(kept)
	d.statusSays("\n    waits: the interface eth1 is down (for ")
	h.ns.Up("eth1")
	d.complete()

	// The file has changed, and the service has not read it yet.
	h.write(h.file, "lan1 table 10 dev eth0 via 192.168.1.1 metric 7\nlan3 table 30 dev eth1 via 192.168.2.1\n")
	d.statusSays("    monitored with the old line, until \"uplinks run\" reads the file again: lan1 table 10 dev eth0 via 192.168.1.1\n")
	d.statusSays("    not monitored: \"uplinks run\" was started without this uplink, or has not read the file again\n")
	d.statusSays("    lan2 inet: monitored as well, but not selected here\n")
	hangUp(t)
	d.says("was read again: 2 uplinks\n")
	d.says("ready\n")
	d.complete()

	// The same as JSON.
	stdout, _ := h.run(exitOK, "-json", "status")
	var r report
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || r.Maintainer == nil {
		t.Fatalf("%v\n%s", err, stdout)
	}
	k := r.Maintainer
	if k.PID != os.Getpid() || k.File != "FILE" || time.Since(k.Since) > time.Hour || len(k.Uplinks) != 2 || k.Repairs == 0 ||
		len(r.Uplinks) != 2 {
		t.Fatalf("keeper %+v", k)
	}
	if u := k.Uplinks[1]; u.Name != "lan3" || u.Family != "inet" || u.State != lineInstalled || u.Config != r.Uplinks[1].Config {
		t.Errorf("lan3 is kept as %+v", u)
	}

	// The service would undo down.
	_, stderr := h.run(exitOK, "down")
	if want := fmt.Sprintf("uplinks: warning: process %d maintains uplinks, ", os.Getpid()); !strings.HasPrefix(stderr, want) {
		t.Errorf("down says %q", stderr)
	}
	d.complete()
	d.end(exitOK)
	stdout, _ = h.run(exitOK, "status")
	if !strings.HasSuffix(stdout, notMaintained+"\n") {
		t.Errorf("after the end status is\n%s", stdout)
	}
}

// A network namespace can have only one service.
func TestRunTwice(t *testing.T) {
	h := newHost(t, "lan2 table 20 dev eth1 via 192.168.2.1\n")
	d := h.daemon()
	d.says("ready\n")
	_, stderr := h.run(exitFailure, "run")
	if want := fmt.Sprintf("uplinks: process %d already maintains the uplinks of this network namespace\n", os.Getpid()); stderr != want {
		t.Errorf("%q, want %q", stderr, want)
	}
	h.run(exitOK, "run", "-once") // which ends
	other := newHost(t, "lan2 table 20 dev eth1 via 192.168.2.1\n").daemon()
	other.says("ready\n")
	other.end(exitOK)
	d.end(exitOK)
	h.daemon().says("ready\n")
}

// The log and status show the result of probes, and a share that was withdrawn comes back.
func TestRunHealth(t *testing.T) {
	h := newHost(t, "lan1 table 10 dev eth0 via 192.168.1.1 weight 1\n"+
		"lan2 table 20 dev eth1 via 192.168.2.1 weight 1 connect 192.0.2.1:443 every 20ms failures 2 successes 1 withdraw also dport 25\n")
	h.net.Addr("g2", "192.168.2.1/24")
	h.net.Addr("lo", "192.0.2.1/32")
	serve := func() net.Listener {
		l, err := h.net.Listen("tcp", "192.0.2.1:443")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	l := serve()
	d := h.daemon()
	d.says("uplink lan2 IPv4 healthy\n")
	if got := h.wayOut(query("", 25)); got != "eth1 192.168.2.1" {
		t.Errorf("mail leaves by %s", got)
	}
	l.Close()
	d.says("warning: uplink lan2 IPv4 unhealthy: ")
	d.says("uplink lan2 IPv4 repaired: ") // by the health alone, or together with something else
	d.says("the health of an uplink changed")
	d.says(": ip rule del from all dport 25 lookup 20 ")
	d.statusSays("  unhealthy, ")
	// What it has deleted is not missing.
	d.statusSays("\n    withdrawn while the probes fail: rule from all dport 25 lookup main suppress_prefixlength 1 proto 210 pref ")
	var out, errs bytes.Buffer
	run(t.Context(), []string{"-n", h.ns.Path(), "-f", h.file, "-etc", h.etc, "-control", d.control, "check"}, &out, &errs)
	if strings.Contains(out.String(), "does not exist") || !strings.Contains(out.String(), "[") {
		t.Errorf("check says:\n%s%s", &out, &errs)
	}
	if got := h.wayOut(query("", 25)); got != "eth0 192.168.1.1" {
		t.Errorf("mail of an unhealthy uplink leaves by %s", got)
	}
	l = serve()
	defer l.Close()
	d.says("uplink lan2 IPv4 healthy\n")
	d.complete()
	d.statusSays("  healthy, ")
	d.end(exitOK)
}

package main

import (
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// statusOf returns the status as JSON.
func (h *host) statusOf(status int) *report {
	h.Helper()
	stdout, _ := h.run(status, "-json", "status")
	r := new(report)
	if err := json.Unmarshal([]byte(stdout), r); err != nil {
		h.Fatalf("%v\n%s", err, stdout)
	}
	return r
}

// Status counts the connections from the addresses of an uplink, and the bytes of its
// interface.
func TestStatusMeasures(t *testing.T) {
	h := newReadmeHost(t)
	h.run(exitOK, "up")
	before := h.statusOf(exitOK)
	for _, e := range before.Uplinks {
		if e.Connections == nil || *e.Connections != 0 || e.MoreConnections || e.Traffic == nil || e.Traffic.ReceivedRate != nil {
			t.Errorf("before: %+v, %v, %+v", e, e.Connections, e.Traffic)
		}
	}
	l, err := h.net.Listen("tcp", "192.168.2.1:80")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for range 3 {
		c, err := h.ns.Dial(t.Context(), "tcp", "192.168.2.2:0", "192.168.2.1:80")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	after := h.statusOf(exitOK)
	for i, want := range []int{0, 3} {
		if e := after.Uplinks[i]; *e.Connections != want {
			t.Errorf("%s has %d connections, want %d", e.Name, *e.Connections, want)
		}
	}
	if b, a := before.Uplinks[1].Traffic, after.Uplinks[1].Traffic; a.SentBytes < b.SentBytes+3*40 || a.ReceivedBytes < b.ReceivedBytes+3*40 {
		t.Errorf("three connections make of %+v %+v", b, a)
	}
	if stdout, _ := h.run(exitOK, "status"); !strings.Contains(stdout, "\nlan2  inet    eth1  complete    3  192.168.2.2\n") {
		t.Errorf("status is\n%s", stdout)
	}
}

// A connection of IPv4 by a socket of IPv6 counts as well, and a network has all of its
// addresses. At a limit the count says that there are more.
func TestCountConnections(t *testing.T) {
	entries := []*entry{{Sources: []string{"192.0.2.1"}}, {Sources: []string{"2001:db8::/32"}}, {}}
	d := newTally(entries)
	message := func(family byte, source ...byte) {
		data := make([]byte, diagMessageSize)
		data[0] = family
		copy(data[diagSourceAt:], source)
		b := append(make([]byte, unix.NLMSG_HDRLEN), data...)
		b[0], b[4] = byte(len(b)), sockDiagByFamily
		if done, err := d.readMessages(b); done || err != nil {
			t.Errorf("done %v, %v", done, err)
		}
	}
	message(unix.AF_INET, 192, 0, 2, 1)
	message(unix.AF_INET6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1)
	message(unix.AF_INET6, 0x20, 0x01, 0x0d, 0xb8)
	d.more = true
	d.set(entries)
	if *entries[0].Connections != 2 || *entries[1].Connections != 1 || entries[2].Connections != nil || !entries[0].MoreConnections {
		t.Errorf("%v, of %d", d.counts, d.read)
	}
	for _, b := range [][]byte{make([]byte, 16), {255, 255, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, {16, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}} {
		if done, err := d.readMessages(b); !done || err == nil {
			t.Errorf("%v: done %v, %v", b, done, err)
		}
	}
}

// The rates are those between two samples, unless another interface has the name now.
func TestTrafficSince(t *testing.T) {
	at := time.Now()
	earlier := sample{at, map[string]traffic{"eth0": {ReceivedBytes: 1000, SentBytes: 10}, "eth1": {ReceivedBytes: 1000}}}
	now := sample{at.Add(2 * time.Second), map[string]traffic{"eth0": {ReceivedBytes: 3000, SentBytes: 10}, "eth1": {ReceivedBytes: 5}, "eth2": {}}}
	got := now.since(earlier).traffic
	if e := got["eth0"]; e.ReceivedRate == nil || *e.ReceivedRate != 1000 || *e.SentRate != 0 || got["eth1"].ReceivedRate != nil || got["eth2"].ReceivedRate != nil {
		t.Errorf("%+v", got)
	}
}

// A file or a pipe is not a terminal. A terminal has its size, and colors unless NO_COLOR
// says otherwise.
func TestTerminal(t *testing.T) {
	none := func(string) string { return "" }
	_, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if got := terminalOf(&printer{w, false}, none); got.is() {
		t.Errorf("a pipe is %+v", got)
	}
	_, f := openTerminalPair(t)
	if f == nil {
		return
	}
	if err := unix.IoctlSetWinsize(int(f.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: 100, Row: 30}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, value string
		want        terminal
	}{
		{"", "", terminal{100, 30, true}}, {"NO_COLOR", "1", terminal{100, 30, false}}, {"TERM", "dumb", terminal{}},
	} {
		getenv := func(name string) string {
			if name == c.name {
				return c.value
			}
			return ""
		}
		if got := terminalOf(&printer{f, false}, getenv); got != c.want {
			t.Errorf("%s=%s: %+v, want %+v", c.name, c.value, got, c.want)
		}
	}
}

// openTerminalPair returns the two sides of a new terminal: that of the window, and that of
// programs. They are nil if this machine makes no terminals.
func openTerminalPair(t *testing.T) (master, f *os.File) {
	t.Helper()
	m, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Logf("there is no terminal to try: %v", err)
		return nil, nil
	}
	t.Cleanup(func() { m.Close() })
	n, err := unix.IoctlGetInt(int(m.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(m.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	f, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Logf("there is no terminal to try: %v", err)
		return nil, nil
	}
	t.Cleanup(func() { f.Close() })
	return m, f
}

// With a running service, status has the last probe and the last events.
func TestStatusHealth(t *testing.T) {
	h := newHost(t, "lan1 table 10 dev eth0 via 192.168.1.1 connect 192.168.1.1:80 every 20ms timeout 10s\n")
	h.net.Addr("g1", "192.168.1.1/24")
	l, err := h.net.Listen("tcp", "192.168.1.1:80")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d := h.daemon()
	d.says("uplink lan1 IPv4 healthy")
	d.until("a probe in the status", func() bool {
		k := h.statusOf(exitOK).Maintainer
		return k != nil && k.Uplinks[0].Probed && k.Uplinks[0].Probes > 1 && k.Uplinks[0].ProbeSeconds > 0 && !k.Uplinks[0].LastProbe.IsZero()
	})
	d.statusSays("  healthy, ")
	d.statusSays("s ago  uplink lan1 IPv4 healthy\n")
	h.route("del", "default via 192.168.1.1 dev eth0 table 10 proto 210 src 192.168.1.2")
	d.says("uplink lan1 IPv4 repaired")
	d.until("the repair of lan1", func() bool { return h.statusOf(exitOK).Maintainer.Uplinks[0].Repairs == 1 })
	d.end(exitOK)
}

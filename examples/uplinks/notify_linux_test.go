package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// systemd is notified of readiness, reloads and the end, and for its watchdog.
func TestRunNotify(t *testing.T) {
	for _, name := range []string{filepath.Join(t.TempDir(), "notify"), "@policyroute/test/" + strconv.Itoa(os.Getpid())} {
		t.Run(name[:1], func(t *testing.T) { testNotify(t, name) })
	}
}

func testNotify(t *testing.T, path string) {
	h := newHost(t, "lan2 table 20 dev eth1 via 192.168.2.1\n")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "200000")
	// hears waits for a message with a prefix.
	hears := func(text string) string {
		t.Helper()
		l.SetReadDeadline(time.Now().Add(patience))
		b := make([]byte, 4096)
		for {
			n, err := l.Read(b)
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			if strings.HasPrefix(string(b[:n]), text) {
				return string(b[:n])
			}
		}
	}
	d := h.daemon()
	hears("READY=1")
	hears("STATUS=1 of 1 uplink complete, 0 repairs. Last: ready")
	for range 3 {
		hears("WATCHDOG=1")
	}
	before := monotonic()
	hangUp(t)
	var usec int64
	said := hears("RELOADING=1\nMONOTONIC_USEC=")
	if _, err := fmt.Sscanf(said, "RELOADING=1\nMONOTONIC_USEC=%d", &usec); err != nil {
		t.Error(err)
	}
	if at := time.Duration(usec) * time.Microsecond; at < before-time.Microsecond || at > monotonic() {
		t.Errorf("%q, not after %v", said, before)
	}
	hears("READY=1")
	h.write(h.file, "nonsense\n")
	hangUp(t)
	hears("RELOADING=1")
	hears("READY=1")
	d.stop()
	hears("STOPPING=1")
	d.ended(exitOK)
}

// The variables of a service manager.
func TestManager(t *testing.T) {
	self := os.Getpid()
	for _, c := range []struct {
		usec, pid string
		watch     time.Duration
		look      time.Duration
	}{
		{"", "", 0, 0},
		{"60000000", "", time.Minute, 15 * time.Second},
		{"60000000", strconv.Itoa(self), time.Minute, 15 * time.Second},
		{"60000000", strconv.Itoa(self + 1), 0, 0},
		{"x", "", 0, 0},
		{"3600000000", "", time.Hour, 0}, // the default interval is short enough
		{"99999999999999999999", "", 0, 0},
	} {
		m := newManager(func(name string) string {
			return map[string]string{"WATCHDOG_USEC": c.usec, "WATCHDOG_PID": c.pid}[name]
		})
		if m.watchdogTimeout != c.watch || m.lookInterval() != c.look {
			t.Errorf("%+v: %v, a look every %v", c, m.watchdogTimeout, m.lookInterval())
		}
	}
}

// The watchdog is notified only while there are looks.
func TestWatchdog(t *testing.T) {
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	m := newManager(func(name string) string {
		return map[string]string{"NOTIFY_SOCKET": l.LocalAddr().String(), "WATCHDOG_USEC": "40000"}[name]
	})
	go m.run(t.Context())
	var looks atomic.Uint64
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		m.watchdog(ctx, &looks)
	}()
	hears := func(within time.Duration) bool {
		l.SetReadDeadline(time.Now().Add(within))
		b := make([]byte, 99)
		n, err := l.Read(b)
		if err == nil && string(b[:n]) != "WATCHDOG=1" {
			t.Errorf("%q", b[:n])
		}
		return err == nil
	}
	for range 3 {
		if hears(3 * m.watchdogTimeout) {
			t.Error("a sign of life without a look")
		}
		looks.Add(1)
		if !hears(patience) {
			t.Error("no sign of life after a look")
		}
	}
	cancel()
	<-done
}

// Standard error is the journal only if the variable names its device and inode.
func TestIsStream(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	st := fi.Sys().(*syscall.Stat_t)
	name := fmt.Sprintf("%d:%d", st.Dev, st.Ino)
	if !isStream(f, name) || isStream(os.Stdin, name) || isStream(f, "") {
		t.Errorf("%s is not told from others", name)
	}
}

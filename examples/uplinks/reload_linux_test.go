package main

import (
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// reload returns when the uplinks of the new file are installed. With a faulty file it
// fails, nothing changes, and status and the service manager see the faulty line and how
// things stand. A fault may be found only by the process that maintains the uplinks.
func TestReload(t *testing.T) {
	h := newHost(t, "lan1 table 10 dev eth0 via 192.168.1.1\n")
	_, stderr := h.run(exitFailure, "reload")
	if want := "uplinks: \"uplinks run\" is not active in this network namespace\n"; stderr != want {
		t.Errorf("without a process: %q, want %q", stderr, want)
	}
	m := h.manager()
	p := h.build()
	p.start()
	m.hears("READY=1")
	pid := p.cmd.Process.Pid

	// Each time the uplinks are there afterwards.
	for metric := 5; metric < 15; metric++ {
		h.write(h.file, fmt.Sprintf("lan1 table 10 dev eth0 via 192.168.1.1\nlan2 table 20 dev eth1 via 192.168.2.1 metric %d\n", metric))
		h.want(fmt.Sprintf("process %d has read FILE again: 2 of 2 uplinks complete\n", pid), exitOK, "reload")
		if words := fmt.Sprintf(" src 192.168.2.2 metric %d\n", metric); !strings.Contains(h.state(), words) {
			t.Fatalf("after the reload there is no route with %s in\n%s", words, h.state())
		}
	}
	h.ns.Down("eth1")
	h.want(fmt.Sprintf("process %d has read FILE again: 1 of 2 uplinks complete\n"+
		"    lan2 inet: pending: the interface eth1 is down\n", pid), exitOK, "reload")
	h.ns.Up("eth1")
	p.complete()

	before := h.state()
	for text, fault := range map[string]string{
		"lan1 table x\nlan2 dve\n": "FILE:1: word 3 \"x\": not the number of a table",
		"lan1 table 10 dev eth0 via 192.168.1.1 src 192.168.1.2\nlan2 table 20 dev eth0 via 192.168.1.1\ndefault table 20\n": "FILE:2: table: 20 ",
	} {
		h.write(h.file, text)
		_, stderr := h.run(exitUsage, "reload")
		if end := fmt.Sprintf("\nuplinks: process %d still uses the old lines\n", pid); !strings.HasPrefix(stderr, fault) ||
			!strings.HasSuffix(stderr, end) {
			t.Errorf("reload says %q, want %q… and %q", stderr, fault, end)
		}
		m.hears("READY=1\nSTATUS=NOT RELOADED, the old lines are in use: " + strings.Replace(fault, "FILE", h.file, 1))
		h.unchanged(before)
	}

	// status shows the fault and the uplinks that the process has.
	h.write(h.file, "lan1 table x\n")
	stdout, stderr := h.run(exitUsage, "status")
	want := fmt.Sprintf("\nuplinks: FILE has a fault; the status below is of the lines that process %d has read\n", pid)
	if !strings.HasPrefix(stderr, "FILE:1: word 3 \"x\": ") || !strings.HasSuffix(stderr, want) {
		t.Errorf("status says %q, want %q", stderr, want)
	}
	for _, words := range []string{"lan1  inet    eth0  complete ", "lan2  inet    eth1  complete ", "\nmonitored by process", "the last reload was refused"} {
		if !strings.Contains(stdout, words) {
			t.Errorf("status prints\n%s\nwithout %q", stdout, words)
		}
	}
	stdout, _ = h.run(exitUsage, "-json", "status")
	var r report
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || len(r.Uplinks) != 2 || !strings.HasPrefix(r.Error, "FILE:1: ") ||
		r.Maintainer == nil || r.Maintainer.Reload.Error == "" {
		t.Errorf("%v\n%s", err, stdout)
	}

	// A good file ends it.
	h.write(h.file, "lan1 table 10 dev eth0 via 192.168.1.1\n")
	h.want(fmt.Sprintf("process %d has read FILE again: 1 of 1 uplink complete\n", pid), exitOK, "reload")
	m.hears("READY=1\nSTATUS=1 of 1 uplink complete, ")
	if stdout, _ := h.run(exitOK, "status"); strings.Contains(stdout, "refused") {
		t.Errorf("after a good file status says\n%s", stdout)
	}

	// A process that ends does not leave reload waiting.
	p.signal(syscall.SIGSTOP)
	done := make(chan error, 1)
	go func() {
		_, err := requestReload(t.Context(), controlPlace{h.control, h.ns.Path()})
		done <- err
	}()
	p.signal(syscall.SIGKILL)
	p.cmd.Wait()
	if err := <-done; err == nil {
		t.Error("reload of a killed process succeeds")
	}
}

// The status of a crash is not that of a faulty file, after which there is no restart.
func TestCrashStatus(t *testing.T) {
	h := newHost(t, "lan1 table 10 dev eth0 via 192.168.1.1\n")
	p := h.build()
	for _, s := range []syscall.Signal{syscall.SIGABRT, syscall.SIGSEGV, syscall.SIGQUIT} {
		p.start()
		p.says("ready")
		p.signal(s)
		p.cmd.Wait()
		if got := p.cmd.ProcessState.ExitCode(); got == exitConfig {
			t.Errorf("after %v the status is %d, that of a faulty file", s, got)
		}
	}
	h.write(h.file, "lan1 table x\nlan2 dve eth0\n")
	if out := p.do(78, "run"); strings.Count(out, "FILE:") != 2 {
		t.Errorf("run says %s", out)
	}
	p.do(78, "run", "-bogus")
	p.do(78, "run", "-once")
	p.do(exitUsage, "up")
}

// parse needs no privilege and no network, and prints what the file says.
func TestParse(t *testing.T) {
	h := newHost(t, "# two\nlan1   table 10 via 192.168.1.1 dev eth0\n\nlan2 dev nowhere table 20 learn inet # here\n")
	h.want("lan1 table 10 dev eth0 via 192.168.1.1\nlan2 table 20 dev nowhere learn inet\n", exitOK, "parse")
	h.want("lan2 table 20 dev nowhere learn inet\n", exitOK, "parse", "lan2")
	stdout, _ := h.run(exitOK, "-json", "parse")
	var r report
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || r.Command != "parse" || len(r.Uplinks) != 2 || r.Uplinks[1].Dev != "nowhere" {
		t.Errorf("%v\n%s", err, stdout)
	}
	h.write(h.file, "lan1 table x\nlan2 dve eth0\n")
	if _, stderr := h.run(exitUsage, "parse"); strings.Count(stderr, "FILE:") != 2 {
		t.Errorf("parse says %s", stderr)
	}
}

// A listener receives what the service manager is told.
type listener struct {
	*host
	messages chan string
}

// manager makes the programs that the test starts tell their state to the result.
func (h *host) manager() *listener {
	h.Helper()
	name := filepath.Join(h.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		h.Fatal(err)
	}
	h.Setenv("NOTIFY_SOCKET", name)
	m := &listener{h, make(chan string, 1000)}
	done := make(chan struct{})
	go func() { // all the time, because the socket has room for a few messages only
		defer close(done)
		b := make([]byte, 4096)
		for {
			n, err := l.Read(b)
			if err != nil {
				return
			}
			m.messages <- string(b[:n])
		}
	}()
	h.Cleanup(func() {
		l.Close()
		<-done
	})
	return m
}

// hears waits for a message with a prefix.
func (m *listener) hears(prefix string) {
	m.Helper()
	for end := time.After(patience); ; {
		select {
		case text := <-m.messages:
			if strings.HasPrefix(text, prefix) {
				return
			}
		case <-end:
			m.Fatalf("no message %s", prefix)
		}
	}
}

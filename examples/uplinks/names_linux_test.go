package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/files"
	"github.com/policyroute/policyroute/rule"
)

const oneUplink = "lan2 table 20 dev eth1 via 192.168.2.1 src 192.168.2.2\n"

// rules returns how many rules look up a table.
func (h *host) rules(table uint32) int {
	h.Helper()
	n := 0
	for r, err := range rule.All(h.Context(), h.conn, rule.Filter{}) {
		if err != nil {
			h.Fatal(err)
		}
		if uint32(r.Table) == table {
			n++
		}
	}
	return n
}

// Something else in the place of rt_tables costs the name, and neither time nor anything
// else. The warning says what it is.
func TestNamesNoFile(t *testing.T) {
	for what, put := range map[string]func(string) error{
		"a pipe":      func(path string) error { return unix.Mkfifo(path, 0o644) },
		"a directory": func(path string) error { return os.Mkdir(path, 0o755) },
		"a device":    func(path string) error { return os.Symlink("/dev/zero", path) },
	} {
		h := newHost(t, oneUplink)
		path := filepath.Join(h.etc, "rt_tables")
		if err := errors.Join(os.Remove(path), put(path)); err != nil {
			t.Fatal(err)
		}
		want := "ETC/rt_tables: is not a regular file but " + what
		for _, x := range []struct {
			command string
			status  int
			rules   int
			warns   bool
		}{
			{"plan", exitPending, 0, true}, {"up", exitOK, 1, true}, {"plan", exitOK, 1, true}, {"status", exitOK, 1, false},
			{"check", exitOK, 1, false}, {"down", exitFailure, 0, true},
		} {
			out, stderr := h.run(x.status, x.command)
			if x.warns != strings.Contains(stderr, "warning: the name lan2 of table 20: ") || x.warns != strings.Contains(stderr, want) {
				t.Errorf("%s: %s printed\n%s%swant %s: %v", what, x.command, out, stderr, want, x.warns)
			}
			if n := h.rules(20); n != x.rules {
				t.Errorf("%s: after %s there are %d rules, want %d", what, x.command, n, x.rules)
			}
		}
	}
}

// A name that cannot be read when it is to be deleted is reported, and deleted the next
// time.
func TestNameUnreadableAtDown(t *testing.T) {
	h := newHost(t, oneUplink)
	before := h.state()
	path := filepath.Join(h.etc, "rt_tables")
	h.run(exitOK, "up")
	// The first byte of the memory of a process cannot be read: EIO.
	if err := errors.Join(os.Rename(path, path+".aside"), os.Symlink("/proc/self/mem", path)); err != nil {
		t.Fatal(err)
	}
	_, stderr := h.run(exitFailure, "down")
	if !strings.Contains(stderr, "warning: the name lan2 of table 20: ") || !strings.Contains(stderr, unix.EIO.Error()) {
		t.Errorf("down printed %s", stderr)
	}
	if n := h.rules(20); n != 0 {
		t.Errorf("%d rules are left", n)
	}
	if err := os.Rename(path+".aside", path); err != nil {
		t.Fatal(err)
	}
	if _, stderr := h.run(exitOK, "down"); stderr != "" {
		t.Errorf("down printed %s", stderr)
	}
	h.unchanged(before)
}

// Names are for all to read, whatever the umask of the one who writes them.
func TestNamesUmask(t *testing.T) {
	h := newHost(t, oneUplink)
	if err := os.RemoveAll(h.etc); err != nil {
		t.Fatal(err)
	}
	defer unix.Umask(unix.Umask(0o077))
	h.run(exitOK, "up")
	for path, want := range map[string]fs.FileMode{
		"": fs.ModeDir | 0o755, "rt_tables.d": fs.ModeDir | 0o755, "rt_tables.d/policyroute.conf": 0o644,
	} {
		if info, err := os.Stat(filepath.Join(h.etc, path)); err != nil || info.Mode() != want {
			t.Errorf("%s: mode %v, %v, want %v", path, info.Mode(), err, want)
		}
	}
	h.run(exitOK, "down")
	if _, err := os.Stat(h.etc); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory is left: %v", err)
	}
}

// Who holds the lock of names is named, and everything else is done.
func TestNamesLocked(t *testing.T) {
	h := newHost(t, oneUplink)
	hold := func(path string, flags int, mode uint32) int {
		t.Helper()
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|flags, mode)
		if err == nil {
			err = unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		return fd
	}
	// What everyone can lock does not matter.
	hold(filepath.Join(h.etc, "rt_tables"), 0, 0)
	hold(h.etc, 0, 0)
	for _, command := range []string{"up", "down"} {
		if _, stderr := h.run(exitOK, command); stderr != "" {
			t.Errorf("%s printed %s", command, stderr)
		}
	}
	fd := hold(filepath.Join(h.etc, ".policyroute.lock"), unix.O_CREAT, 0o600)
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	_, stderr := h.run(exitOK, "up")
	want := fmt.Sprintf(`warning: the name lan2 of table 20: rttables: register 20 "lan2": lock ETC/.policyroute.lock: held by process %d (%q)`,
		os.Getpid(), strings.TrimSpace(string(comm)))
	if !strings.Contains(stderr, want) {
		t.Errorf("up printed %swant %s", stderr, want)
	}
	if n := h.rules(20); n != 1 {
		t.Errorf("%d rules, want 1", n)
	}
	unix.Close(fd)
	h.run(exitOK, "up")
	if b, _ := os.ReadFile(filepath.Join(h.etc, "rt_tables")); !strings.Contains(string(b), "\tlan2 ") {
		t.Errorf("the name is not written: %s", b)
	}
}

// No command waits for a pipe that has the place of a file. A pipe that the program has
// inherited is read, once.
func TestPipeForFile(t *testing.T) {
	h := newHost(t, oneUplink)
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(pipe, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, stderr := h.runIn(t.Context(), exitFailure, "-n", pipe, "plan"); !strings.Contains(stderr, pipe+" is not a network namespace") {
		t.Errorf("-n: %s", stderr)
	}
	h.file = pipe
	if _, stderr := h.run(exitUsage, "plan"); !strings.Contains(stderr, "FILE: is not a regular file but a pipe") {
		t.Errorf("-f: %s", stderr)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := w.WriteString(oneUplink); err != nil {
		t.Fatal(err)
	}
	w.Close()
	o := options{file: fmt.Sprintf("/dev/fd/%d", r.Fd())}
	if c, err := o.load(t.Context()); err != nil || len(c.uplinks) != 1 {
		t.Errorf("an inherited pipe: %v, %v", c, err)
	}
	if _, err := o.loadAgain(t.Context()); !errors.Is(err, files.ErrNotRegular) {
		t.Errorf("the same pipe again: %v", err)
	}
}

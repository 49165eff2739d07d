package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/rule"
)

// harmless reports an error if a terminal would take a part of a text for something else
// than what it shows.
func harmless(t *testing.T, what, text string) {
	t.Helper()
	bad := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' && r != '\t' })
	if bad >= 0 || !utf8.ValidString(text) {
		t.Errorf("%s prints %q", what, text)
	}
}

// An interface may be called as a terminal is told to clear its screen. Nothing that is
// printed does that, and the commands of a plan still work in a shell. The file cannot have
// such a name, and says why.
func TestOddInterface(t *testing.T) {
	for _, dev := range []string{"\x1b[2Je", "\x9b2J\xff", "\u202eeth\a"} {
		t.Run(strconv.QuoteToASCII(dev), func(t *testing.T) {
			h := newHost(t, "lan1 table 10 dev eth0 via 192.168.1.1\n")
			h.ns.Link(dev, h.net, "g3")
			h.ns.Addr(dev, "192.168.3.2/24")
			h.ns.AltName(dev, "alt\x1b]0;title\a")
			h.run(exitOK, "up")
			after := h.state()
			h.route("add", "default via 192.168.3.1 dev "+dev+" metric 300")
			h.route("add", "10.9.0.0/16 via 192.168.3.1 dev "+dev+" table 10 proto 210")
			for command, status := range map[string]int{"plan": exitPending, "status": exitPending, "init": exitOK} {
				for _, flag := range []string{"", "-json"} {
					stdout, stderr := h.run(status, strings.Fields(flag+" "+command)...)
					harmless(t, command+" "+flag, stdout+stderr)
					var r report
					if flag != "" && json.Unmarshal([]byte(stdout), &r) != nil {
						t.Errorf("%s prints no JSON: %s", command, stdout)
					}
					if want := "\n    extra: route 10.9.0.0/16 via 192.168.3.1 dev "; command == "status" && flag == "" && !strings.Contains(stdout, want) {
						t.Errorf("status is\n%s", stdout)
					}
					if want := "# This line cannot be in a file: a name has characters that cannot be printed\n# "; command == "init" && flag == "" && !strings.Contains(stdout, want) {
						t.Errorf("init prints\n%s", stdout)
					}
				}
			}
			script, _ := h.run(exitPending, "plan", "-sh")
			harmless(t, "plan -sh", script)
			d := h.daemon("-v")
			d.says("installed: ip route del 10.9.0.0/16 ")
			d.says("ready\n")
			harmless(t, "run", d.stderr.String())
			d.end(exitOK)
			if _, err := exec.LookPath("ip"); err == nil {
				h.route("add", "10.9.0.0/16 via 192.168.3.1 dev "+dev+" table 10 proto 210")
				if _, err := h.ns.Run(script, "sh"); err != nil {
					t.Errorf("%v\n%s", err, script)
				}
			}
			h.route("del", "default via 192.168.3.1 dev "+dev+" metric 300")
			h.unchanged(after)
			h.write(h.file, "lan3 table 30 dev "+dev+" via 192.168.3.1\n")
			_, stderr := h.run(exitUsage, "plan")
			if harmless(t, "plan", stderr); !strings.Contains(stderr, "invisible") && !strings.Contains(stderr, "UTF-8") {
				t.Errorf("the fault of the file is %s", stderr)
			}
		})
	}
}

// What a line of the file has, and its name, is printed in an error as it is in a terminal.
func TestOddFile(t *testing.T) {
	h := newHost(t, "")
	h.file += "\x1b[31m"
	h.write(h.file, "lan1 table \x1b[2J\n\x07\n")
	for _, command := range []string{"plan", "status", "run", "parse"} {
		status := exitUsage
		if command == "run" {
			status = exitConfig
		}
		stdout, stderr := h.run(status, command)
		if harmless(t, command, stdout+stderr); !strings.Contains(stderr, `\x1b[2J`) {
			t.Errorf("%s says %q", command, stderr)
		}
	}
	h.write(h.file, "")
	_, stderr := h.runIn(t.Context(), exitFailure, "-n", "/no\x1b[2Jnamespace", "plan")
	harmless(t, "plan", stderr)
}

// A process with a name of escapes and lines fights with run. It can neither reach the
// terminal, nor begin a line of the log, nor tell the service manager anything.
func TestOddProcess(t *testing.T) {
	h := newHost(t, "lan1 table 10 dev eth0 via 192.168.1.1\nlan2 table 20 dev eth1 via 192.168.2.1\n")
	const comm = "/proc/self/comm"
	name := h.read(comm)
	h.write(comm, "\x1b[2J\nSTOPPING=1")
	defer h.write(comm, strings.TrimSpace(name))
	const shown = `(\x1b[2J\x0aSTOPPING=1)`
	m := h.manager()
	d := h.daemon()
	d.says("ready\n")
	fight := "warning: uplink lan2 fighting: process " + fmt.Sprint(os.Getpid()) + " " + shown + " keeps undoing it"
	for end := time.Now().Add(patience); !strings.Contains(d.stderr.String(), fight); {
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
	d.statusSays("    lan2: repairs are limited: process " + fmt.Sprint(os.Getpid()) + " " + shown)
	stdout, _ := h.run(exitOK, "status", "-json", "lan1")
	harmless(t, "status -json", stdout)
	d.end(exitOK)
	harmless(t, "run", d.stderr.String())
	for {
		select {
		case text := <-m.messages:
			if harmless(t, "run", text); strings.HasPrefix(text, "STATUS=") && strings.Contains(text, "\n") {
				t.Errorf("the service manager is told %q", text)
			}
		case <-time.After(100 * time.Millisecond): // the service has ended
			return
		}
	}
}

// A stuck is a run whose log and service manager do not read, and which is busy all the same.
type stuck struct {
	*program
	pipe   *os.File // the other end of standard error
	notify *net.UnixConn
}

// startStuck starts a run with standard error and a service manager that are full.
func (h *host) startStuck() *stuck {
	h.Helper()
	s := &stuck{program: h.build()}
	r, w, err := os.Pipe()
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { r.Close() })
	s.pipe, s.log = r, new(log)
	fill(h.T, int(w.Fd()))
	// The file for the process blocks.
	if err := unix.SetNonblock(int(w.Fd()), false); err != nil {
		h.Fatal(err)
	}
	path := filepath.Join(h.control + ".notify")
	if s.notify, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"}); err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { s.notify.Close() })
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Connect(fd, &unix.SockaddrUnix{Name: path})
	}
	if err != nil {
		h.Fatal(err)
	}
	defer unix.Close(fd)
	fill(h.T, fd)
	s.cmd = s.command("run", "-v")
	s.cmd.Stderr = w
	s.cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+path, "WATCHDOG_USEC=400000")
	if err := s.ns.Do(s.cmd.Start); err != nil {
		h.Fatal(err)
	}
	w.Close()
	h.Cleanup(func() {
		s.cmd.Process.Kill()
		s.cmd.Wait()
	})
	return s
}

// fill writes until that would block.
func fill(t *testing.T, fd int) {
	t.Helper()
	if err := unix.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{4096, 1} {
		for n := 0; ; n++ {
			_, err := unix.Write(fd, []byte(strings.Repeat("x", size)))
			if err == unix.EAGAIN {
				break
			} else if err != nil || n > 1<<20 {
				t.Fatalf("after %d writes: %v", n, err)
			}
		}
	}
}

// hears reads what the service manager is told until there is a message with a prefix.
func (s *stuck) hears(prefix string) {
	s.Helper()
	s.notify.SetReadDeadline(time.Now().Add(patience))
	b := make([]byte, 8192)
	for {
		n, err := s.notify.Read(b)
		if err != nil {
			s.Fatalf("%s: %v", prefix, err)
		}
		if strings.HasPrefix(string(b[:n]), prefix) {
			return
		}
	}
}

// A log, a service manager and clients that do not read hold up no repair, and hear later
// what they have missed.
func TestStuck(t *testing.T) {
	h := newHost(t, "lan2 table 20 dev eth1 via 192.168.2.1\n")
	s := h.startStuck()
	repaired := func() {
		t.Helper()
		s.complete()
		h.rule("del", loneRule)
		s.complete()
	}
	for range 5 {
		repaired()
	}
	s.signal(syscall.SIGHUP)
	for range 3 {
		repaired()
	}
	s.hears("READY=1")
	s.hears("RELOADING=1")
	for range 3 {
		s.hears("WATCHDOG=1")
	}
	repaired()
	s.hears("STATUS=1 of 1 uplink complete, 9 repairs. ")
	go func() { // the log flows
		b := make([]byte, 1<<16)
		for {
			n, err := s.pipe.Read(b)
			if s.log.Write(b[:n]); err != nil {
				return
			}
		}
	}()
	s.says("ready")
	for range 9 {
		s.says("uplink lan2 IPv4 repaired: …")
	}
	repaired()
	s.says("uplink lan2 IPv4 repaired: …")
	s.signal(syscall.SIGTERM)
	s.hears("STOPPING=1")
	s.ends("exit status 0")
}

// A run whose log and service manager never read ends when it is told to.
func TestStuckEnd(t *testing.T) {
	h := newHost(t, "lan2 table 20 dev eth1 via 192.168.2.1\n")
	s := h.startStuck()
	s.complete()
	s.signal(syscall.SIGTERM)
	s.ends("exit status 0")
}

// A service manager that is not there holds up nothing.
func TestNotifyNobody(t *testing.T) {
	m := newManager(func(name string) string {
		return map[string]string{"NOTIFY_SOCKET": filepath.Join(t.TempDir(), "notify")}[name]
	})
	stop := m.start()
	defer stop()
	m.notify("READY=1")
	m.notifyStatus("all is well")
	for end := time.Now().Add(patience); m.next() != ""; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s is still to be sent", m.next())
		}
	}
}

// Ctrl-C ends a command whose file cannot be read, and a device is not read.
func TestUnreadFile(t *testing.T) {
	h := newHost(t, "")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	h.file = fmt.Sprintf("/dev/fd/%d", r.Fd())
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, stderr := h.runIn(ctx, exitUsage, "plan")
	if want := "uplinks: FILE could not be read: context deadline exceeded\n"; stderr != want {
		t.Errorf("it says %q, want %q", stderr, want)
	}
	h.file = "/dev/zero"
	if _, stderr = h.run(exitUsage, "plan"); !strings.Contains(stderr, "is not a regular file but a device") {
		t.Errorf("it says %q", stderr)
	}
}

// However long a status is, the manager takes it: longer datagrams are ignored by systemd.
func TestStatusLine(t *testing.T) {
	for text, want := range map[string]string{
		"all is well":       "STATUS=all is well",
		"a\nREADY=1\x1b":    `STATUS=a; READY=1\x1b`,
		"a\r\u2028READY=1 ": `STATUS=a\x0d\u2028READY=1`,
	} {
		if got := statusLine(text); got != want {
			t.Errorf("the status of %q is %q, want %q", text, got, want)
		}
	}
	if got := statusLine(strings.Repeat("é", 5000)); len(got) > 1100 || !utf8.ValidString(got) || !strings.HasSuffix(got, "é…") {
		t.Errorf("a long status is %q", got)
	}
}

// FuzzStatusLine checks that no text begins another line, and that all is UTF-8.
func FuzzStatusLine(f *testing.F) {
	for _, s := range []string{"", "a\nREADY=1", "\xff\x1b", strings.Repeat("\u202e", 500)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := statusLine(s)
		harmless(t, "a status", got)
		if len(got) > 4096 || strings.ContainsAny(got, "\n\t") {
			t.Errorf("the status of %q is %q", s, got)
		}
	})
}

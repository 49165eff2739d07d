package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// strangerID is the user and the group of a process that may do nothing.
const strangerID = 65534

// asStranger runs fn on a thread of an ordinary user without capabilities, in the namespace
// of the host. If this user namespace has no other user, the thread only loses its
// capabilities, and other is false.
func (h *host) asStranger(fn func()) (other bool) {
	h.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if err := unix.Setns(h.ns.FD(), unix.CLONE_NEWNET); err != nil {
			done <- err
			return
		}
		var errno syscall.Errno
		for _, call := range []uintptr{unix.SYS_SETRESGID, unix.SYS_SETRESUID} { // of this thread alone
			if errno == 0 {
				_, _, errno = unix.RawSyscall(call, strangerID, strangerID, strangerID)
			}
		}
		other = errno == 0
		if errno != 0 && errno != unix.EINVAL {
			done <- errno
			return
		}
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		err := unix.Capset(&header, &make([]unix.CapUserData, 2)[0])
		if err == nil {
			fn()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		h.Fatal(err)
	}
	return other
}

// loneRule is the rule of an uplink lan2 that is the only one.
const loneRule = "from 192.168.2.2 lookup 20 proto 210 pref 31000"

// key returns the name of the socket and of the lock of a host.
func (h *host) key() string {
	h.Helper()
	key, err := netnsKey(h.ns.Path())
	if err != nil {
		h.Fatal(err)
	}
	return filepath.Join(h.control, key)
}

// Whatever another user has taken or tries to take, run begins and keeps the uplinks, and
// status knows of it.
func TestStranger(t *testing.T) {
	h := newHost(t, "lan2 table 20 dev eth1 via 192.168.2.1\n")
	for _, dir := range []string{filepath.Dir(h.control), filepath.Dir(filepath.Dir(h.control))} {
		if err := os.Chmod(dir, 0o755); err != nil { // so that only the directory itself protects
			t.Fatal(err)
		}
	}
	// Names of abstract sockets can be taken by everyone. None of them matters.
	key := h.key()
	names := []string{"@policyroute/uplinks", "@" + h.control, "@" + key + ".sock"}
	var held []net.Listener
	var got []error
	h.asStranger(func() {
		for _, name := range names {
			l, err := net.Listen("unix", name)
			held, got = append(held, l), append(got, err)
		}
	})
	if err := errors.Join(got...); err != nil {
		t.Fatal(err)
	}
	for _, l := range held {
		defer l.Close()
	}
	got = nil
	d := h.daemon()
	d.says("ready\n")
	other := h.asStranger(func() {
		for _, name := range []string{".lock", ".sock"} {
			_, err := os.OpenFile(key+name, os.O_RDONLY, 0)
			got = append(got, err, os.Remove(key+name), os.Rename(key+name, key+".moved"))
		}
		_, err := net.Dial("unix", key+".sock")
		got = append(got, err, os.WriteFile(key+".new", nil, 0o644), os.Rename(h.control, h.control+".moved"))
	})
	if other { // else it is the owner of the directory
		for i, err := range got {
			if !errors.Is(err, fs.ErrPermission) {
				t.Errorf("attack %d ends with %v", i, err)
			}
		}
		h.rule("del", loneRule)
		d.complete()
		d.statusSays(fmt.Sprintf("monitored by process %d since ", os.Getpid()))
		_, stderr := h.run(exitFailure, "run")
		if !strings.Contains(stderr, "already") {
			t.Errorf("a second run says %q", stderr)
		}
	}
	d.end(exitOK)
	d = h.daemon()
	d.says("ready\n")
	d.end(exitOK)
}

// An ordinary user is told that root can ask, and has the rest of the status.
func TestStatusOfStranger(t *testing.T) {
	h := newHost(t, "lan2 table 20 dev eth1 via 192.168.2.1\n")
	d := h.daemon()
	d.says("ready\n")
	if err := os.Chmod(filepath.Dir(filepath.Dir(h.control)), 0o755); err != nil {
		t.Fatal(err)
	}
	var err error
	ask := func() { _, err = askMaintainer(controlPlace{h.control, ""}) }
	if !h.asStranger(ask) {
		os.Chmod(h.control, 0)
		h.asStranger(ask)
		os.Chmod(h.control, 0o700)
	}
	var unknown *unknownError
	want := "only root can ask: " + h.control + " is closed to other users"
	if !errors.As(err, &unknown) || err.Error() != want {
		t.Errorf("the answer is %v, want %s", err, want)
	}
	for _, r := range []report{{Unknown: want}, {Unknown: want, Warnings: []string{"w"}}} {
		var b strings.Builder
		if r.writeStatus(&b, terminal{}); !strings.HasSuffix(b.String(), "\n"+whoIsUnknown+want+"\n") {
			t.Errorf("status says\n%s", &b)
		}
	}
	d.end(exitOK)
}

// The files are for one user alone, and go with the process.
func TestControlFiles(t *testing.T) {
	h := newHost(t, "lan2 table 20 dev eth1 via 192.168.2.1\n")
	d := h.daemon()
	d.says("ready\n")
	for path, want := range map[string]fs.FileMode{
		h.control: fs.ModeDir | 0o700, h.key() + ".sock": fs.ModeSocket | 0o600, h.key() + ".lock": 0o600,
	} {
		if fi, err := os.Lstat(path); err != nil || fi.Mode() != want {
			t.Errorf("%s: %v, %v, want %v", path, fi.Mode(), err, want)
		}
	}
	d.end(exitOK)
	if left, err := os.ReadDir(h.control); err != nil || len(left) > 0 {
		t.Errorf("%v are left, %v", left, err)
	}
}

// What a killed process has left is in nobody's way.
func TestControlStale(t *testing.T) {
	h := newHost(t, "lan2 table 20 dev eth1 via 192.168.2.1\n")
	p := h.build()
	for range 3 {
		p.start()
		p.says("ready")
		if out := p.do(exitOK, "status"); !strings.Contains(out, fmt.Sprintf("monitored by process %d since ", p.cmd.Process.Pid)) {
			t.Errorf("status says\n%s", out)
		}
		p.signal(syscall.SIGKILL)
		p.ends("signal: killed")
		if _, err := os.Lstat(h.key() + ".sock"); err != nil {
			t.Error(err)
		}
		if out := p.do(exitOK, "status"); !strings.HasSuffix(out, notMaintained+"\n") {
			t.Errorf("after SIGKILL status says\n%s", out)
		}
	}
}

// A process that is stopped keeps its place: status and a second run give up in time.
func TestControlStopped(t *testing.T) {
	h := newHost(t, "lan2 table 20 dev eth1 via 192.168.2.1\n")
	p := h.build()
	p.start()
	p.says("ready")
	p.signal(syscall.SIGSTOP)
	out := p.do(exitOK, "status")
	want := fmt.Sprintf(whoIsUnknown+"process %d does not report its state: ", p.cmd.Process.Pid)
	if strings.Count(out, want) != 2 {
		t.Errorf("status says\n%s\nwant %s", out, want)
	}
	want = fmt.Sprintf("uplinks: process %d already maintains the uplinks of this network namespace\n", p.cmd.Process.Pid)
	if out := p.do(exitFailure, "run"); out != want {
		t.Errorf("a second run says\n%s\nwant %s", out, want)
	}
	if out := p.do(exitOK, "down"); !strings.HasPrefix(out, "uplinks: warning: \"uplinks run\" may install the uplinks again: "+whoIsUnknown+"process ") {
		t.Errorf("down says\n%s", out)
	}
	p.do(exitOK, "up")
	// Its socket is gone, and the lock still says that it is alive.
	if err := os.Remove(h.key() + ".sock"); err != nil {
		t.Fatal(err)
	}
	if out := p.do(exitFailure, "run"); out != want {
		t.Errorf("a second run says\n%s\nwant %s", out, want)
	}
	want = fmt.Sprintf(whoIsUnknown+"process %d maintains the uplinks, but does not answer\n", p.cmd.Process.Pid)
	if out := p.do(exitOK, "status"); strings.Count(out, want) != 2 {
		t.Errorf("status says\n%s\nwant %s", out, want)
	}
	p.signal(syscall.SIGCONT)
	p.signal(syscall.SIGTERM)
	p.ends("exit status 0")
}

// A process that answers nonsense is reported, and the rest of the status is printed.
func TestNoAnswer(t *testing.T) {
	h := newHost(t, "lan2 table 20 dev eth1 via 192.168.2.1\n")
	dir, err := makePrivateDir(h.control)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.close()
	l, err := dir.listen(filepath.Base(h.key()) + ".sock")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(c, "{")
			c.Close()
		}
	}()
	stdout, stderr := h.run(exitPending, "status")
	want := fmt.Sprintf(whoIsUnknown+"process %d does not report its state: unexpected EOF\n", os.Getpid())
	if stderr != "uplinks: warning: "+want || !strings.HasSuffix(stdout, want) || !strings.Contains(stdout, "absent") {
		t.Errorf("status says\n%s%s\nwant %s", stdout, stderr, want)
	}
}

// Without a directory that it can trust run says so once, and keeps the uplinks all the
// same. Status says that it does not know.
func TestControlRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(h *host) error
		want string
	}{
		{"a symbolic link", func(h *host) error { return os.Symlink(h.etc, h.control) }, "CONTROL is not a directory"},
		{"a file", func(h *host) error { return os.WriteFile(h.control, nil, 0o600) }, "CONTROL is not a directory"},
		{"a FIFO", func(h *host) error { return unix.Mkfifo(h.control, 0o600) }, "CONTROL is not a directory"},
		{"writable", func(h *host) error { return errors.Join(os.Mkdir(h.control, 0), os.Chmod(h.control, 0o720)) },
			"other users than its owner can write CONTROL: chmod go-w CONTROL"},
		{"a lock that is a FIFO", func(h *host) error {
			return errors.Join(os.Mkdir(h.control, 0o700), unix.Mkfifo(h.key()+".lock", 0o600))
		}, "CONTROL/KEY.lock is not a regular file"},
		{"a lock that is a symbolic link", func(h *host) error {
			return errors.Join(os.Mkdir(h.control, 0o700), os.Symlink(h.file, h.key()+".lock"))
		}, "open CONTROL/KEY.lock: too many levels of symbolic links"},
		{"a socket that is a directory", func(h *host) error {
			return errors.Join(os.Mkdir(h.control, 0o700), os.Mkdir(h.key()+".sock", 0o700))
		}, "CONTROL/KEY.sock: bind: address already in use"},
		{"of another user", func(h *host) error {
			return errors.Join(os.Mkdir(h.control, 0o700), os.Chown(h.control, strangerID, strangerID))
		}, "CONTROL belongs to user 65534"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t, "lan2 table 20 dev eth1 via 192.168.2.1\n")
			if err := c.make(h); errors.Is(err, syscall.EINVAL) {
				return // this user namespace has no other user
			} else if err != nil {
				t.Fatal(err)
			}
			before := h.read(h.file)
			want := strings.NewReplacer("CONTROL", h.control, "KEY", filepath.Base(h.key())).Replace(c.want)
			d := h.daemon()
			d.says("warning: status cannot ask this process")
			d.says(": " + want)
			d.says("ready\n")
			h.rule("del", loneRule)
			d.says("repaired")
			if out := d.asked(); strings.Count(out, whoIsUnknown) != 2 {
				t.Errorf("status says\n%s", out)
			}
			d.end(exitOK)
			if strings.Contains(d.stderr.String(), "status cannot ask") {
				t.Errorf("it warns again\n%s", &d.stderr)
			}
			if h.read(h.file) != before {
				t.Errorf("the file is now\n%s", h.read(h.file))
			}
		})
	}
}

// On a host whose /run cannot be written, run works and warns, and status does not know.
func TestControlReadOnly(t *testing.T) {
	h := newHost(t, "lan2 table 20 dev eth1 via 192.168.2.1\n")
	p := h.build()
	run := t.TempDir()
	h.control = filepath.Join(run, "uplinks")
	p.path, p.readOnly = "/proc/self/exe", []string{readOnlyEnv + "=" + run, readOnlyEnv + "_EXEC=" + p.path}
	p.start()
	p.says("warning: status cannot ask this process, and a second run would not be refused: mkdir " + h.control + ": read-only file system")
	p.says("ready")
	p.complete()
	want := whoIsUnknown + "\"uplinks run\" cannot listen in " + run + ", because the directory cannot be written (read-only file system)\n"
	if out := p.do(exitOK, "status"); !strings.Contains(out, " complete ") || !strings.HasSuffix(out, "\n"+want) {
		t.Errorf("status says\n%s\nwant %s", out, want)
	}
	var r report
	if err := json.Unmarshal([]byte(p.do(exitOK, "-json", "status")), &r); err != nil || whoIsUnknown+r.Unknown+"\n" != want ||
		len(r.Warnings) > 0 {
		t.Errorf("as JSON: %+v, %v", r, err)
	}
	p.signal(syscall.SIGTERM)
	p.ends("exit status 0")
}

// readOnlyEnv is set in a process that has to mount something read-only at its value, and
// then to execute the program whose path is in readOnlyEnv_EXEC.
const readOnlyEnv = "UPLINKS_TEST_READ_ONLY"

// mountReadOnly does what readOnlyEnv asks for, and does not return then.
func mountReadOnly() {
	dir := os.Getenv(readOnlyEnv)
	if dir == "" {
		return
	}
	runtime.LockOSThread()
	err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_RDONLY, "")
	if err == nil {
		os.Args[0] = os.Getenv(readOnlyEnv + "_EXEC")
		err = syscall.Exec(os.Args[0], os.Args, os.Environ())
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(99)
}

func (h *host) read(path string) string {
	h.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		h.Fatal(err)
	}
	return string(b)
}

// command returns a command of the program.
func (p *program) command(args ...string) *exec.Cmd {
	cmd := exec.Command(p.path, append([]string{"-f", p.file, "-etc", p.etc, "-control", p.control}, args...)...)
	if p.readOnly != nil {
		cmd.Env = append(os.Environ(), p.readOnly...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
	}
	return cmd
}

package maintain_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/maintain"
	"github.com/policyroute/policyroute/table/plan"
)

// An event has the steps that were done: a name that could not be written is none of
// them, and its error is that of the event.
func TestNameThatCannotBeWritten(t *testing.T) {
	n := tabletest.NewNetwork(t)
	u := n.Uplink2(tabletest.IPv4)
	u.Etc = filepath.Join(n.RTTablesFile(), "etc")
	k := newKeeper(n, maintain.Config{}, maintain.Uplink{SourceRoutedUplink: u})
	events := k.log()
	i := slices.IndexFunc(events, func(e maintain.Event) bool { return e.Kind == maintain.EventInstalled })
	if i < 0 {
		t.Fatalf("it is not installed:\n%s", k.text())
	}
	e := events[i]
	var name *plan.NameError
	if !errors.As(e.Err, &name) || name.Table != 20 || name.Name != "lan2" {
		t.Errorf("got the error %v, want a *NameError", e.Err)
	}
	if len(e.Plan.Steps) == 0 || slices.ContainsFunc(e.Plan.Steps, func(s plan.Step) bool { return s.Op.IsName() }) {
		t.Errorf("got the steps\n%swant them without a name", e.Plan)
	}
}

// flock locks a file until the test ends, or the function is called.
func flock(t *testing.T, path string, mode uint32) (unlock func()) {
	t.Helper()
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CREAT|unix.O_CLOEXEC, mode)
	if errors.Is(err, unix.EISDIR) {
		fd, err = unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	}
	if err == nil {
		err = unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
	}
	if err != nil {
		t.Fatal(err)
	}
	open := true
	unlock = func() {
		if open {
			unix.Close(fd)
		}
		open = false
	}
	t.Cleanup(unlock)
	return unlock
}

// rungs returns the rules that look up a table.
func rungs(n *tabletest.Network, id rttables.ID) []rule.Rule {
	n.T.Helper()
	rules, err := rule.List(n.T.Context(), n.Conn, rule.Filter{Table: id})
	if err != nil {
		n.T.Fatal(err)
	}
	return rules
}

// deleteRungs deletes the rules that look up a table, of which there are some.
func deleteRungs(n *tabletest.Network, id rttables.ID) {
	n.T.Helper()
	all := rungs(n, id)
	if len(all) == 0 {
		n.T.Fatalf("no rule looks up the table %d", uint32(id))
	}
	for _, r := range all {
		if err := rule.Delete(n.T.Context(), n.Conn, r); err != nil {
			n.T.Fatal(err)
		}
	}
}

// Whoever may only read the files holds up nothing, not even the name.
func TestNameFilesLockedByReader(t *testing.T) {
	n := tabletest.NewNetwork(t)
	flock(t, n.RTTablesFile(), 0)
	flock(t, n.Etc, 0)
	u := n.Uplink2(tabletest.IPv4)
	k := newKeeper(n, maintain.Config{}, maintain.Uplink{SourceRoutedUplink: u})
	n.WantNothingToDo(u)
	for _, e := range k.log() {
		if e.Err != nil {
			t.Errorf("event %s", e)
		}
	}
}

// While another process holds the lock of names, uplinks are installed and repaired without
// them. The error says who it is. The name is written at a later look.
func TestNamesLocked(t *testing.T) {
	n := tabletest.NewNetwork(t)
	lock := filepath.Join(n.Etc, ".policyroute.lock")
	unlock := flock(t, lock, 0o600)
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	u, v := n.Uplink1(tabletest.IPv4), n.Uplink2(tabletest.IPv4)
	k := newKeeper(n, maintain.Config{}, maintain.Uplink{SourceRoutedUplink: u}, maintain.Uplink{SourceRoutedUplink: v})
	for _, name := range []string{u.Name, v.Name} {
		at := k.await(0, "installed "+name, func(e maintain.Event) bool { return e.Kind == maintain.EventInstalled && e.Uplink == name })
		e := k.log()[at-1]
		var ne *plan.NameError
		want := fmt.Sprintf("process %d (%q)", os.Getpid(), strings.TrimSpace(string(comm)))
		if !errors.As(e.Err, &ne) || ne.Name != name || !strings.Contains(e.Err.Error(), want) || !strings.Contains(e.Err.Error(), lock) {
			t.Errorf("%s: %v, want %s and %s", name, e.Err, want, lock)
		}
		if e.Plan.Empty() || slices.ContainsFunc(e.Plan.Steps, func(s plan.Step) bool { return s.Op.IsName() }) {
			t.Errorf("%s: got the steps\n%swant all but the name", name, e.Plan)
		}
	}
	at := len(k.log())
	deleteRungs(n, v.Table)
	k.awaitKind(at, maintain.EventRepaired)
	unlock()
	for end := time.Now().Add(tabletest.Patience); ; time.Sleep(10 * time.Millisecond) {
		files, err := rttables.ReadFiles(n.Etc)
		if files.Registered(u.Table, u.Name) && files.Registered(v.Table, v.Name) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the names are not written, %v:\n%s", err, k.text())
		}
	}
}

// mountSilent mounts a file system that answers nothing on a directory.
func mountSilent(dir string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return os.NewSyscallError("mount private", err)
	}
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("open /dev/fuse", err)
	}
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", fd)
	return os.NewSyscallError("mount fuse", unix.Mount("silent", dir, "fuse", unix.MS_NOSUID|unix.MS_NODEV, options))
}

// A file system that does not answer holds up neither the uplinks nor their repairs.
func TestNamesOnSilentFileSystem(t *testing.T) {
	n := tabletest.NewNetwork(t)
	u := n.Uplink2(tabletest.IPv4)
	u.Etc = t.TempDir()
	job := maintainJob{Uplinks: []declared{{Uplink: u}}, Silent: u.Etc}
	p := &process{t: t, cmd: n.Child(maintainChild, job), log: new(tail)}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
	p.cmd.Stderr = p.log
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.stdin = stdin
	defer p.kill()
	late := time.AfterFunc(tabletest.Patience, func() { p.cmd.Process.Kill() })
	defer late.Stop()
	switch line, err := bufio.NewReader(stdout).ReadString('\n'); {
	case line == "no mount\n":
		p.cmd.Wait()
		t.Logf("not tried: no file system of this process can be mounted: %s", p.log.last(3)) // for an ordinary user
		return
	case err != nil:
		t.Fatalf("%v: %s", err, p.log.last(20))
	}
	for end := time.Now().Add(tabletest.Patience); !strings.Contains(p.log.last(100), "does not answer"); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the log does not say why there is no name:\n%s", p.log.last(100))
		}
	}
	for range 3 {
		deleteRungs(n, u.Table)
		for end := time.Now().Add(tabletest.Patience); len(rungs(n, u.Table)) == 0; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("it is not repaired:\n%s\n%s", n.Kernel(), p.log.last(20))
			}
		}
	}
}

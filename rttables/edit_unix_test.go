//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package rttables

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/testrun"
)

// isRoot decides what to expect, never whether to test.
func isRoot() bool { return os.Geteuid() == 0 }

func symlink(t *testing.T, target, link string) {
	t.Helper()
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
}

func TestEditSymlink(t *testing.T) {
	report := testrun.Limit(t)
	dir := t.TempDir()
	for _, d := range []string{"real", "etc", "etc/deep"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "real", "rt_tables"), "1 a\n")
	symlink(t, filepath.Join(dir, "real", "rt_tables"), filepath.Join(dir, "etc", "absolute"))
	symlink(t, "../real/rt_tables", filepath.Join(dir, "etc", "relative"))
	symlink(t, "relative", filepath.Join(dir, "etc", "twice"))
	symlink(t, "../real/new", filepath.Join(dir, "etc", "dangling"))
	// Beside real, so that .. leads elsewhere than the path's own text says.
	symlink(t, filepath.Join(dir, "etc"), filepath.Join(dir, "etc", "deep", "etc"))
	links := func() string { return dump(t, filepath.Join(dir, "etc")) }
	before := links()

	for id, path := range map[ID]string{20: "absolute", 21: "relative", 22: "twice", 23: "deep/etc/relative"} {
		err := Edit(t.Context(), filepath.Join(dir, "etc", path), func(f *File) error { return f.Set(id, "t"+id.String(), "") })
		if err != nil {
			report.Error(err)
		}
	}
	b, err := os.ReadFile(filepath.Join(dir, "real", "rt_tables"))
	if f := mustParse(t, string(b)); err != nil || len(f.Entries()) != 5 {
		report.Errorf("got %q, %v", b, err)
	}
	if err := Edit(t.Context(), filepath.Join(dir, "etc", "dangling"), setLan2); err != nil {
		report.Error(err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "real", "new")); string(b) != "20\tlan2\n" {
		report.Errorf("got %q, %v", b, err)
	}
	if diff := cmp.Diff(before, links()); diff != "" {
		report.Errorf("the links (-before +after):\n%s", diff)
	}

	symlink(t, "loop", filepath.Join(dir, "etc", "loop"))
	if err := Edit(t.Context(), filepath.Join(dir, "etc", "loop"), setLan2); err == nil {
		report.Error("a loop of links: no error")
	}
}

func TestEditPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Edit(t.Context(), path, setLan2); err == nil {
		t.Error("no error")
	}
}

func TestEditMode(t *testing.T) {
	report := testrun.Limit(t)
	path := filepath.Join(t.TempDir(), "rt_tables")
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	if err := Edit(t.Context(), path, setLan2); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []fs.FileMode{0o644, 0o600, 0o666, 0o755} {
		if mode != 0o644 { // what a new file has, whatever the umask
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
		}
		err := Edit(t.Context(), path, func(f *File) error { return f.Set(ID(1000+mode), "m"+mode.String(), "") })
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode() != mode {
			report.Errorf("mode %v, %v, want %v", info.Mode(), err, mode)
		}
	}
}

func TestEditOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rt_tables")
	write(t, path, "1 a\n")
	uid, gid := os.Getuid(), os.Getgid()
	if isRoot() {
		uid, gid = 12345, 54321
		if err := os.Chown(path, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	if err := Edit(t.Context(), path, setLan2); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	if int(st.Uid) != uid || int(st.Gid) != gid {
		t.Errorf("owner %d:%d, want %d:%d", st.Uid, st.Gid, uid, gid)
	}
}

// What root may do anyway, an ordinary user may not: then nothing changes.
func TestEditReadOnlyDir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "etc")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "rt_tables")
	write(t, path, "1 a\n")
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o755)
	before := dump(t, dir)
	err := Edit(t.Context(), path, setLan2)
	if isRoot() {
		if err != nil {
			t.Error(err)
		}
		return
	}
	if !errors.Is(err, fs.ErrPermission) {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff(before, dump(t, dir)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
	if err := Edit(t.Context(), path, func(f *File) error { return f.Set(1, "a", "") }); err != nil {
		t.Errorf("nothing to write, nothing to refuse: %v", err)
	}
}

// A lock that is never given back is an error in the end, not a hang.
func TestLockDeadline(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "rt_tables")
	write(t, path, "")
	held, err := lockDir(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer held.unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	comm, _ := os.ReadFile("/proc/self/comm")
	self := fmt.Sprintf("process %d (%q)", os.Getpid(), strings.TrimSpace(string(comm)))
	for what, err := range map[string]error{
		"Edit":       Edit(ctx, path, setLan2),
		"Register":   Register(ctx, dir, 20, "lan2"),
		"Unregister": Unregister(ctx, dir, 20, "lan2"),
	} {
		if what == "Unregister" { // there is nothing to do
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
			continue
		}
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), filepath.Join(dir, lockFile)) ||
			runtime.GOOS == "linux" && !strings.Contains(err.Error(), self) {
			t.Errorf("%s: %v, want the lock, and %s", what, err, self)
		}
	}
	held.unlock()
	if err := Edit(t.Context(), path, setLan2); err != nil {
		t.Error(err)
	}
	if got, want := dump(t, dir), "-rw-r--r-- rt_tables \"20\\tlan2\\n\"\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// What a killed process has left goes with the next edit, and nothing else does.
func TestSweep(t *testing.T) {
	report := testrun.Limit(t)
	dir := t.TempDir()
	dead := filepath.Join(dir, ".rt_tables.policyroute-1")
	lock := filepath.Join(dir, lockFile)
	other := filepath.Join(dir, ".rt_tables.swp")
	for _, path := range []string{dead, lock, other} {
		write(t, path, "")
	}
	if err := Edit(t.Context(), filepath.Join(dir, "rt_tables"), setLan2); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{dead: false, lock: false, other: true} {
		if _, err := os.Lstat(path); (err == nil) != want {
			report.Errorf("%s is there: %v, want %v", path, err == nil, want)
		}
	}
}

// A failure at the last moment leaves no temporary file behind.
func TestEditRenameFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "rt_tables")
	err := Edit(t.Context(), path, func(f *File) error {
		if err := os.Mkdir(path, 0o755); err != nil { // someone else, meanwhile
			return err
		}
		return setLan2(f)
	})
	if err == nil {
		t.Error("no error")
	}
	if got, want := dump(t, dir), "drwxr-xr-x rt_tables\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

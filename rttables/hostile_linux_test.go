package rttables

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/files"
	"github.com/policyroute/policyroute/internal/testrun"
)

// openTempDir returns a new directory that other users can reach.
func openTempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rttables")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// copyOfTest returns the path of the test binary, where other users can run it.
func copyOfTest(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(openTempDir(t), "test")
	if err := os.WriteFile(path, b, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// startStranger starts a process that may read the directory etc and no more, and which
// locks all that it can open. It returns when it has the locks.
func startStranger(t *testing.T, etc string) {
	t.Helper()
	cmd := exec.Command(copyOfTest(t))
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), childEnv+"=hold\n"+etc)
	cmd.Stderr = os.Stderr
	if isRoot() {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		// In a user namespace that has one user only, there is no other. The locks of a
		// process of the same user are the same, for all that it can open.
		if !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.EPERM) {
			t.Fatal(err)
		}
		cmd = exec.Command(cmd.Path)
		cmd.Env, cmd.Stderr = append(os.Environ(), childEnv+"=hold\n"+etc), os.Stderr
		if in, err = cmd.StdinPipe(); err != nil {
			t.Fatal(err)
		}
		if out, err = cmd.StdoutPipe(); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
}

// hold locks the directory etc and the files in it, in all ways that a reader can, until
// its input ends.
func hold(etc string) error {
	n := 0
	err := filepath.WalkDir(etc, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		n++
		if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
			return err
		}
		if d.IsDir() {
			return nil
		}
		// A reader gets a shared lock, which would keep others from an exclusive one.
		return unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_RDLCK})
	})
	if err != nil {
		return err
	}
	fmt.Println("ready", n)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// Who may read the files cannot keep names from being written, whatever they lock.
func TestReaderHoldsAllLocks(t *testing.T) {
	report := testrun.Limit(t)
	for _, pairs := range [][]string{
		{"rt_tables", stock},
		{"rt_tables.d/policyroute.conf", "# ours\n"},
		{"rt_tables.d/x.conf", ""},
	} {
		etc := openTempDir(t)
		path := filepath.Join(etc, pairs[0])
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, path, pairs[1])
		before := dump(t, etc)
		startStranger(t, etc)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := Register(ctx, etc, 20, "lan2"); err != nil {
			report.Errorf("%s: %v", pairs[0], err)
		}
		if !registered(t, etc, 20, "lan2") {
			report.Errorf("%s: it is not registered", pairs[0])
		}
		if err := Unregister(ctx, etc, 20, "lan2"); err != nil {
			report.Errorf("%s: %v", pairs[0], err)
		}
		if diff := cmp.Diff(before, dump(t, etc)); diff != "" {
			report.Errorf("(-before +after):\n%s", diff)
		}
	}
}

// A lock file that others can open was not made by Edit, or was changed since. Whoever
// holds it holds up nothing.
func TestLockOpenToOthers(t *testing.T) {
	etc := openTempDir(t)
	write(t, filepath.Join(etc, lockFile), "") // mode 0644
	startStranger(t, etc)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := Register(ctx, etc, 20, "lan2"); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(etc, ".*")); left != nil {
		t.Errorf("left behind: %q", left)
	}
}

// While the lock is held, no other user can open it.
func TestLockIsPrivate(t *testing.T) {
	report := testrun.Limit(t)
	for _, mask := range []int{0, 0o077, 0o777} {
		dir := t.TempDir()
		old := unix.Umask(mask)
		l, err := lockDir(t.Context(), dir)
		unix.Umask(old)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Lstat(filepath.Join(dir, lockFile)); err != nil || info.Mode() != 0o600 {
			report.Errorf("umask %#o: mode %v, %v", mask, info.Mode(), err)
		}
		l.unlock()
		if got := dump(t, dir); got != "" {
			report.Errorf("left behind: %s", got)
		}
	}
}

// Something else in the place of the lock is an error that names it.
func TestLockNoFile(t *testing.T) {
	report := testrun.Limit(t)
	for what, put := range map[string]func(string) error{
		"a pipe":          func(path string) error { return unix.Mkfifo(path, 0o600) },
		"a directory":     func(path string) error { return os.Mkdir(path, 0o700) },
		"a symbolic link": func(path string) error { return os.Symlink("/dev/null", path) },
	} {
		dir := t.TempDir()
		lock := filepath.Join(dir, lockFile)
		if err := put(lock); err != nil {
			t.Fatal(err)
		}
		err := Register(t.Context(), dir, 20, "lan2")
		if !errors.Is(err, files.ErrNotRegular) || !strings.Contains(err.Error(), lock) || !strings.Contains(err.Error(), what) {
			report.Errorf("%s: %v", what, err)
		}
	}
}

// An editor that writes the file while it is edited loses nothing, and neither does the edit.
func TestEditMeanwhile(t *testing.T) {
	report := testrun.Limit(t)
	for _, how := range []string{"in place", "by another file", "created", "removed"} {
		dir := t.TempDir()
		path := filepath.Join(dir, "rt_tables")
		if how != "created" {
			write(t, path, "1 a\n")
		}
		calls := 0
		err := Edit(t.Context(), path, func(f *File) error {
			if calls++; calls == 1 {
				switch how {
				case "in place", "created":
					write(t, path, "1 a\n2 b\n")
				case "by another file":
					write(t, path+"~", "1 a\n2 b\n")
					if err := os.Rename(path+"~", path); err != nil {
						return err
					}
				case "removed":
					if err := os.Remove(path); err != nil {
						return err
					}
				}
			}
			return setLan2(f)
		})
		want := "1 a\n2 b\n20\tlan2\n"
		if how == "removed" {
			want = "20\tlan2\n"
		}
		if b, _ := os.ReadFile(path); err != nil || string(b) != want || calls != 2 {
			report.Errorf("%s: %q after %d calls, %v; want %q", how, b, calls, err, want)
		}
	}
}

// Extended attributes are those of the old file.
func TestEditAttributes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rt_tables")
	write(t, path, "1 a\n")
	if err := unix.Setxattr(path, "user.note", []byte("keep"), 0); err != nil {
		t.Skipf("the file system of %s has no extended attributes: %v", path, err)
	}
	if err := Edit(t.Context(), path, setLan2); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 10)
	if n, err := unix.Getxattr(path, "user.note", b); err != nil || string(b[:n]) != "keep" {
		t.Errorf("got %q, %v", b[:max(n, 0)], err)
	}
}

// What is no file is refused at once, wherever it is, and said by its name.
func TestRegisterNoFile(t *testing.T) {
	report := testrun.Limit(t)
	for what, put := range map[string]func(string) error{
		"a pipe":      func(path string) error { return unix.Mkfifo(path, 0o644) },
		"a directory": func(path string) error { return os.Mkdir(path, 0o755) },
		"a device":    func(path string) error { return os.Symlink("/dev/zero", path) },
	} {
		for _, name := range []string{"rt_tables", "rt_tables.d/x.conf", "rt_tables.d/policyroute.conf"} {
			etc := t.TempDir()
			if err := os.Mkdir(filepath.Join(etc, "rt_tables.d"), 0o755); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(etc, name)
			if err := put(path); err != nil {
				t.Fatal(err)
			}
			err := Register(t.Context(), etc, 20, "lan2")
			if !errors.Is(err, files.ErrNotRegular) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), what) {
				report.Errorf("Register with %s as %s: %v", what, name, err)
			}
			f, err := ReadFiles(etc)
			if !errors.Is(err, files.ErrNotRegular) || f.Names().Name(Main) != "main" {
				report.Errorf("ReadFiles with %s as %s: %v", what, name, err)
			}
			if isOurs := name != "rt_tables.d/x.conf"; errors.Is(f.Err(), files.ErrNotRegular) != isOurs {
				report.Errorf("Err with %s as %s: %v", what, name, f.Err())
			}
		}
	}
	etc := t.TempDir()
	if err := unix.Mkfifo(filepath.Join(etc, "rt_tables.d"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Register(t.Context(), etc, 20, "lan2"); err == nil {
		report.Error("a pipe as the directory rt_tables.d: no error")
	}
	pipe := filepath.Join(etc, "rt_tables.d")
	if err := Register(t.Context(), pipe, 20, "lan2"); err == nil || !strings.Contains(err.Error(), pipe) {
		report.Errorf("a pipe as the directory: %v", err)
	}
}

// A file that is too big is read up to its limit, and no further.
func TestRegisterTooBig(t *testing.T) {
	etc := t.TempDir()
	path := filepath.Join(etc, "rt_tables")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(1 << 40); err != nil { // without a block
		t.Fatal(err)
	}
	f.Close()
	if err := Register(t.Context(), etc, 20, "lan2"); !errors.Is(err, files.ErrTooBig) || !strings.Contains(err.Error(), path) {
		t.Errorf("Register: %v", err)
	}
	if err := Edit(t.Context(), path, setLan2); !errors.Is(err, files.ErrTooBig) {
		t.Errorf("Edit: %v", err)
	}
	if _, err := Load(os.DirFS(etc), "."); !errors.Is(err, files.ErrTooBig) {
		t.Errorf("Load: %v", err)
	}
	// Nor does an edit make a file that could not be read any more.
	path = filepath.Join(etc, "other")
	write(t, path, strings.Repeat("#\n", files.Max/2))
	if err := Edit(t.Context(), path, setLan2); !errors.Is(err, files.ErrTooBig) || !strings.Contains(err.Error(), path) {
		t.Errorf("Edit of a file that is full: %v", err)
	}
}

package table_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/plan"
)

// withFiles runs fn where /etc and /usr/share hold nothing but some files, which
// no other thread sees. Those in directories that end with "!" can be read only.
func withFiles(t *testing.T, files map[string]string, fn func() error) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with its mounts
		err := emptyMounts(files)
		if err == nil {
			err = fn()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func emptyMounts(files map[string]string) error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return os.NewSyscallError("mount private", err)
	}
	for _, dir := range []string{"/etc", "/usr/share"} {
		if err := os.MkdirAll(dir, 0o755); err != nil { // a machine may have next to nothing
			return err
		}
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"); err != nil {
			return os.NewSyscallError("mount "+dir, err)
		}
	}
	locked := make(map[string]bool)
	for path, text := range files {
		dir, readOnly := strings.CutSuffix(filepath.Dir(path), "!")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), []byte(text), 0o644); err != nil {
			return err
		}
		locked[dir] = readOnly
	}
	for dir, readOnly := range locked {
		if !readOnly {
			continue
		}
		if err := unix.Mount(dir, dir, "", unix.MS_BIND, ""); err != nil {
			return os.NewSyscallError("bind "+dir, err)
		}
		if err := unix.Mount("", dir, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
			return os.NewSyscallError("remount "+dir, err)
		}
	}
	return nil
}

// tree is every file under /etc and /usr/share with its bytes.
func tree() string {
	var b strings.Builder
	for _, dir := range []string{"/etc", "/usr/share"} {
		filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				text, err := os.ReadFile(path)
				fmt.Fprintf(&b, "%s: %q %v\n", path, text, err)
			}
			return nil
		})
	}
	return b.String()
}

// Whatever rt_tables is like, Install works, and says what it could not
// register; what is not ours keeps its bytes, and after Remove all is as before.
func TestNameFiles(t *testing.T) {
	const garbage = "20 lan1 x\n!!\n"
	for name, x := range map[string]struct {
		files   map[string]string
		is      error  // why the name cannot be registered; nil: it is
		damaged bool   // it cannot, because of a line
		where   string // the file that it is registered in
	}{
		"no directory": {nil, nil, false, "/etc/iproute2/rt_tables.d/policyroute.conf"},
		"read-only":    {map[string]string{"/etc/iproute2!/rt_tables": tabletest.RTTables}, syscall.EROFS, false, ""},
		"plain":        {map[string]string{"/etc/iproute2/rt_tables": tabletest.RTTables}, nil, false, "/etc/iproute2/rt_tables"},
		"only under usr": {
			map[string]string{"/usr/share/iproute2/rt_tables": tabletest.RTTables, "/etc/iproute2/rt_protos": ""},
			nil, false, "/etc/iproute2/rt_tables.d/policyroute.conf",
		},
		"usr, and no directory": {
			map[string]string{"/usr/share/iproute2/rt_tables": tabletest.RTTables},
			nil, false, "/etc/iproute2/rt_tables.d/policyroute.conf",
		},
		"usr, and nothing can be made": {
			map[string]string{"/etc!/hosts": "", "/usr/share/iproute2/rt_tables": tabletest.RTTables}, syscall.EROFS, false, "",
		},
		"garbage": {map[string]string{"/etc/iproute2/rt_tables": garbage}, nil, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			n := tabletest.NewNetwork(t)
			kernel := n.Kernel()
			withFiles(t, x.files, func() error {
				before := tree()
				u := n.Uplink2(tabletest.IPv4)
				u.Etc = ""
				err := u.Install(t.Context(), n.Conn)
				var ne *plan.NameError
				refused := x.is != nil || x.damaged
				if refused != errors.As(err, &ne) || !refused && err != nil || x.is != nil && !errors.Is(err, x.is) {
					t.Errorf("Install: %v, want a *NameError: %t, that is %v", err, refused, x.is)
				}
				if got := n.Kernel(); !strings.Contains(got, "rule 31000: from 10.2.0.2 lookup 20 proto 210\n") {
					t.Errorf("it is not installed:\n%s", got)
				}
				after := tree()
				if refused != (after == before) {
					t.Errorf("the files are as before: %t, want %t (-before +after):\n%s", !refused, refused, tabletest.Diff(before, after))
				}
				for line := range strings.Lines(before) {
					path, _, _ := strings.Cut(line, ":")
					if path != x.where && !strings.Contains(after, line) {
						t.Errorf("%s has changed:\n%s", path, after)
					}
				}
				if x.where != "" && !strings.Contains(after, x.where) {
					t.Errorf("the name is not in %s:\n%s", x.where, after)
				}
				if err := u.Remove(t.Context(), n.Conn); err != nil {
					t.Errorf("Remove: %v", err)
				}
				tabletest.WantText(t, "the files after Remove", before, tree())
				return nil
			})
			n.WantKernel("Remove", kernel)
		})
	}
}

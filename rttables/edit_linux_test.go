package rttables

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// Another user's file in a directory of ours could be replaced, but would then be
// ours: Edit refuses. Only root can arrange that; anyone else can but see that the
// owner of a file of their own is kept, as TestEditOwner does.
func TestEditOwnerRefused(t *testing.T) {
	if !isRoot() {
		return
	}
	dir := t.TempDir()
	t.Chdir(dir) // the directories above it are closed to others
	const nobody = 65534
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	write(t, "rt_tables", "1 a\n")
	before := dump(t, ".")
	result := make(chan error)
	go func() {
		// The raw system call changes this thread alone, and the thread ends
		// with the goroutine, for it is never unlocked.
		runtime.LockOSThread()
		unchanged := ^uintptr(0)
		if _, _, errno := syscall.RawSyscall(unix.SYS_SETRESUID, unchanged, nobody, unchanged); errno != 0 {
			result <- nil
			return
		}
		result <- Edit(t.Context(), "rt_tables", setLan2)
	}()
	if err := <-result; !errors.Is(err, fs.ErrPermission) {
		t.Errorf("error %v, want fs.ErrPermission", err)
	}
	if diff := cmp.Diff(before, dump(t, ".")); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

//go:build unix

package rttables

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/policyroute/policyroute/internal/files"
)

// keepOwner gives tmp the owner and the group of the file that info describes, and
// returns whether tmp then has that group. Only root can change the owner, so an
// error means that the file of another user would get a new owner.
func keepOwner(tmp *os.File, info fs.FileInfo) (sameGroup bool, err error) {
	now, err := tmp.Stat()
	if err != nil {
		return false, err
	}
	want, ok := info.Sys().(*syscall.Stat_t)
	have, ok2 := now.Sys().(*syscall.Stat_t)
	if !ok || !ok2 {
		return false, errors.ErrUnsupported
	}
	if have.Uid == want.Uid && have.Gid == want.Gid {
		return true, nil
	}
	err = tmp.Chown(int(want.Uid), int(want.Gid))
	if err != nil && have.Uid == want.Uid {
		return false, nil
	}
	return err == nil, err
}

// syncDir makes a rename in dir survive a crash. Some file systems do not support
// that, and do not need it.
func syncDir(dir string) error {
	d, err := files.OpenDir(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}

// isReadOnly reports whether an error says that nothing can be written to a file system.
func isReadOnly(err error) bool { return errors.Is(err, syscall.EROFS) }

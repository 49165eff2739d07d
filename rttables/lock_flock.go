//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package rttables

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/policyroute/policyroute/internal/files"
)

// lockDir locks a directory. It polls, because flock(2) has no timeout.
func lockDir(ctx context.Context, dir string) (*dirLock, error) {
	path := filepath.Join(dir, lockFile)
	for pause := time.Millisecond; ; pause = min(2*pause, 20*time.Millisecond) {
		if err := checkDir(dir); err != nil {
			return nil, err
		}
		f, err := tryLock(path)
		if err != nil {
			return nil, err
		}
		if f != nil {
			return &dirLock{dir, func() {
				os.Remove(path) // those who wait for it find out that it is gone
				f.Close()
			}}, nil
		}
		// The pause is random, so that no waiter is always too late.
		t := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return nil, heldError(ctx, path, files.Holder(path))
		}
	}
}

// tryLock opens and locks the lock file. It returns nil without an error if it has to be
// tried again: someone else holds the lock, or has just released it.
func tryLock(path string) (*os.File, error) {
	f, err := openLock(path)
	if f == nil {
		return nil, err
	}
	keep := false
	defer func() {
		if !keep {
			f.Close()
		}
	}()
	opened, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := files.CheckRegular(path, opened); err != nil {
		return nil, err
	}
	if opened.Mode().Perm()&0o077 != 0 && isOpenToOthers(f) {
		// Someone has changed its mode, and others may hold it.
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		return nil, nil
	}
	if err := flock(f); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, nil
		}
		return nil, &fs.PathError{Op: "flock", Path: path, Err: err}
	}
	now, err := os.Lstat(path)
	keep = err == nil && os.SameFile(now, opened)
	if !keep {
		return nil, nil
	}
	return f, nil
}

// openLock opens the lock file, and creates it if there is none. It returns nil without an
// error if that has to be tried again.
func openLock(path string) (*os.File, error) {
	const flags = os.O_RDWR | syscall.O_NOFOLLOW | syscall.O_NONBLOCK
	f, err := os.OpenFile(path, flags, 0)
	switch {
	case err == nil:
		return f, nil
	case errors.Is(err, fs.ErrPermission):
		if info, statErr := os.Lstat(path); statErr == nil && info.Mode().IsRegular() {
			return nil, nil // another user holds the lock
		}
		return nil, err
	case !errors.Is(err, fs.ErrNotExist):
		if info, statErr := os.Lstat(path); statErr == nil {
			if err := files.CheckRegular(path, info); err != nil {
				return nil, err
			}
		}
		return nil, err
	}
	f, err = os.OpenFile(path, flags|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, nil
	}
	if err == nil {
		// The umask may have taken rights of the owner.
		_ = f.Chmod(0o600) // a file system may have no modes
	}
	return f, err
}

// isOpenToOthers reports whether others than the owner could open the lock file. It no
// longer is afterwards. A file system without modes shows modes that do not change.
func isOpenToOthers(f *os.File) bool {
	if f.Chmod(0o600) != nil {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode().Perm()&0o077 == 0
}

// flock locks a file, unless someone else has locked it.
func flock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err != syscall.EINTR {
			return err
		}
	}
}

package rttables

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// lockFile is the name of the lock of a directory whose files are edited. The lock is a
// file of its own, because everyone who may read a file can lock that file, or keep others
// from locking it, with flock(2) and also with fcntl(2). The file is there only while the
// lock is held, and only its owner and root can open it. The leading dot hides it from
// iproute2.
const lockFile = ".policyroute.lock"

// A dirLock is the lock of a directory.
type dirLock struct {
	dir     string
	release func() // nil: it was released, or someone else holds it
}

// unlock releases the lock, once.
func (l *dirLock) unlock() {
	if l.release != nil {
		l.release()
		l.release = nil
	}
}

// lockOf locks a directory, unless held is its lock.
func lockOf(ctx context.Context, dir string, held *dirLock) (*dirLock, error) {
	if held != nil && isSameDir(dir, held.dir) {
		return &dirLock{dir: dir}, nil
	}
	return lockDir(ctx, dir)
}

func isSameDir(a, b string) bool {
	if filepath.Clean(a) == filepath.Clean(b) {
		return true
	}
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// checkDir returns an error unless there is a directory.
func checkDir(dir string) error {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = &fs.PathError{Op: "open", Path: dir, Err: errors.New("is not a directory")}
	}
	return err
}

// heldError returns the error for a lock that someone else held until ctx ended.
func heldError(ctx context.Context, path, holder string) error {
	if holder == "" {
		holder = "another process"
	}
	return &fs.PathError{Op: "lock", Path: path, Err: fmt.Errorf("held by %s: %w", holder, context.Cause(ctx))}
}

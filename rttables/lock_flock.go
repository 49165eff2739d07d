//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package rttables

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// A fileLock is a flock(2) of a file, or of its directory if the file is missing.
type fileLock struct {
	file  *os.File // nil if the caller holds the lock of the directory
	isDir bool
}

// A dirLock is a flock(2) of a directory, which can be held for several edits.
type dirLock struct {
	fileLock
	info fs.FileInfo
}

func lockDir(dir string) (*dirLock, error) {
	f, err := openLocked(dir, time.Now().Add(lockWait))
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	return &dirLock{fileLock{f, true}, info}, nil
}

// currentDir reports whether dir is still the directory that was locked.
func (l *dirLock) currentDir(dir string) bool {
	info, err := os.Stat(dir)
	return err == nil && os.SameFile(info, l.info)
}

// lockTarget locks the file at target, or its directory if there is no file.
func lockTarget(target string, held *dirLock, deadline time.Time) (fileLock, error) {
	f, err := openLocked(target, deadline)
	if err == nil {
		return fileLock{file: f}, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return fileLock{}, err
	}
	dir := filepath.Dir(target)
	if held != nil {
		info, err := os.Stat(dir)
		if err != nil {
			return fileLock{}, err
		}
		if os.SameFile(info, held.info) {
			return fileLock{isDir: true}, nil
		}
	}
	f, err = openLocked(dir, deadline)
	return fileLock{file: f, isDir: true}, err
}

// openLocked opens a file for reading, which is enough for a lock, and locks it. It
// polls, because flock(2) has no timeout.
func openLocked(path string, deadline time.Time) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	for pause := time.Millisecond; ; pause = min(2*pause, 20*time.Millisecond) {
		err := tryLock(f)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			f.Close()
			return nil, &fs.PathError{Op: "flock", Path: path, Err: err}
		}
		if time.Now().After(deadline) {
			f.Close()
			return nil, &fs.PathError{Op: "flock", Path: path, Err: fmt.Errorf("held by another process: %w", os.ErrDeadlineExceeded)}
		}
		// The pause is random, so that no waiter is always too late.
		time.Sleep(pause/2 + rand.N(pause))
	}
}

func tryLock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err != syscall.EINTR {
			return err
		}
	}
}

// current reports whether target is still the file that was locked.
func (l fileLock) current(target string) bool {
	now, err := os.Stat(target)
	if l.isDir {
		return errors.Is(err, fs.ErrNotExist)
	}
	if err != nil {
		return false
	}
	locked, err := l.file.Stat()
	return err == nil && os.SameFile(locked, now)
}

// unlock releases the lock by closing the only descriptor.
func (l fileLock) unlock() {
	if l.file != nil {
		l.file.Close()
	}
}

// markLive locks a temporary file while it is open, so that sweep does not remove
// it. If it fails, sweep can remove the file.
func markLive(tmp *os.File) { _ = tryLock(tmp) }

// sweep removes the temporary files of processes that were killed: those that are
// not locked.
func sweep(pattern string) {
	left, _ := filepath.Glob(pattern) // the only error is a bad pattern
	for _, name := range left {
		f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
		if err != nil {
			continue
		}
		if tryLock(f) == nil {
			os.Remove(name)
		}
		f.Close()
	}
}

//go:build !darwin && !dragonfly && !freebsd && !linux && !netbsd && !openbsd && !windows

package rttables

import (
	"errors"
	"os"
	"time"
)

type fileLock struct{}

type dirLock struct {
	fileLock
}

func lockDir(dir string) (*dirLock, error) {
	return nil, &os.PathError{Op: "lock", Path: dir, Err: errors.ErrUnsupported}
}

func lockTarget(target string, _ *dirLock, _ time.Time) (fileLock, error) {
	return fileLock{}, &os.PathError{Op: "lock", Path: target, Err: errors.ErrUnsupported}
}

func (fileLock) current(string) bool    { return true }
func (*dirLock) currentDir(string) bool { return true }
func (fileLock) unlock()                {}
func markLive(*os.File)                 {}
func sweep(string)                      {}

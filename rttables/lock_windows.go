package rttables

import (
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/windows"
)

// A fileLock is a named mutex. A lock on the file itself would prevent Windows from
// replacing the file. The system releases the mutex when the process ends.
type fileLock struct {
	mutex windows.Handle
}

// A dirLock is the mutex of a directory.
type dirLock struct {
	fileLock
}

func lockDir(dir string) (*dirLock, error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, err
	}
	l, err := lockName(dir, time.Now().Add(lockWait))
	if err != nil {
		return nil, err
	}
	return &dirLock{l}, nil
}

func lockTarget(target string, _ *dirLock, deadline time.Time) (fileLock, error) {
	if _, err := os.Stat(filepath.Dir(target)); err != nil {
		return fileLock{}, err
	}
	return lockName(target, deadline)
}

func lockName(path string, deadline time.Time) (fileLock, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return fileLock{}, err
	}
	h := fnv.New128a()
	h.Write([]byte(strings.ToLower(abs)))
	name, err := windows.UTF16PtrFromString(fmt.Sprintf(`Global\policyroute-rttables-%x`, h.Sum(nil)))
	if err != nil {
		return fileLock{}, err
	}
	mutex, err := windows.CreateMutex(nil, false, name)
	if err != nil && !errors.Is(err, windows.ERROR_ALREADY_EXISTS) {
		return fileLock{}, &os.PathError{Op: "lock", Path: path, Err: err}
	}
	// A mutex belongs to a thread, and only that thread can release it.
	runtime.LockOSThread()
	wait := uint32(max(0, time.Until(deadline).Milliseconds()))
	event, err := windows.WaitForSingleObject(mutex, wait)
	if event == windows.WAIT_OBJECT_0 || event == windows.WAIT_ABANDONED {
		return fileLock{mutex}, nil
	}
	runtime.UnlockOSThread()
	windows.CloseHandle(mutex)
	if err == nil {
		err = fmt.Errorf("held by another process: %w", os.ErrDeadlineExceeded)
	}
	return fileLock{}, &os.PathError{Op: "lock", Path: path, Err: err}
}

// current returns true: the mutex belongs to the path, not to the file.
func (l fileLock) current(string) bool { return true }

func (l *dirLock) currentDir(string) bool { return true }

func (l fileLock) unlock() {
	windows.ReleaseMutex(l.mutex)
	windows.CloseHandle(l.mutex)
	runtime.UnlockOSThread()
}

func markLive(*os.File) {}

// sweep does nothing, since it cannot find out which temporary files are in use.
func sweep(string) {}

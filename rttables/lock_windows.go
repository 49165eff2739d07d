package rttables

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/windows"
)

// lockDir locks a directory by a named mutex, which the system releases when the process
// ends.
func lockDir(ctx context.Context, dir string) (*dirLock, error) {
	if err := checkDir(dir); err != nil {
		return nil, err
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	h := fnv.New128a()
	h.Write([]byte(strings.ToLower(abs)))
	name, err := windows.UTF16PtrFromString(fmt.Sprintf(`Global\policyroute-rttables-%x`, h.Sum(nil)))
	if err != nil {
		return nil, err
	}
	mutex, err := windows.CreateMutex(nil, false, name)
	if err != nil && !errors.Is(err, windows.ERROR_ALREADY_EXISTS) {
		return nil, &os.PathError{Op: "lock", Path: dir, Err: err}
	}
	// A mutex belongs to a thread, and only that thread can release it.
	runtime.LockOSThread()
	giveUp := func(err error) (*dirLock, error) {
		runtime.UnlockOSThread()
		windows.CloseHandle(mutex)
		return nil, err
	}
	const poll = 20 // milliseconds
	for {
		event, err := windows.WaitForSingleObject(mutex, poll)
		switch {
		case event == windows.WAIT_OBJECT_0 || event == windows.WAIT_ABANDONED:
			return &dirLock{dir, func() {
				windows.ReleaseMutex(mutex)
				windows.CloseHandle(mutex)
				runtime.UnlockOSThread()
			}}, nil
		case err != nil:
			return giveUp(&os.PathError{Op: "lock", Path: dir, Err: err})
		case ctx.Err() != nil:
			return giveUp(heldError(ctx, dir, ""))
		}
	}
}

package files

import (
	"fmt"
	"runtime"
	"time"
)

// A SilentError says that an operation on a directory has not ended in time: its file system
// does not answer, such as that of a server that cannot be reached.
type SilentError struct{ Dir string }

func (e *SilentError) Error() string {
	return fmt.Sprintf("the file system of %s does not answer", e.Dir)
}

// Within returns what do returns. If do has not returned within the limit, the error is a
// [*SilentError] for the directory, and do, which nothing can interrupt, goes on.
//
// Do runs on another thread. If this thread has mounts of its own, do would find other files
// there. Within then calls do on this thread, without a limit.
func Within[T any](limit time.Duration, dir string, do func() (T, error)) (T, error) {
	type result struct {
		value     T
		err       error
		elsewhere bool
	}
	mounts := threadMounts()
	done := make(chan result, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if threadMounts() != mounts {
			done <- result{elsewhere: true}
			return
		}
		value, err := do()
		done <- result{value: value, err: err}
	}()
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case r := <-done:
		if r.elsewhere {
			return do()
		}
		return r.value, r.err
	case <-t.C:
		var none T
		return none, &SilentError{dir}
	}
}

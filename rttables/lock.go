package rttables

import "time"

// lockWait is how long to wait for a lock. It is limited because any process that
// may read a file can hold its lock for ever.
const lockWait = 30 * time.Second

// acquire takes the lock of the file at path. It returns the target of path, which
// can be a symbolic link, and a function that releases the lock.
//
// The lock is on the file itself, or on its directory if there is no file: there
// is no separate lock file. Since a write replaces the file, the locked file can
// have been replaced in the meantime; acquire then starts again.
func acquire(path string, held *dirLock) (target string, unlock func(), err error) {
	deadline := time.Now().Add(lockWait)
	for {
		if target, err = resolve(path); err != nil {
			return "", nil, err
		}
		l, err := lockTarget(target, held, deadline)
		if err != nil {
			return "", nil, err
		}
		again, err := resolve(path)
		if err == nil && again == target && l.current(target) {
			return target, l.unlock, nil
		}
		l.unlock()
		if err != nil {
			return "", nil, err
		}
	}
}

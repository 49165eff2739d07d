package rttables

import "time"

// lockWait is how long a lock is waited for. It is bounded because anyone who may
// read a file may hold its lock, for ever.
const lockWait = 30 * time.Second

// acquire takes the lock of the file at path, and returns the file that path
// leads to and a function that gives the lock back.
//
// The lock is on the file itself, so that nothing is left beside it, or on its
// directory while there is no file. Since writing replaces the file, what was
// locked may be a file that is no longer there: then it starts again.
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

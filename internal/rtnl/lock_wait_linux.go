package rtnl

import (
	"context"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A fileID is what the kernel knows a file by.
type fileID struct{ dev, ino uint64 }

// A lockFile is an open file that is locked with flock(2).
type lockFile struct {
	fd int
	id fileID
}

// newLockFile takes over a descriptor.
func newLockFile(fd int) (lockFile, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return lockFile{}, os.NewSyscallError("fstat", err)
	}
	return lockFile{fd, fileID{uint64(st.Dev), st.Ino}}, nil
}

// unlock frees the lock, also if there are other descriptors, and closes the file. A nil
// file is not locked.
func (f *lockFile) unlock() {
	if f != nil {
		_ = unix.Flock(f.fd, unix.LOCK_UN)
		f.close()
	}
}

// close closes the file, which frees its lock.
func (f *lockFile) close() error { return os.NewSyscallError("close", unix.Close(f.fd)) }

// try locks the file, if nobody has the lock.
func (f *lockFile) try() (ok bool, err error) {
	for {
		switch err := unix.Flock(f.fd, unix.LOCK_EX|unix.LOCK_NB); err {
		case nil:
			return true, nil
		case unix.EINTR:
		case unix.EWOULDBLOCK:
			return false, nil
		default:
			return false, os.NewSyscallError("flock", err)
		}
	}
}

// A turn is the place of a goroutine among those of this process that want a lock.
type turn struct {
	id fileID
	*queue
}

// A queue is what this process has about a file that it locks.
type queue struct {
	token    chan struct{} // taken by the one whose turn it is
	users    int
	patience patience
	// guardPatience is for those who have the guard of a network namespace.
	guardPatience patience
}

// queues are the queues of this process. There is none for a file that nobody wants and
// for which there is all of the patience.
var queues = struct {
	mu sync.Mutex
	m  map[fileID]*queue
}{m: make(map[fileID]*queue)}

// enterQueue enters the queue of a file.
func enterQueue(id fileID, most time.Duration) turn {
	queues.mu.Lock()
	defer queues.mu.Unlock()
	now := time.Now()
	for other, q := range queues.m {
		if q.users == 0 && q.patience.isWhole(now) && q.guardPatience.isWhole(now) {
			delete(queues.m, other)
		}
	}
	q := queues.m[id]
	if q == nil {
		q = &queue{
			token: make(chan struct{}, 1), patience: patience{most: most}, guardPatience: patience{most: mostGuardPatience},
		}
		queues.m[id] = q
	}
	q.users++
	return turn{id, q}
}

// wait waits for the turn. If it fails, the queue has been left.
func (t turn) wait(ctx context.Context) error {
	select {
	case t.token <- struct{}{}:
		return nil
	default:
	}
	select {
	case t.token <- struct{}{}:
		return nil
	case <-ctx.Done():
	}
	t.abandon()
	p, _ := readProcess(os.Getpid())
	return &LockedError{Holder{PID: os.Getpid(), Name: p.name, UID: uint32(os.Getuid()), File: t.id.ino}, ctx.Err()}
}

// leave ends the turn.
func (t turn) leave() {
	<-t.token
	t.abandon()
}

// abandon leaves the queue.
func (t turn) abandon() {
	queues.mu.Lock()
	defer queues.mu.Unlock()
	t.users--
}

// A patience is how long, in all, a process waits for those who may obstruct it. It
// grows back in a multiple of the time. So neither someone who keeps a lock nor someone
// who frees and takes it again and again holds a process up for long. It is used by the
// goroutine whose turn it is.
type patience struct {
	most  time.Duration
	spent time.Duration
	at    time.Time // when it was spent
	// blindUntil is until when holders are not looked for, as it takes too long.
	blindUntil time.Time
}

const (
	// patienceRatio is how many times longer than the wait it takes to grow back.
	patienceRatio = 60
	// freeWait is how long a wait for someone who frees the lock may be without a loss
	// of patience. It is much more than a change takes.
	freeWait = 100 * time.Millisecond
	// leastWait is how long a wait may be without patience.
	leastWait = 20 * time.Millisecond
)

// left returns how long to wait at most.
func (p *patience) left(now time.Time) time.Duration {
	return p.most - max(0, p.spent-now.Sub(p.at)/patienceRatio)
}

// isWhole reports whether nothing is missing.
func (p *patience) isWhole(now time.Time) bool {
	return p.left(now) == p.most && now.After(p.blindUntil)
}

// spend takes a wait from the patience.
func (p *patience) spend(waited time.Duration, now time.Time) {
	p.spent = p.most - p.left(now) + max(0, waited-freeWait)
	p.spent = min(p.spent, p.most)
	p.at = now
}

// A wait is a wait for the lock of a file.
type wait struct {
	file *lockFile
	// owner opens the user namespace in which a holder needs CAP_NET_ADMIN.
	owner func() (int, error)
	// strict says that everyone can open the file. Then a program with set-user-ID that
	// has it from an ordinary user does not count.
	strict bool
	// patience limits the wait. Nil: only the context does.
	patience *patience

	held   bool // the result: the lock was taken
	holder Holder
	known  bool // holder was looked for
}

// noticeAfter is how long a wait is before there is a notice.
const noticeAfter = time.Second

// lock waits for the lock. It returns nil without the lock if the holder does not count,
// or if the patience has run out.
func (w *wait) lock(ctx context.Context) error {
	begin := time.Now()
	left := time.Duration(-1)
	if w.patience != nil {
		left = max(w.patience.left(begin), leastWait)
		defer func() { w.patience.spend(time.Since(begin), time.Now()) }()
	}
	notified := false
	look := 2 * time.Millisecond // when to look for the holder
	for pause := time.Millisecond; ; pause = min(2*pause, 16*time.Millisecond) {
		var err error
		if w.held, err = w.file.try(); w.held || err != nil {
			return err
		}
		waited := time.Since(begin)
		if waited >= look && !w.isBlind() {
			look = waited + min(4*waited, time.Second)
			if reason := w.powerless(); reason != "" {
				notify(ctx, LockNotice{w.holder, waited, true, reason})
				return nil
			}
		}
		if waited >= noticeAfter && !notified {
			notified = true
			notify(ctx, LockNotice{Holder: w.holder, Waited: waited})
		}
		if left >= 0 && waited >= left {
			w.findOnce()
			notify(ctx, LockNotice{w.holder, waited, true, "has had it for too long"})
			return nil
		}
		select {
		case <-ctx.Done():
			w.findOnce()
			return &LockedError{w.holder, ctx.Err()}
		case <-time.After(pause):
		}
	}
}

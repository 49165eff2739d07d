package rtnl

import (
	"context"
	"errors"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// guardPath is a file of the calling thread's network namespace that only root can open,
// and who has CAP_NET_ADMIN in the namespace. Opening it has no effect.
const guardPath = "/proc/sys/net/ipv4/tcp_fastopen_key"

// A guard is the file at guardPath of a socket's namespace. It is opened when it is used
// first, since to enter the namespace takes longer than a small change. The zero guard
// is not open yet.
type guard struct {
	mu    sync.Mutex
	state guardState
	fd    int
	// cleanup closes the file if close is not called.
	cleanup runtime.Cleanup
}

type guardState int

const (
	guardUnknown guardState = iota
	guardOpen
	guardNone // it cannot be opened
)

// dup returns another descriptor of the file, or false if there is none. A lock belongs
// to all descriptors. The socket of c is s.
func (s *socket) dupGuard(c Executor) (fd int, ok bool) {
	g := &s.guard
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.state == guardUnknown {
		g.state = guardNone
		if fd, err := openGuard(c); err == nil {
			g.state, g.fd = guardOpen, fd
			g.cleanup = runtime.AddCleanup(s, func(fd int) { unix.Close(fd) }, fd)
		}
	}
	if g.state != guardOpen {
		return -1, false
	}
	fd, err := unix.FcntlInt(uintptr(g.fd), unix.F_DUPFD_CLOEXEC, 0)
	return fd, err == nil
}

// close closes the file.
func (g *guard) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.state == guardOpen {
		g.cleanup.Stop()
		unix.Close(g.fd)
	}
	g.state = guardNone
}

// lockGuard locks the guard of the namespace of c. It is nil if there is none, if a
// process has it that may not change anything, with the user ID of root alone, or if the
// patience has run out.
func lockGuard(ctx context.Context, c Executor, ns *lockFile, p *patience) (*lockFile, error) {
	fd, ok := -1, false
	raw, err := rawConn(c)
	if s, isOurs := raw.(*socket); err == nil && isOurs {
		fd, ok = s.dupGuard(c)
	} else if err == nil {
		fd, err = openGuard(c)
		ok = err == nil
	}
	if !ok {
		return nil, nil
	}
	g, err := newLockFile(fd)
	if err != nil {
		return nil, nil
	}
	w := wait{file: &g, owner: ns.openOwner, patience: p}
	if err = w.lock(ctx); err != nil || !w.held {
		g.close()
		return nil, err
	}
	return &g, nil
}

// openGuard opens the guard of the namespace of c.
func openGuard(c Executor) (fd int, err error) {
	open := func() error {
		fd, err = unix.Open(guardPath, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil || st.Mode&0o077 != 0 {
			unix.Close(fd)
			return errors.Join(os.ErrPermission, err)
		}
		return nil
	}
	target, err := NetNS(c)
	if err != nil {
		return -1, err
	}
	if target == 0 {
		err = open()
		return fd, err
	}
	unix.Close(target)
	done := make(chan error)
	elsewhere(func() { done <- Inside(c, open) })
	err = <-done
	return fd, err
}

// elsewhere calls fn in another goroutine, and not on the main thread. If fn leaves the
// thread in another network namespace, the thread ends. The main thread would stay there.
func elsewhere(fn func()) {
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if unix.Gettid() != unix.Getpid() {
			fn()
			return
		}
		var wg sync.WaitGroup
		wg.Go(fn) // on another thread, since this one is taken
		wg.Wait()
	}()
}

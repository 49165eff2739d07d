package maintain

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/policyroute/policyroute/route"
)

// redialAfter is the time between attempts to open the sockets again.
const redialAfter = time.Second

// Sockets are the connection that reads and changes the kernel's state, and the watch
// that listens to the kernel.
type sockets struct {
	dial   func() (route.Conn, error)
	buffer int           // for the kernel's events, in bytes; zero: the default
	wake   chan struct{} // gets a value when the watch has something new

	// conn and watch are nil while the sockets could not be opened again.
	conn  route.Conn
	watch *watch
	stop  func() // ends the watch, and closes the sockets

	probeConn currentConn // conn, for probers
	// unreadable is how many times in a row the kernel's state could not be read.
	unreadable int
}

// open opens the sockets and begins to listen.
func (s *sockets) open(ctx context.Context) error {
	c, err := s.dial()
	if err != nil {
		return err
	}
	closeConn := func() {
		if closer, ok := c.(io.Closer); ok {
			closer.Close()
		}
	}
	w, err := openWatch(c, s.buffer, s.wake)
	if err != nil {
		closeConn()
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { w.run(ctx) })
	s.conn, s.watch = c, w
	s.probeConn.set(c)
	s.stop = func() {
		cancel()
		wg.Wait()
		w.sub.Close()
		closeConn()
	}
	return nil
}

// close closes the sockets.
func (s *sockets) close() {
	s.stop()
	s.conn, s.watch, s.stop = nil, nil, func() {}
	s.unreadable = 0
}

// noteReadable records whether the kernel's state could be read.
func (s *sockets) noteReadable(err error) {
	if isUnreadable(err) {
		s.unreadable++
	} else {
		s.unreadable = 0
	}
}

// A currentConn is the connection in use. It is another one after the sockets were
// opened again. Several goroutines may use it.
type currentConn struct {
	mu sync.Mutex
	c  route.Conn
}

func (n *currentConn) set(c route.Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.c = c
}

func (n *currentConn) get() route.Conn {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.c
}

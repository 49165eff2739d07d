package lab

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

// A TB is the part of testing.TB that a Lab needs; *testing.T, *testing.B and
// *testing.F have it. The package does not import testing, so that the demo
// does not link it.
type TB interface {
	Helper()
	Fatal(args ...any)
	Cleanup(func())
}

// A Lab is a set of network namespaces and of what was opened in them.
// Everything goes away with Close, and with the process, however it ends:
// namespaces are held by file descriptors alone and have no name anywhere.
//
// The methods that build the network return no error. In a Lab from [Test] a
// failure is t.Fatal on the line that failed; in a Lab from [New] the first
// failure sticks, what follows it does nothing, and [Lab.Err] returns it. All
// methods are safe for concurrent use.
type Lab struct {
	tb TB

	mu      sync.Mutex
	err     error       // first failure of a Lab from New
	closers []io.Closer // in the order of opening
	closed  bool
}

// New makes an empty Lab for a program, which calls [Enter] first. Check
// [Lab.Err] once, after building the network.
func New() *Lab {
	l := &Lab{}
	l.tb = recorder{l}
	return l
}

// Test makes an empty Lab that belongs to the test t: every failure is
// t.Fatal, and the Lab is closed when the test ends. The package of the test
// has to run its tests through [Main].
func Test(t TB) *Lab {
	t.Helper()
	l := &Lab{tb: t}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	})
	return l
}

// Err returns the first failure of a Lab from [New].
func (l *Lab) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Close closes everything that was opened through the Lab: taps, sockets,
// tun devices and the namespaces themselves, newest first. A second Close does
// nothing.
func (l *Lab) Close() error {
	l.mu.Lock()
	closers := l.closers
	l.closers, l.closed = nil, true
	l.mu.Unlock()

	var errs []error
	for i := len(closers) - 1; i >= 0; i-- {
		errs = append(errs, ignoreClosed(closers[i].Close()))
	}
	return errors.Join(errs...)
}

// own has c closed by Close. A Lab that is closed already closes it at once.
func (l *Lab) own(c io.Closer) error {
	l.mu.Lock()
	if !l.closed {
		l.closers = append(l.closers, c)
		l.mu.Unlock()
		return nil
	}
	l.mu.Unlock()
	return errors.Join(errClosed, c.Close())
}

// step runs one step of building the network, unless an earlier one failed.
func (l *Lab) step(what string, fn func() error) {
	l.tb.Helper()
	if l.Err() != nil {
		return
	}
	if err := fn(); err != nil {
		l.tb.Fatal(fmt.Errorf("lab: %s: %w", what, err))
	}
}

// A recorder stands where a test would, for a Lab from New: it keeps the first
// failure and lets the program go on.
type recorder struct{ l *Lab }

func (recorder) Helper()        {}
func (recorder) Cleanup(func()) {}

func (r recorder) Fatal(args ...any) {
	err, ok := args[0].(error)
	if !ok {
		err = errors.New(fmt.Sprint(args...))
	}
	r.l.mu.Lock()
	defer r.l.mu.Unlock()
	if r.l.err == nil {
		r.l.err = err
	}
}

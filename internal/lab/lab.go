package lab

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"sync"
)

// A TB is the part of testing.TB that a Lab needs. *testing.T, *testing.B and *testing.F
// implement it. The package does not import testing, so that the demo does not contain it.
type TB interface {
	Helper()
	Fatal(args ...any)
	Cleanup(func())
}

// A Lab is a set of network namespaces, and of the sockets, taps and devices that were
// opened in them. Close removes everything. So does the end of the process, however it ends:
// only file descriptors hold the namespaces, which have no names in the file system.
//
// The methods that build the network return no error. In a Lab from [Test], a failure is
// reported with t.Fatal on the line that failed. A Lab from [New] keeps the first failure,
// which [Lab.Err] returns, and does nothing after it. All methods are safe for concurrent
// use.
type Lab struct {
	tb TB

	mu      sync.Mutex
	err     error       // the first failure of a Lab from New
	closers []io.Closer // in the order of opening
	closed  bool
}

// New makes an empty Lab for a program. The program has to call [Enter] before. It checks
// [Lab.Err] once, after it has built the network.
func New() *Lab {
	l := &Lab{}
	l.tb = programTB{l}
	return l
}

// Test makes an empty Lab for the test t. Every failure calls t.Fatal, and the end of the
// test closes the Lab. The package of the test has to run its tests through [Main]. With go
// test -short, Test skips the test, so that tests without namespaces can be run alone.
func Test(t TB) *Lab {
	t.Helper()
	if s, ok := t.(interface{ Skip(...any) }); ok && isShort() {
		s.Skip("it makes network namespaces, and -short is set")
	}
	l := &Lab{tb: t}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	})
	return l
}

// isShort reports whether go test has the flag -short.
func isShort() bool {
	f := flag.Lookup("test.short")
	return f != nil && f.Value.String() == "true"
}

// Err returns the first failure of a Lab from [New].
func (l *Lab) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Close closes everything that was opened through the Lab, newest first: taps, sockets, tun
// devices and namespaces. A second Close does nothing.
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

// closeLater makes Close close c. If the Lab is closed already, it closes c at once.
func (l *Lab) closeLater(c io.Closer) error {
	l.mu.Lock()
	if !l.closed {
		l.closers = append(l.closers, c)
		l.mu.Unlock()
		return nil
	}
	l.mu.Unlock()
	return errors.Join(errClosed, c.Close())
}

// step runs one step of building the network, unless an earlier step failed.
func (l *Lab) step(what string, fn func() error) {
	l.tb.Helper()
	if l.Err() != nil {
		return
	}
	if err := fn(); err != nil {
		l.tb.Fatal(fmt.Errorf("lab: %s: %w", what, err))
	}
}

// A programTB is the TB of a Lab from New. It keeps the first failure, and the program
// continues.
type programTB struct{ l *Lab }

func (programTB) Helper()        {}
func (programTB) Cleanup(func()) {}

func (r programTB) Fatal(args ...any) {
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

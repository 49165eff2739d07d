package rtnl_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/internal/rtnl"
)

// The lock is a namespace's: who else is there waits, who is elsewhere does not.
func TestLock(t *testing.T) {
	l := lab.Test(t)
	here := l.NS("here")
	a, b, other := dial(t, here), dial(t, here), dial(t, l.NS("other"))
	unlock, err := rtnl.Lock(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := rtnl.Lock(ctx, b); !errors.Is(err, rtnl.ErrLocked) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second lock: %v, want ErrLocked and DeadlineExceeded", err)
	}
	elsewhere, err := rtnl.Lock(t.Context(), other)
	if err != nil {
		t.Errorf("in another namespace: %v", err)
	} else if err := elsewhere(); err != nil {
		t.Error(err)
	}
	got := make(chan error, 1)
	go func() {
		unlock, err := rtnl.Lock(t.Context(), b)
		if err == nil {
			err = unlock()
		}
		got <- err
	}()
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err != nil {
		t.Error(err)
	}
}

// Callers of LockOwner take turns, also under Lock, and also without a socket. One who
// keeps the lock is not waited for.
func TestLockOwner(t *testing.T) {
	l := lab.Test(t)
	ns := l.NS("a")
	var conns []rtnl.Executor
	for range 2 {
		c, err := rtnl.Dial(ns.Config())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns = append(conns, c)
	}
	unlock, err := rtnl.Lock(t.Context(), conns[0])
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	type noSocket struct{ rtnl.Executor }
	for _, conns := range [][]rtnl.Executor{conns, {noSocket{conns[0]}, noSocket{conns[1]}}} {
		var inside, most atomic.Int32
		var done sync.WaitGroup
		for _, c := range conns {
			done.Go(func() {
				for range 10 {
					unlock, err := rtnl.LockOwner(t.Context(), c)
					if err != nil {
						t.Error(err)
						return
					}
					most.Store(max(most.Load(), inside.Add(1)))
					time.Sleep(100 * time.Microsecond)
					inside.Add(-1)
					unlock()
				}
			})
		}
		done.Wait()
		if most.Load() != 1 {
			t.Errorf("%d had the lock at the same time", most.Load())
		}
	}
	keep, err := rtnl.LockOwner(t.Context(), conns[0])
	if err != nil {
		t.Fatal(err)
	}
	defer keep()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := rtnl.LockOwner(ctx, conns[1]); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v", err)
	}
	other, err := rtnl.LockOwner(t.Context(), conns[1])
	if err != nil {
		t.Fatalf("after the other one has kept the lock: %v", err)
	}
	other()
}

package rtnl_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/internal/rtnl"
)

// The lock is a namespace's: who else is there waits, who is elsewhere does not.
func TestLock(t *testing.T) {
	l := lab.Test(t)
	dial := func(ns *lab.NS) *rtnl.Conn {
		c, err := rtnl.Dial(ns.Config())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	here := l.NS("here")
	a, b, other := dial(here), dial(here), dial(l.NS("other"))
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

package rtnl_test

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
)

// subscribe opens a subscription to the events of IPv4 rules in ns.
func subscribe(t testing.TB, ns *lab.NS) *rtnl.Subscription {
	t.Helper()
	s, err := rtnl.Subscribe(ns.Config(), unix.RTNLGRP_IPV4_RULE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// events are the numbers of the next n events; a deletion's is negative.
func events(t testing.TB, s *rtnl.Subscription, n int) (got []int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for len(got) < n {
		err := s.Receive(ctx, func(m netlink.Message) error {
			num := int(number(t, m))
			if m.Header.Type == uapi.RTM_DELRULE {
				num = -num
			}
			got = append(got, num)
			return nil
		})
		if err != nil {
			t.Fatalf("after %v: %v", got, err)
		}
	}
	return got
}

func TestKernelSubscribe(t *testing.T) {
	l := lab.Test(t)
	ns, other := l.NS("a"), l.NS("b")
	c := dial(t, ns)
	s := subscribe(t, ns)
	addRules(t, dial(t, other), 3) // in another namespace
	addRoutes(t, c, 3)             // of another group
	addRules(t, c, 2)
	all(t, c, fill(2, func(i int) netlink.Message { return rule(uapi.RTM_DELRULE, 0, uint32(i)) }))
	got := events(t, s, 4)
	if want := [4]int{2, 1, -1, -2}; [4]int(got) != want || len(got) != 4 {
		t.Errorf("got %d, want %d", got, want)
	}
}

// An event that comes when ctx ends is received now or next time.
func TestKernelSubscribeContext(t *testing.T) {
	report := testrun.Limit(t)
	ns := lab.Test(t).NS("a")
	c, s := dial(t, ns), subscribe(t, ns)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	never := func(netlink.Message) error { report.Error("an event from nowhere"); return nil }
	if err := s.Receive(ended, never); !errors.Is(err, context.Canceled) {
		report.Errorf("ended before: got %v", err)
	}
	soon, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := s.Receive(soon, never); !errors.Is(err, context.DeadlineExceeded) {
		report.Errorf("ended meanwhile: got %v", err)
	}
	var seen []int
	for i := range 300 {
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(cancel)
		wg.Go(func() {
			if _, err := c.Execute(rule(uapi.RTM_NEWRULE, ack|add, uint32(i+1))); err != nil {
				report.Error(err)
			}
		})
		err := s.Receive(ctx, func(m netlink.Message) error {
			seen = append(seen, int(number(t, m)))
			return nil
		})
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatalf("event %d: %v", i+1, err)
		}
		wg.Wait()
	}
	seen = append(seen, events(t, s, 300-len(seen))...)
	for i, n := range seen {
		if n != i+1 {
			t.Fatalf("event %d is that of rule %d", i+1, n)
		}
	}
}

func TestKernelSubscribeErrors(t *testing.T) {
	report := testrun.Limit(t)
	ns := lab.Test(t).NS("a")
	c, s := dial(t, ns), subscribe(t, ns)
	broken := errors.New("broken")
	addRules(t, c, 1)
	if err := s.Receive(t.Context(), func(netlink.Message) error { return broken }); err != broken {
		report.Errorf("got %v, want the function's error", err)
	}

	waiting := make(chan error)
	go func() {
		waiting <- s.Receive(t.Context(), func(netlink.Message) error { return nil })
	}()
	time.Sleep(10 * time.Millisecond)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	var op *netlink.OpError
	if err := <-waiting; !errors.Is(err, os.ErrClosed) || !errors.As(err, &op) {
		report.Errorf("closed meanwhile: got %v, want os.ErrClosed", err)
	}
	err := s.Receive(t.Context(), func(netlink.Message) error { return nil })
	if !errors.Is(err, os.ErrClosed) || !errors.As(err, &op) {
		report.Errorf("closed before: got %v, want os.ErrClosed", err)
	}

	for name, tt := range map[string]struct {
		cfg   *netlink.Config
		group uint32
		want  error
	}{
		"group":     {ns.Config(), 1 << 20, unix.EINVAL},
		"namespace": {&netlink.Config{NetNS: 1 << 20}, unix.RTNLGRP_IPV4_RULE, unix.EBADF},
	} {
		if s, err := rtnl.Subscribe(tt.cfg, tt.group); !errors.Is(err, tt.want) || !errors.As(err, &op) {
			report.Errorf("%s: got %v, %v, want %v", name, s, err, tt.want)
		}
	}
}

// More events than the buffer takes are an error, once. The kernel drops all
// events until the queue is empty: the error has to come with an empty queue,
// so that no event after it is missed.
func TestKernelSubscribeOverrun(t *testing.T) {
	report := testrun.Limit(t)
	ns := lab.Test(t).NS("a")
	c, s := dial(t, ns), subscribe(t, ns)
	if err := s.SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	addRules(t, c, many)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	n := 0
	var err error
	for err == nil {
		err = s.Receive(ctx, func(netlink.Message) error { n++; return nil })
	}
	if !errors.Is(err, rtnl.ErrOverrun) || n >= many {
		t.Fatalf("after %d of %d events: got %v, want ErrOverrun", n, many, err)
	}
	for i := range 3 {
		if _, err := c.Execute(rule(uapi.RTM_DELRULE, ack, uint32(i+1))); err != nil {
			t.Fatal(err)
		}
		if got := events(t, s, 1); got[0] != -(i + 1) {
			report.Errorf("event %d after the overrun: got %d, want %d", i+1, got[0], -(i + 1))
		}
	}
}

// Wait returns when something has arrived, and leaves it to Pending.
func TestKernelSubscribeWait(t *testing.T) {
	ns := lab.Test(t).NS("a")
	c, s := dial(t, ns), subscribe(t, ns)
	pending := func() (n int, err error) {
		err = s.Pending(func(netlink.Message) error { n++; return nil })
		return n, err
	}
	ended, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := s.Wait(ended); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("before an event: %v", err)
	}
	waited := make(chan error, 1)
	go func() { waited <- s.Wait(t.Context()) }()
	addRules(t, c, 3)
	if err := <-waited; err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(t.Context()); err != nil { // still
		t.Fatal(err)
	}
	if n, err := pending(); n != 3 || err != nil {
		t.Errorf("%d events, %v", n, err)
	}
	if err := s.SetReadBuffer(1); err != nil {
		t.Fatal(err)
	}
	addRules(t, c, 1000)
	if err := s.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := pending(); !errors.Is(err, rtnl.ErrOverrun) {
		t.Errorf("after too many events: %v", err)
	}
	go func() { waited <- s.Wait(t.Context()) }()
	s.Close()
	if err := <-waited; !errors.Is(err, os.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

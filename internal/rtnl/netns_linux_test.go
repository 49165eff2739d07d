package rtnl_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
)

// A subscription beside a connection is in the connection's namespace, wherever
// the thread is that asks for it.
func TestKernelSubscribeLike(t *testing.T) {
	for _, ours := range []bool{true, false} {
		for _, where := range []string{"outside", "inside", "elsewhere"} {
			t.Run(fmt.Sprintf("ours %t %s", ours, where), func(t *testing.T) {
				l := lab.Test(t)
				ns, other := l.NS("a"), l.NS("b")
				c := dial(t, ns)
				nl, err := netlink.Dial(unix.NETLINK_ROUTE, ns.Config())
				if err != nil {
					t.Fatal(err)
				}
				defer nl.Close()
				var like rtnl.Executor = c
				if !ours {
					like = nl
				}
				do := map[string]func(func() error) error{
					"outside": func(fn func() error) error { return fn() }, "inside": ns.Do, "elsewhere": other.Do,
				}[where]
				var s *rtnl.Subscription
				err = do(func() (err error) {
					s, err = rtnl.SubscribeLike(like, unix.RTNLGRP_IPV4_RULE)
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				if n := pending(t, s); n != 0 {
					t.Errorf("%d events before any change", n)
				}
				addRules(t, dial(t, other), 3)
				addRules(t, c, 2)
				if n := pending(t, s); n != 2 {
					t.Errorf("%d events, want those of the two rules in the namespace", n)
				}
				if n := pending(t, s); n != 0 {
					t.Errorf("%d events a second time", n)
				}
			})
		}
	}
}

func pending(t *testing.T, s *rtnl.Subscription) (n int) {
	t.Helper()
	if err := s.Pending(func(netlink.Message) error { n++; return nil }); err != nil {
		t.Error(err)
	}
	return n
}

// Pending reports lost events, as Receive does, and then goes on.
func TestKernelPendingOverrun(t *testing.T) {
	ns := lab.Test(t).NS("a")
	c := dial(t, ns)
	s := subscribe(t, ns)
	if err := s.SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	addRules(t, c, many)
	if err := s.Pending(func(netlink.Message) error { return nil }); !errors.Is(err, rtnl.ErrOverrun) {
		t.Errorf("got %v, want ErrOverrun", err)
	}
	if _, err := c.Execute(rule(uapi.RTM_DELRULE, ack, 1)); err != nil {
		t.Fatal(err)
	}
	if n := pending(t, s); n != 1 {
		t.Errorf("%d events after it, want 1", n)
	}
}

// What has no socket has no namespace.
func TestNetNSOfAFake(t *testing.T) {
	fake := fakeExecutor{}
	if _, err := rtnl.NetNS(fake); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}

type fakeExecutor struct{}

func (fakeExecutor) Execute(netlink.Message) ([]netlink.Message, error) { return nil, nil }

// Inside is in the namespace, and then again where it was, also after a panic.
func TestKernelInside(t *testing.T) {
	l := lab.Test(t)
	ns := l.NS("a")
	ns.Link("u1", l.NS("b"), "g1")
	c := dial(t, ns)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	here, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	failed := errors.New("failed")
	err = rtnl.Inside(c, func() error {
		if there, err := os.Readlink("/proc/thread-self/ns/net"); there == here || err != nil {
			t.Errorf("in %s, %v", there, err)
		}
		if _, err := os.Stat("/proc/sys/net/ipv4/conf/u1"); err != nil {
			t.Error(err)
		}
		return failed
	})
	if err != failed {
		t.Errorf("got %v, want the function's error", err)
	}
	func() {
		defer func() { recover() }()
		rtnl.Inside(c, func() error { panic("inside") })
	}()
	if back, err := os.Readlink("/proc/thread-self/ns/net"); back != here || err != nil {
		t.Errorf("afterwards in %s, %v, want %s", back, err, here)
	}
}

package rtnl_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/internal/rtnl"
)

// A notices collects what a caller of Lock is told.
type notices struct {
	mu  sync.Mutex
	all []rtnl.LockNotice
}

func (n *notices) context(ctx context.Context) context.Context {
	return rtnl.WithLockNotice(ctx, func(x rtnl.LockNotice) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.all = append(n.all, x)
	})
}

// obstacles are processes that may not change anything. Each says why Lock does not wait
// for it.
var obstacles = []struct {
	name   string
	hold   lab.Hold
	reason string
}{
	{"ordinary", lab.Hold{}, "does not have the privilege to change routes"},
	{"in a PID namespace", lab.Hold{PIDNS: true}, "does not have the privilege to change routes"},
	{"in a user namespace", lab.Hold{UserNS: true}, "does not have the privilege to change routes"},
	{"in both", lab.Hold{UserNS: true, PIDNS: true}, "does not have the privilege to change routes"},
	{"ended", lab.Hold{Orphan: true}, "has ended, and a child of it has the lock"},
	{"shared", lab.Hold{Shared: true, Able: true}, "has only a shared lock"},
	{"again and again", lab.Hold{Again: true}, "does not have the privilege to change routes"},
	{"with set-user-ID", lab.Hold{Setuid: true}, "runs for user 65534 with the privileges of user 0"},
}

// A process that may not change anything does not keep anyone who may from it, and those
// exclude each other all the same.
func TestLockIgnoresPowerless(t *testing.T) {
	l := lab.Test(t)
	ns := l.NS("a")
	a, b := dial(t, ns), dial(t, ns)
	for _, x := range obstacles {
		if x.hold.Setuid && !lab.HasOrdinaryUser() {
			continue // nobody else is there whose rights it could have
		}
		x.hold.Name = "a\x1b[2J b"
		pid, release := ns.Hold(x.hold)
		var told notices
		for range 3 {
			unlock, err := rtnl.Lock(told.context(t.Context()), a)
			if err != nil {
				t.Fatalf("%s: %v", x.name, err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			if _, err := rtnl.Lock(ctx, b); !errors.Is(err, rtnl.ErrLocked) {
				t.Errorf("%s: a second one has the lock as well: %v", x.name, err)
			}
			cancel()
			if err := unlock(); err != nil {
				t.Error(err)
			}
		}
		for _, n := range told.all {
			if !n.Ignored || n.Reason != x.reason || n.Holder.PID != pid || n.Holder.Dead != x.hold.Orphan {
				t.Errorf("%s: %+v, want process %d, which %s", x.name, n, pid, x.reason)
			}
			if text := n.String(); strings.ContainsRune(text, '\x1b') || !x.hold.Orphan && !x.hold.Setuid && n.Holder.Name != x.hold.Name {
				t.Errorf("%s: %q", x.name, text)
			}
		}
		if len(told.all) == 0 && !x.hold.Again {
			t.Errorf("%s: nothing is said", x.name)
		}
		release()
	}
}

// Who could change something is waited for, for some time in all if it has the lock of
// the namespace only. The guard alone is waited for as long as the context allows.
func TestLockPatience(t *testing.T) {
	l := lab.Test(t)
	ns := l.NS("a")
	c := dial(t, ns)
	_, release := ns.Hold(lab.Hold{Able: true, Name: "able"})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := rtnl.Lock(ctx, c)
	var locked *rtnl.LockedError
	if !errors.As(err, &locked) || locked.Holder.Name != "able" || !errors.Is(err, context.DeadlineExceeded) ||
		!strings.Contains(err.Error(), `"able" of user `) {
		t.Fatalf("at the end of the context: %v", err)
	}
	rtnl.LosePatience(t, c, 2*time.Second)
	var told notices
	unlock, err := rtnl.Lock(told.context(t.Context()), c)
	if err != nil {
		t.Fatal(err)
	}
	if len(told.all) != 2 || told.all[0].Ignored || !told.all[1].Ignored || told.all[1].Holder.Name != "able" ||
		told.all[1].Waited < time.Second {
		t.Errorf("it is told: %v", told.all)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	// The next ones go on at once.
	begin := time.Now()
	for range 20 {
		unlock, err := rtnl.Lock(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if err := unlock(); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("twenty locks without patience take %s", took)
	}
	release()
}

// Callers of LockOwner are not delayed again and again by who keeps the lock.
func TestLockOwnerIgnoresPowerless(t *testing.T) {
	l := lab.Test(t)
	ns := l.NS("a")
	c := dial(t, ns)
	for _, h := range []lab.Hold{{}, {Able: true}} {
		h.File = "/proc/self/ns/user"
		_, release := ns.Hold(h)
		var told notices
		begin := time.Now()
		for range 30 {
			unlock, err := rtnl.LockOwner(told.context(t.Context()), c)
			if err != nil {
				t.Fatal(err)
			}
			unlock()
		}
		if took := time.Since(begin); took > 15*time.Second || len(told.all) < 30 {
			t.Errorf("thirty turns with %+v take %s, and %d notices", h, took, len(told.all))
		}
		release()
	}
}

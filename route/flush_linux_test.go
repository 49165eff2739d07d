//go:build linux

package route

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/rttables"
)

func TestKernelFlush(t *testing.T) {
	t.Parallel()
	ns, _ := kernel(t)
	for name, c := range conns(t, ns) {
		t.Run(name, func(t *testing.T) {
			before := list(t, c, Filter{})
			add(t, c, "192.0.2.0/24 dev if1 table 21 proto 210", "blackhole 192.0.2.0/24 table 20 proto static")
			kept := list(t, c, Filter{})
			const routes = 1000
			for i := range routes {
				a := netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0})
				if i%2 == 1 {
					a = netip.MustParseAddr(fmt.Sprintf("2001:db8:%x::", i))
				}
				p, _ := a.Prefix(24 * (1 + i%2))
				if err := Add(t.Context(), c, Route{Dst: p, OIF: 1, Table: 20, Protocol: 210}); err != nil {
					t.Fatal(err)
				}
			}
			if n, err := Flush(t.Context(), c, Filter{Table: 20, Protocol: 210}); n != routes || err != nil {
				t.Errorf("flushed %d, %v, want %d", n, err, routes)
			}
			wantList(t, c, Filter{}, kept...)
			for _, id := range []rttables.ID{20, 21, 21} {
				if _, err := Flush(t.Context(), c, Filter{Table: id}); err != nil {
					t.Error(err)
				}
			}
			wantList(t, c, Filter{}, before...)
			if _, err := Flush(t.Context(), c, Filter{}); err == nil || !strings.Contains(err.Error(), "every route") {
				t.Errorf("an empty filter: %v", err)
			}
			wantList(t, c, Filter{}, before...)
		})
	}
}

// Where a route goes among those to the same destination.
func TestKernelAppendPrependChange(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	_, c := kernel(t)
	dst := func(words string) Route {
		r, err := Parse("192.0.2.0/24 dev if1 table 20 "+words, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if err := Change(t.Context(), c, dst("tos 0x10")); !errors.Is(err, fs.ErrNotExist) {
		report.Errorf("change of what is not there: %v", err)
	}
	for _, x := range []struct {
		verb func(context.Context, Conn, Route) error
		r    Route
	}{
		{Add, dst("proto 11")}, {Append, dst("proto 12")}, {Prepend, dst("proto 13")},
	} {
		if err := x.verb(t.Context(), c, x.r); err != nil {
			t.Fatal(err)
		}
	}
	got := list(t, c, Filter{Table: 20})
	want := []string{"proto dnrouted", "proto zebra", "proto bird"}
	if len(got) != 3 {
		t.Fatalf("got %q", got)
	}
	for i, w := range want {
		if !strings.Contains(got[i], w) {
			report.Errorf("route %d is %q, want %s", i, got[i], w)
		}
	}
	if err := Change(t.Context(), c, dst("proto 9")); err != nil {
		t.Fatal(err)
	}
	if got := list(t, c, Filter{Table: 20}); len(got) != 3 || !strings.Contains(got[0], "proto ra") {
		report.Errorf("after the change: %q", got)
	}
}

func TestKernelWatch(t *testing.T) {
	t.Parallel()
	l := lab.Test(t)
	ns := l.NS("a")
	c := dial(t, ns)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	events, err := Watch(ctx, ns.Config(), Filter{Table: 20})
	if err != nil {
		t.Fatal(err)
	}
	add(t, c, "192.0.2.0/24 dev if1 table 20", "192.0.2.0/24 dev if1 table 21", "2001:db8:1::/48 dev if1 table 20")
	r, _ := Parse("192.0.2.0/24 dev if1 table 20 proto static", &Names{})
	r.OIF = 1
	if err := Replace(t.Context(), c, r); err != nil {
		t.Fatal(err)
	}
	if err := Delete(t.Context(), c, r); err != nil {
		t.Fatal(err)
	}
	var got []string
	for e, err := range events {
		if err != nil {
			if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			break
		}
		got = append(got, e.Kind.String()+" "+e.Route.Dst.String())
		if len(got) == 4 {
			cancel()
		}
	}
	want := "[added 192.0.2.0/24 added 2001:db8:1::/48 replaced 192.0.2.0/24 deleted 192.0.2.0/24]"
	if s := fmt.Sprint(got); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
}

// A watch that nobody reads loses events, says so, and goes on.
func TestKernelWatchOverrun(t *testing.T) {
	t.Parallel()
	l := lab.Test(t)
	ns := l.NS("a")
	c := dial(t, ns)
	var events iter.Seq2[Event, error]
	err := asOrdinary(func() (err error) {
		events, err = Watch(t.Context(), ns.Config(), Filter{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := Parse("192.0.2.0/24 table 20 dev if1", nil)
	if err != nil {
		t.Fatal(err)
	}
	lost := false
	done := make(chan error, 1)
	go func() {
		// More than the buffer of an ordinary user takes.
		for range 20000 {
			if err := errors.Join(Add(t.Context(), c, r), Delete(t.Context(), c, r)); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	seen := 0
	last := r
	last.Dst = netip.MustParsePrefix("198.51.100.0/24")
	for e, err := range events {
		switch {
		case errors.Is(err, ErrEventsLost):
			lost = true
			if err := Add(t.Context(), c, last); err != nil {
				t.Fatal(err)
			}
			continue
		case err != nil:
			t.Fatal(err)
		}
		if seen++; e.Route.Dst == last.Dst {
			break
		}
	}
	if !lost || seen < 1 {
		t.Errorf("lost %v, seen %d", lost, seen)
	}
}

// asOrdinary runs fn without CAP_NET_ADMIN, and so with the receive buffer that
// an ordinary user gets.
func asOrdinary(fn func() error) (err error) {
	runtime.LockOSThread()
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var caps [2]unix.CapUserData
	if err := unix.Capget(&hdr, &caps[0]); err != nil {
		return err
	}
	less := caps
	less[0].Effective &^= 1 << unix.CAP_NET_ADMIN
	if err := unix.Capset(&hdr, &less[0]); err != nil {
		return err
	}
	defer func() {
		if e := unix.Capset(&hdr, &caps[0]); e != nil {
			err = errors.Join(err, e)
			return // with the thread locked, so that it ends with the goroutine
		}
		runtime.UnlockOSThread()
	}()
	return fn()
}

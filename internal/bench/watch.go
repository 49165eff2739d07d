package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/route"
)

// A watchResult is the result of a subscriber to n changes at full speed.
type watchResult struct {
	who  string
	seen int
	took time.Duration // time of the changes
	loss string        // how the subscriber learned of lost events
	// exact is set if the subscriber knew the state of the kernel in the end. It listed
	// the routes again if events were lost.
	exact bool
}

// watch runs each subscriber while n routes are added and deleted as fast as the kernel can.
func (w *world) watch(n int) (_ []watchResult, total int, _ error) {
	messages, err := w.payloads(n/2, scratchTable)
	if err != nil {
		return nil, 0, err
	}
	adds := prepare(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, perSend, messages)
	// One route of ten is not deleted.
	deletes := prepare(unix.RTM_DELROUTE, 0, perSend, messages[n/20:])
	total = n/2 + len(messages[n/20:])
	change := func() error { return errors.Join(w.raw.write(adds), w.raw.write(deletes)) }
	clean := func() error {
		_, err := route.Flush(w.ctx, w.conn, route.Filter{Table: scratchTable})
		return err
	}
	large, err := w.watchOurs(ours+", as root", total, change)
	err = errors.Join(err, clean())
	var ordinary, peer watchResult
	if err == nil {
		err = withoutNetAdmin(func() (err error) {
			ordinary, err = w.watchOurs(ours+", default buffer", total, change)
			return err
		})
		err = errors.Join(err, clean())
	}
	if err == nil {
		peer, err = w.watchVish(total, change)
		err = errors.Join(err, clean())
	}
	return []watchResult{large, ordinary, peer}, total, err
}

// watchOurs updates a set of routes with events, and lists the routes again when events were
// lost.
func (w *world) watchOurs(who string, total int, change func() error) (watchResult, error) {
	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	f := route.Filter{Family: route.IPv4, Table: scratchTable}
	events, err := route.Watch(ctx, w.ns.Config(), f)
	if err != nil {
		return watchResult{}, err
	}
	out := watchResult{who: who}
	var changed error
	var idle atomic.Int64 // the time of the last event
	idle.Store(time.Now().UnixNano())
	go func() {
		start := time.Now()
		changed = change()
		out.took = time.Since(start)
		for time.Since(time.Unix(0, max(idle.Load(), start.Add(out.took).UnixNano()))) < idleTime {
			time.Sleep(idleTime / 10)
		}
		cancel()
	}()
	known := make(map[netip.Prefix]bool)
	list := func(into map[netip.Prefix]bool) error {
		for r, err := range route.All(w.ctx, w.conn, f) {
			if err != nil {
				return err
			}
			into[r.Dst] = true
		}
		return nil
	}
	losses := 0
	for e, err := range events {
		idle.Store(time.Now().UnixNano())
		switch {
		case errors.Is(err, context.Canceled):
		case errors.Is(err, route.ErrEventsLost):
			losses++
			clear(known)
			if err := list(known); err != nil {
				return out, err
			}
		case err != nil:
			return out, err
		case e.Kind == route.Deleted:
			out.seen++
			delete(known, e.Route.Dst)
		default:
			out.seen++
			known[e.Route.Dst] = true
		}
	}
	if changed != nil {
		return out, changed
	}
	actual := make(map[netip.Prefix]bool)
	if err := list(actual); err != nil {
		return out, err
	}
	out.exact = equalSets(known, actual)
	out.loss = "none"
	if losses > 0 {
		out.loss = fmt.Sprintf("reported %d times", losses)
	} else if out.seen != total {
		out.loss = "not reported"
	}
	return out, nil
}

// idleTime is the time without events after which a watch ends.
const idleTime = 300 * time.Millisecond

func equalSets(a, b map[netip.Prefix]bool) bool {
	if len(a) != len(b) {
		return false
	}
	for p := range a {
		if !b[p] {
			return false
		}
	}
	return true
}

// watchVish subscribes with vishvananda/netlink in the usual way.
func (w *world) watchVish(total int, change func() error) (watchResult, error) {
	out := watchResult{who: vish, loss: "none"}
	ns := netns.NsHandle(w.ns.FD())
	updates, done := make(chan netlink.RouteUpdate, 1024), make(chan struct{})
	var failed atomic.Pointer[error]
	if err := netlink.RouteSubscribeWithOptions(updates, done, netlink.RouteSubscribeOptions{
		Namespace: &ns, ErrorCallback: func(err error) { failed.Store(&err) },
	}); err != nil {
		return out, err
	}
	changed := make(chan error, 1)
	go func() {
		start := time.Now()
		err := change()
		out.took = time.Since(start)
		changed <- err
	}()
	known := make(map[string]bool)
	var err error
	for idle := false; !idle; {
		select {
		case u, ok := <-updates:
			if !ok {
				idle = true
				continue
			}
			out.seen++
			if u.Type == unix.RTM_DELROUTE {
				delete(known, u.Dst.String())
			} else {
				known[u.Dst.String()] = true
			}
		case err = <-changed:
			changed = nil
		case <-time.After(idleTime):
			idle = changed == nil
		}
	}
	if changed != nil {
		err = <-changed
	}
	close(done)
	if p := failed.Load(); p != nil {
		out.loss = fmt.Sprintf("the subscription ends: %v", *p)
	} else if out.seen != total {
		out.loss = "not reported"
	}
	n, walkErr := w.raw.walk(dump(scratchTable))
	out.exact = n == len(known)
	return out, errors.Join(err, walkErr)
}

// withoutNetAdmin runs fn without CAP_NET_ADMIN, so that its sockets have the receive buffer
// of an ordinary user.
func withoutNetAdmin(fn func() error) (err error) {
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
			return // the thread stays locked, so that it ends with the goroutine
		}
		runtime.UnlockOSThread()
	}()
	return fn()
}

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

// watched is what a subscriber saw of n changes at full speed.
type watched struct {
	who  string
	seen int
	took time.Duration // of the changes
	loss string        // how it was told
	// exact: what it knew in the end, after it had listed again where told to,
	// was what there was.
	exact bool
}

// watch has each subscriber look on while n routes are added and deleted as
// fast as the kernel takes them.
func (w *world) watch(n int) (_ []watched, total int, _ error) {
	messages, err := w.payloads(n/2, many)
	if err != nil {
		return nil, 0, err
	}
	adds := prepare(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, perSend, messages)
	// One in ten stays.
	deletes := prepare(unix.RTM_DELROUTE, 0, perSend, messages[n/20:])
	total = n/2 + len(messages[n/20:])
	change := func() error { return errors.Join(w.raw.write(adds), w.raw.write(deletes)) }
	clean := func() error {
		_, err := route.Flush(w.ctx, w.conn, route.Filter{Table: many})
		return err
	}
	large, err := w.watchOurs(ours+", as root", total, change)
	err = errors.Join(err, clean())
	var ordinary, peer watched
	if err == nil {
		err = asOrdinary(func() (err error) {
			ordinary, err = w.watchOurs(ours+", default buffer", total, change)
			return err
		})
		err = errors.Join(err, clean())
	}
	if err == nil {
		peer, err = w.watchVish(total, change)
		err = errors.Join(err, clean())
	}
	return []watched{large, ordinary, peer}, total, err
}

// watchOurs keeps a set of the routes that there are by events, and lists again
// when events were lost.
func (w *world) watchOurs(who string, total int, change func() error) (watched, error) {
	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	f := route.Filter{Family: route.IPv4, Table: many}
	events, err := route.Watch(ctx, w.ns.Config(), f)
	if err != nil {
		return watched{}, err
	}
	out := watched{who: who}
	var changed error
	var idle atomic.Int64 // when the last event came, after which the watch ends
	idle.Store(time.Now().UnixNano())
	go func() {
		start := time.Now()
		changed = change()
		out.took = time.Since(start)
		for time.Since(time.Unix(0, max(idle.Load(), start.Add(out.took).UnixNano()))) < quiet {
			time.Sleep(quiet / 10)
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
	times := 0
	for e, err := range events {
		idle.Store(time.Now().UnixNano())
		switch {
		case errors.Is(err, context.Canceled):
		case errors.Is(err, route.ErrEventsLost):
			times++
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
	there := make(map[netip.Prefix]bool)
	if err := list(there); err != nil {
		return out, err
	}
	out.exact = same(known, there)
	out.loss = "none"
	if times > 0 {
		out.loss = fmt.Sprintf("reported %d times", times)
	} else if out.seen != total {
		out.loss = "not reported"
	}
	return out, nil
}

// quiet is how long no event has to come for a watch to be over.
const quiet = 300 * time.Millisecond

func same(a, b map[netip.Prefix]bool) bool {
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

// watchVish subscribes as one does with vishvananda/netlink.
func (w *world) watchVish(total int, change func() error) (watched, error) {
	out := watched{who: vish, loss: "none"}
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
		case <-time.After(quiet):
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
	n, walkErr := w.raw.walk(dump(many))
	out.exact = n == len(known)
	return out, errors.Join(err, walkErr)
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

package maintain

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/internal/host"
)

// A cause is why Run looks at the kernel's state. Several causes form a set.
type cause uint16

const (
	causeStart cause = 1 << iota
	causeUpdate
	causeLink
	causeAddress
	causeRoute
	causeRule
	causeLost
	causeTime
	causeHealth
	causeFirewall

	// causesOwn are the causes that no other program is behind.
	causesOwn = causeStart | causeUpdate | causeHealth
)

// String returns the causes in plain words.
func (c cause) String() string {
	var words []string
	for i, word := range []string{
		"start", "other uplinks changed", "an interface changed", "an address changed", "routes changed", "rules changed",
		"events were lost", "periodic check", "the health of an uplink changed",
		"nf_tables changed",
	} {
		if c&(1<<i) != 0 {
			words = append(words, word)
		}
	}
	return strings.Join(words, ", ")
}

// A watch listens to the kernel. It maintains a mirror of the host, and notes which uplinks
// an event concerns, so that the other uplinks are not checked.
type watch struct {
	sub *rtnl.Subscription
	// self is the port of the socket that Run changes things with.
	self uint32
	wake chan struct{} // gets a value when there is something new

	mu     sync.Mutex
	mirror host.Mirror
	// distrusted means that the host has to be read again before its state is used.
	distrusted bool
	// interests say which events concern which uplinks. Nil: every event concerns all of
	// them.
	interests *interests
	news      news
	// later are events since a look has begun. They are examined again when the look has
	// found out which events concern which uplinks.
	later     []finder
	tooMany   cause // of those that are not among later
	isLooking bool
	port      uint32    // from which something of ours was deleted last
	at        time.Time // when that was
	err       error     // of the socket
}

// News are what a watch has noted.
type news struct {
	agenda agenda
	stale  stale // that is taken with the state
	lost   int   // times that events were lost
	seen   int   // events that concern anyone
}

// run listens until ctx ends or the socket fails.
func (w *watch) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := w.sub.Wait(ctx)
		if ctx.Err() != nil {
			return
		}
		w.mu.Lock()
		if err == nil {
			err = w.drain()
		}
		w.err = err
		isNew := err != nil || !w.news.agenda.isEmpty()
		w.mu.Unlock()
		if isNew {
			w.signal()
		}
		if err != nil {
			return
		}
	}
}

// drain takes over all events that have arrived. The caller has the lock.
func (w *watch) drain() error {
	for {
		err := w.sub.Pending(func(m netlink.Message) error {
			w.see(m)
			return nil
		})
		if !errors.Is(err, rtnl.ErrOverrun) {
			return err
		}
		w.news.lost++
		lost := everything(causeLost)
		w.news.agenda.add(&lost)
		w.mirror.Forget()
	}
}

// see takes an event, and notes which uplinks it concerns.
func (w *watch) see(m netlink.Message) {
	if !w.mirror.Known() {
		return // it will be read
	}
	about := w.find(m)
	if about == nil {
		return
	}
	isSelf := m.Header.PID != 0 && m.Header.PID == w.self
	known := w.interests
	if known == nil {
		known = new(interests)
	}
	c := about(known)
	if w.interests == nil && !isSelf {
		c = everything(c.cause)
	}
	w.news.stale.add(&c)
	if isSelf {
		return
	}
	w.news.agenda.add(&c)
	w.news.seen++
	switch {
	case !w.isLooking || w.interests == nil:
	case len(w.later) < mostLater:
		w.later = append(w.later, about)
	default:
		w.tooMany |= c.cause
	}
	isDeleted := m.Header.Type == uapi.RTM_DELRULE || m.Header.Type == uapi.RTM_DELROUTE
	if c.ours && isDeleted && m.Header.PID != 0 {
		w.port, w.at = m.Header.PID, time.Now()
	}
}

// mostLater is how many events are kept for later. A look can take long if other processes
// have the lock.
const mostLater = 4096

// A finder finds out which uplinks an event concerns.
type finder func(*interests) concern

// find takes an event. It returns how to find out which uplinks the event concerns, or nil
// if it concerns none.
func (w *watch) find(m netlink.Message) finder {
	switch m.Header.Type {
	case uapi.RTM_NEWLINK, uapi.RTM_DELLINK:
		index, names, err := w.mirror.Link(m)
		switch {
		case err != nil:
			return func(*interests) concern { return everything(causeLink) }
		case index != 0:
			return func(i *interests) concern { return i.ofLink(index, names) }
		}
	case uapi.RTM_NEWADDR, uapi.RTM_DELADDR:
		a, changed, err := w.mirror.Address(m)
		switch {
		case err != nil:
			return func(*interests) concern { return everything(causeAddress) }
		case changed:
			return func(i *interests) concern { return i.ofAddress(a) }
		}
	case uapi.RTM_NEWRULE, uapi.RTM_DELRULE:
		r, err := w.mirror.Rule(m)
		if err != nil {
			return func(*interests) concern { return everything(causeRule) }
		}
		return func(i *interests) concern { return i.ofRule(&r) }
	case uapi.RTM_NEWROUTE, uapi.RTM_DELROUTE:
		r := new(route.Route)
		if r.UnmarshalBinary(m.Data) == nil {
			return func(i *interests) concern { return i.ofRoute(r) }
		}
	}
	return nil
}

// count returns how many events were noted since the last call of take, and whether all are about
// rules and routes of uplinks.
func (w *watch) count() (seen int, isOurs bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a := &w.news.agenda
	return w.news.seen, a.ours && !a.others && w.news.lost == 0 && w.err == nil
}

// take returns what was noted since the last call.
func (w *watch) take() (n news, port uint32, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if time.Since(w.at) > budgetSeconds*time.Second {
		w.port = 0 // that has nothing to do with what happens now
	}
	n, w.news = w.news, news{stale: w.news.stale}
	return n, w.port, w.err
}

// watchAll lets every event concern all uplinks, until the interests are known.
func (w *watch) watchAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.interests, w.news.agenda = nil, agenda{}
}

// follow sets the interests.
func (w *watch) follow(i *interests) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.interests = i
	for _, about := range w.later {
		c := about(i)
		w.news.agenda.add(&c)
	}
	if w.tooMany != 0 {
		w.news.agenda.add(&concern{cause: w.tooMany, all: true})
	}
	w.later, w.tooMany, w.isLooking = nil, 0, false
	if !w.news.agenda.isEmpty() {
		w.signal()
	}
}

// signal wakes the maintainer.
func (w *watch) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// readings is how many times the host is read at most, until nothing changes during a
// reading.
const readings = 3

// read reads the host again, and returns its state. If rules are deleted while they are
// listed, the kernel leaves out others. So the host is read again if something has changed
// in the meantime.
func (w *watch) read(ctx context.Context, c route.Conn, etc string) (*host.State, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.isLooking, w.distrusted, w.news.stale = true, false, stale{}
	for n := 1; ; n++ {
		if err := w.drain(); err != nil {
			return nil, err
		}
		if err := w.mirror.Read(ctx, c); err != nil {
			return nil, err
		}
		w.mirror.Overlap(true)
		err := w.drain()
		exact := w.mirror.Overlap(false)
		switch {
		case err != nil:
			return nil, err
		case !w.mirror.Known(): // events were lost
		case exact || n >= readings:
			return w.mirror.State(etc), nil
		}
	}
}

// state returns the state of the host after all events that have arrived, and the routes
// that they make stale.
func (w *watch) state(ctx context.Context, c route.Conn, etc string) (*host.State, stale, error) {
	w.mu.Lock()
	if err := w.drain(); err != nil {
		w.mu.Unlock()
		return nil, stale{}, err
	}
	if w.mirror.Known() && !w.distrusted {
		defer w.mu.Unlock()
		w.isLooking = true
		old := w.news.stale
		w.news.stale = stale{}
		err := w.mirror.Order(ctx, c, func(index uint32) bool { return w.interests == nil || w.interests.links[index] != nil })
		if err != nil {
			return nil, old, err
		}
		return w.mirror.State(etc), old, nil
	}
	w.mu.Unlock()
	now, err := w.read(ctx, c, etc)
	return now, stale{all: true}, err
}

// distrust makes the next use of the host's state read the host again.
func (w *watch) distrust() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.distrusted = true
}

// openWatch subscribes to what Run listens to, in the namespace of c.
func openWatch(c route.Conn, buffer int, wake chan struct{}) (*watch, error) {
	sub, err := rtnl.SubscribeLike(c,
		uapi.RTNLGRP_LINK, uapi.RTNLGRP_IPV4_IFADDR, uapi.RTNLGRP_IPV6_IFADDR,
		uapi.RTNLGRP_IPV4_RULE, uapi.RTNLGRP_IPV6_RULE, uapi.RTNLGRP_IPV4_ROUTE, uapi.RTNLGRP_IPV6_ROUTE)
	if err == nil && buffer > 0 {
		if err = sub.SetReadBuffer(buffer); err != nil {
			sub.Close()
		}
	}
	if err != nil {
		return nil, err
	}
	return &watch{sub: sub, self: rtnl.Port(c), wake: wake}, nil
}

package table

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
)

// A cause is why Maintain looks at the kernel's state.
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

	// causesOwn are those that nobody else is behind.
	causesOwn = causeStart | causeUpdate | causeHealth
)

// String is what has happened, in plain words.
func (c cause) String() string {
	var words []string
	for i, word := range []string{
		"start", "other uplinks", "an interface changed", "an address changed", "routes changed", "rules changed",
		"events were lost", "a look without an event", "the health of an uplink changed",
	} {
		if c&(1<<i) != 0 {
			words = append(words, word)
		}
	}
	return strings.Join(words, ", ")
}

// A watch listens to the kernel and notes what has to be looked at.
type watch struct {
	sub *rtnl.Subscription
	// self is the port of the socket that Maintain changes things with.
	self uint32
	wake chan struct{} // gets a value when there is something new

	mu     sync.Mutex
	causes cause
	port   uint32 // whence something of ours was deleted last, and when
	at     time.Time
	lost   int   // times that events were lost
	err    error // the socket's
	// tables and protocols are those of the uplinks. Nil tables: they are not known
	// yet, and may be any.
	tables    map[rttables.ID]bool
	protocols []route.Protocol
}

// run listens until ctx ends or the socket fails.
func (w *watch) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := w.sub.Receive(ctx, func(m netlink.Message) error {
			w.note(m)
			return nil
		})
		switch {
		case err == nil || ctx.Err() != nil:
		case errors.Is(err, rtnl.ErrOverrun):
			w.tell(func() { w.causes |= causeLost; w.lost++ })
		default:
			w.tell(func() { w.err = err })
			return
		}
	}
}

// tell changes what is noted, and wakes whom it is for.
func (w *watch) tell(change func()) {
	w.mu.Lock()
	change()
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// note looks at an event. Routes of others are most of what happens on a router,
// and nothing to wake up for. Nor is what Maintain has done itself.
func (w *watch) note(m netlink.Message) {
	if m.Header.PID != 0 && m.Header.PID == w.self {
		return
	}
	switch m.Header.Type {
	case uapi.RTM_NEWLINK, uapi.RTM_DELLINK:
		w.tell(func() { w.causes |= causeLink })
	case uapi.RTM_NEWADDR, uapi.RTM_DELADDR:
		w.tell(func() { w.causes |= causeAddress })
	case uapi.RTM_NEWRULE, uapi.RTM_DELRULE:
		var r rule.Rule
		ours := r.UnmarshalBinary(m.Data) == nil && w.ours(r.Protocol)
		w.tell(func() { w.causes |= causeRule; w.opponent(m, ours) })
	case uapi.RTM_NEWROUTE, uapi.RTM_DELROUTE:
		var r route.Route
		if r.UnmarshalBinary(m.Data) != nil {
			return
		}
		ours := w.ours(r.Protocol)
		if ours || w.interesting(&r) {
			w.tell(func() { w.causes |= causeRoute; w.opponent(m, ours) })
		}
	}
}

// opponent notes who deletes what is ours. The lock is held.
func (w *watch) opponent(m netlink.Message, ours bool) {
	if ours && (m.Header.Type == uapi.RTM_DELRULE || m.Header.Type == uapi.RTM_DELROUTE) && m.Header.PID != 0 {
		w.port, w.at = m.Header.PID, time.Now()
	}
}

// ours reports whether a protocol is that of an uplink, which Maintain itself
// may use as well.
func (w *watch) ours(p route.Protocol) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Contains(w.protocols, p)
}

// interesting reports whether a route is in one of the uplinks' tables, or one
// that a gateway may be learned from.
func (w *watch) interesting(r *route.Route) bool {
	if r.Table == rttables.Main {
		return r.Canonical().Dst.Bits() <= 0
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.tables == nil || w.tables[r.Table]
}

// take returns what was noted since the last time.
func (w *watch) take() (causes cause, port uint32, lost int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if time.Since(w.at) > budgetSeconds*time.Second {
		w.port = 0 // that is another story
	}
	causes, port, lost, err = w.causes, w.port, w.lost, w.err
	w.causes, w.lost = 0, 0
	return causes, port, lost, err
}

// own says whose objects are the uplinks', before those are read: nothing that is
// deleted after that is missed.
func (w *watch) own(protocols []route.Protocol) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tables, w.protocols = nil, protocols
}

// use says which tables are the uplinks'.
func (w *watch) use(tables map[rttables.ID]bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tables = tables
}

// openWatch subscribes to what Maintain listens to, in the namespace of c.
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

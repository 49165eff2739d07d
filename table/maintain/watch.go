package maintain

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
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
)

// A cause is why Run looks at the kernel's state. Several causes are a set.
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

	// causesOwn are those that no other program is behind.
	causesOwn = causeStart | causeUpdate | causeHealth
)

// String returns what has happened, in plain words.
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
	// self is the port of the socket that Run changes things with.
	self uint32
	wake chan struct{} // gets a value when there is something new

	mu     sync.Mutex
	causes cause
	port   uint32    // from which something of ours was deleted last
	at     time.Time // when that was
	lost   int       // times that events were lost
	err    error     // of the socket
	// tables and protocols are those of the uplinks. Nil tables: they are not known yet,
	// and may be any.
	tables    map[rttables.ID]bool
	protocols []route.Protocol
	// defaults are tables of others whose default routes matter, because rules before
	// those of the uplinks look them up.
	defaults map[rttables.ID]bool
	// learnTables are those that default routes are learned from.
	learnTables map[rttables.ID]bool
}

// run listens until ctx ends or the socket fails.
func (w *watch) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := w.sub.Receive(ctx, func(m netlink.Message) error {
			w.see(m)
			return nil
		})
		switch {
		case err == nil || ctx.Err() != nil:
		case errors.Is(err, rtnl.ErrOverrun):
			w.note(func() { w.causes |= causeLost; w.lost++ })
		default:
			w.note(func() { w.err = err })
			return
		}
	}
}

// note changes what is noted, under the lock, and wakes the maintainer.
func (w *watch) note(change func()) {
	w.mu.Lock()
	change()
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// see looks at an event. Routes of other programs are most of what happens on a router,
// and no reason to wake up. Nor is what Run has done itself.
func (w *watch) see(m netlink.Message) {
	if m.Header.PID != 0 && m.Header.PID == w.self {
		return
	}
	switch m.Header.Type {
	case uapi.RTM_NEWLINK, uapi.RTM_DELLINK:
		w.note(func() { w.causes |= causeLink })
	case uapi.RTM_NEWADDR, uapi.RTM_DELADDR:
		w.note(func() { w.causes |= causeAddress })
	case uapi.RTM_NEWRULE, uapi.RTM_DELRULE:
		var r rule.Rule
		ours := r.UnmarshalBinary(m.Data) == nil && w.isOurs(r.Protocol)
		w.note(func() { w.causes |= causeRule; w.noteDeleter(m, ours) })
	case uapi.RTM_NEWROUTE, uapi.RTM_DELROUTE:
		var r route.Route
		if r.UnmarshalBinary(m.Data) != nil {
			return
		}
		ours := w.isOurs(r.Protocol)
		if ours || w.concerns(&r) {
			w.note(func() { w.causes |= causeRoute; w.noteDeleter(m, ours) })
		}
	}
}

// noteDeleter notes the port that deletes what is ours. The caller has the lock.
func (w *watch) noteDeleter(m netlink.Message, ours bool) {
	if ours && (m.Header.Type == uapi.RTM_DELRULE || m.Header.Type == uapi.RTM_DELROUTE) && m.Header.PID != 0 {
		w.port, w.at = m.Header.PID, time.Now()
	}
}

// isOurs reports whether a protocol is that of an uplink.
func (w *watch) isOurs(p route.Protocol) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Contains(w.protocols, p)
}

// concerns reports whether a route is in one of the uplinks' tables, or one that may be
// learned, or beside the shared default, or says what is on a link.
func (w *watch) concerns(r *route.Route) bool {
	if r.Table == rttables.Main && (form.IsDefault(r) || host.IsLinkRoute(r)) {
		return true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.Table == rttables.Main {
		return w.defaults[r.Table] && isDefaultOrPart(r)
	}
	return w.tables == nil || w.tables[r.Table] || w.learnTables[r.Table] && form.IsDefault(r) ||
		w.defaults[r.Table] && isDefaultOrPart(r)
}

// take returns what was noted since the last call.
func (w *watch) take() (causes cause, port uint32, lost int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if time.Since(w.at) > budgetSeconds*time.Second {
		w.port = 0 // that has nothing to do with what happens now
	}
	causes, port, lost, err = w.causes, w.port, w.lost, w.err
	w.causes, w.lost = 0, 0
	return causes, port, lost, err
}

// watchUplinks sets the protocols of the uplinks, and the tables that they learn from,
// before the host is read: no change after that is missed.
func (w *watch) watchUplinks(uplinks []*maintainedUplink) {
	protocols := protocolsOf(uplinks)
	learnTables := make(map[rttables.ID]bool)
	for _, k := range uplinks {
		if k.Learn != 0 {
			learnTables[k.learnTable()] = true
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tables, w.protocols, w.learnTables = nil, protocols, learnTables
}

// watchTables sets the tables of the uplinks.
func (w *watch) watchTables(tables map[rttables.ID]bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tables = tables
}

// watchDefaults sets the tables of others whose default routes matter.
func (w *watch) watchDefaults(tables map[rttables.ID]bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.defaults = tables
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

package route

import (
	"context"
	"iter"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
)

// ErrEventsLost is the error that a watch yields if the kernel had more events than the
// socket's buffer could hold. The caller's knowledge may then be out of date, so list
// again. The watch continues, and does not miss later events.
var ErrEventsLost = rtnl.ErrOverrun

// An EventKind says what happened to an object.
type EventKind uint8

// The kinds of events.
const (
	Added    EventKind = iota + 1 // it was added
	Replaced                      // it replaced another one
	Deleted                       // it was deleted
)

var eventKinds = iptext.Enum{
	{N: uint8(Added), Name: "added"},
	{N: uint8(Replaced), Name: "replaced"},
	{N: uint8(Deleted), Name: "deleted"},
}

// String returns added, replaced or deleted, or the number of another kind.
func (k EventKind) String() string { return eventKinds.Name(uint8(k)) }

// MarshalText returns what String does.
func (k EventKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads what String returns, or any number of 8 bits.
func (k *EventKind) UnmarshalText(text []byte) error {
	return iptext.UnmarshalName(eventKinds, 8, "route", "a kind of event", text, k)
}

// An Event is a change of a route.
type Event struct {
	Kind  EventKind
	Route Route
}

// Watch subscribes to changes of the routes that f selects, in the network namespace of
// config, as for [Dial]; config can be nil. No change is missed after Watch returns: to
// get the initial state, call List after Watch. A loop over the result gets the
// changes. It ends when ctx ends; the error of ctx is then the last value. When the
// loop ends or breaks, the socket is closed. [ErrEventsLost] does not end the loop.
//
// The kernel does not report every change. It sends no event for the IPv4 routes that
// it deletes because an interface is set down, the last address of an interface is
// deleted, or a nexthop object is deleted. To find out about these, watch links,
// addresses and nexthop objects. The kernel also sends no event for routes that lose
// their source address because the address is deleted.
func Watch(ctx context.Context, config *netlink.Config, f Filter) (iter.Seq2[Event, error], error) {
	var groups []uint32
	for _, g := range []struct {
		family Family
		group  uint32
	}{
		{IPv4, uapi.RTNLGRP_IPV4_ROUTE}, {IPv6, uapi.RTNLGRP_IPV6_ROUTE}, {MPLS, uapi.RTNLGRP_MPLS_ROUTE},
	} {
		if f.Family == 0 || f.Family == g.family {
			groups = append(groups, g.group)
		}
	}
	events, err := rtnl.Watch(ctx, config, groups, func(m netlink.Message) (e Event, ok bool, err error) {
		switch m.Header.Type {
		case uapi.RTM_NEWROUTE:
			e.Kind = Added
			if m.Header.Flags&netlink.Replace != 0 {
				e.Kind = Replaced
			}
		case uapi.RTM_DELROUTE:
			e.Kind = Deleted
		default:
			return e, false, nil
		}
		if err := e.Route.UnmarshalBinary(m.Data); err != nil {
			return e, false, err
		}
		return e, f.match(&e.Route), nil
	})
	if err != nil {
		return nil, &rtnl.Error{Package: "route", Verb: "watch", Err: err}
	}
	return events, nil
}

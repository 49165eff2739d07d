package route

import (
	"context"
	"iter"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
)

// ErrEventsLost is what a watch yields when the kernel had more events than the
// socket's buffer took. What was known is then out of date: list again. The
// watch goes on, and misses nothing that happens after it.
var ErrEventsLost = rtnl.ErrOverrun

// An EventKind is what happened to an object.
type EventKind uint8

// The kinds of events.
const (
	Added    EventKind = iota + 1 // it is new
	Replaced                      // it took the place of another one
	Deleted                       // it is gone
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

// Watch subscribes to changes of the routes that f selects, in the namespace of
// config, which may be nil. No change is missed from when it returns; so
// whoever wants the state as well lists after it. Ranging over the result
// yields the changes until ctx ends, whose error comes last, or the loop does,
// which closes the socket. [ErrEventsLost] does not end it.
//
// The kernel does not tell everything. IPv4 routes that go with an interface
// that is set down, with the last address of an interface, or with a nexthop
// object, go without an event; watch links and addresses for these. A source
// address that is deleted changes routes without one as well.
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

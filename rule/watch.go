package rule

import (
	"context"
	"iter"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// An Event is a rule that was added or deleted.
type Event struct {
	Kind route.EventKind
	Rule Rule
}

// Watch subscribes to changes of the rules that f selects, in the namespace of config,
// which can be nil. No change is missed after Watch has returned, so call [List] after
// Watch to get the initial state. A loop over the result gets the changes. It ends when
// ctx ends; the error of ctx is then the last value. When the loop ends or breaks, the
// socket is closed. [route.ErrEventsLost] does not end the loop.
//
// The kernel reports no event if an interface of a rule, or the target of a goto,
// appears or disappears.
func Watch(ctx context.Context, config *netlink.Config, f Filter) (iter.Seq2[Event, error], error) {
	var groups []uint32
	for _, g := range []struct {
		family route.Family
		group  uint32
	}{
		{route.IPv4, uapi.RTNLGRP_IPV4_RULE}, {route.IPv6, uapi.RTNLGRP_IPV6_RULE},
	} {
		if f.Family == 0 || f.Family == g.family {
			groups = append(groups, g.group)
		}
	}
	events, err := rtnl.Watch(ctx, config, groups, func(msg netlink.Message) (e Event, ok bool, err error) {
		switch msg.Header.Type {
		case uapi.RTM_NEWRULE:
			e.Kind = route.Added
		case uapi.RTM_DELRULE:
			e.Kind = route.Deleted
		default:
			return e, false, nil
		}
		if err := e.Rule.read(msg.Data); err != nil {
			return e, false, err
		}
		e.Rule.normalizeListed()
		return e, f.match(&e.Rule), nil
	})
	if err != nil {
		return nil, &rtnl.Error{Package: "rule", Verb: "watch", Err: err}
	}
	return events, nil
}

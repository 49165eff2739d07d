package table

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/nexthop"
	"github.com/policyroute/policyroute/rule"
)

// snapshotTries is how often what changes meanwhile is listed before
// TakeSnapshot gives up.
const snapshotTries = 16

// An UnsettledError reports that there is no snapshot, because rules or routes
// changed during every one of a number of listings.
type UnsettledError struct {
	Tries   int
	Changed []string // what changed during the last one: links, nexthops, routes, rules
}

func (e *UnsettledError) Error() string {
	return fmt.Sprintf("table: snapshot: %s changed during each of %d listings", strings.Join(e.Changed, ", "), e.Tries)
}

// TakeSnapshot reads all rules and routes as they are at one moment.
//
// A listing by itself is none: the kernel goes on by counting, so that of rules
// which are deleted meanwhile each hides another one that is still there, and
// does not tell. So TakeSnapshot subscribes to changes, lists, and lists again
// what changed, until nothing did. The error is an [*UnsettledError] if
// something always does. Some routes go without an event; what takes them
// (interfaces, addresses, nexthop objects) is watched as well.
//
// The subscription is a socket of its own in the network namespace of c, which
// *route.Socket, *netlink.Conn and what embeds one of them tell by their
// SyscallConn. For another c there is none: then two listings in a row have to
// be the same, which is almost always enough, and no promise.
func TakeSnapshot(ctx context.Context, c route.Conn) (Snapshot, error) {
	sub, err := subscribe(c)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return snapshotTwice(ctx, c)
	case err != nil:
		return Snapshot{}, fmt.Errorf("table: snapshot: %w", err)
	}
	defer sub.Close()
	var s Snapshot
	dirty := dirtyAll
	for range snapshotTries {
		if err := s.read(ctx, c, dirty); err != nil {
			return Snapshot{}, err
		}
		if dirty, err = changed(sub); err != nil {
			return Snapshot{}, fmt.Errorf("table: snapshot: %w", err)
		}
		if dirty == 0 {
			s.normalize()
			return s, nil
		}
	}
	return Snapshot{}, &UnsettledError{Tries: snapshotTries, Changed: dirty.names()}
}

// snapshotTwice reads until two listings in a row are the same.
func snapshotTwice(ctx context.Context, c route.Conn) (Snapshot, error) {
	var last string
	for i := range snapshotTries {
		var s Snapshot
		if err := s.read(ctx, c, dirtyAll); err != nil {
			return Snapshot{}, err
		}
		s.normalize()
		text := s.String()
		if i > 0 && text == last {
			return s, nil
		}
		last = text
	}
	return Snapshot{}, &UnsettledError{Tries: snapshotTries, Changed: dirtyAll.names()}
}

// A dirt is what has to be listed again.
type dirt uint8

const (
	dirtyLinks dirt = 1 << iota
	dirtyNextHops
	dirtyRoutes
	dirtyRules
	dirtyAll = dirtyLinks | dirtyNextHops | dirtyRoutes | dirtyRules
)

func (d dirt) names() (names []string) {
	for i, name := range []string{"links", "nexthops", "routes", "rules"} {
		if d&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// subscribe watches all that makes a listing out of date.
func subscribe(c route.Conn) (*rtnl.Subscription, error) {
	groups := []uint32{
		uapi.RTNLGRP_IPV4_RULE, uapi.RTNLGRP_IPV6_RULE, uapi.RTNLGRP_IPV4_ROUTE, uapi.RTNLGRP_IPV6_ROUTE,
		uapi.RTNLGRP_LINK, uapi.RTNLGRP_IPV4_IFADDR, uapi.RTNLGRP_IPV6_IFADDR, uapi.RTNLGRP_NEXTHOP,
	}
	sub, err := rtnl.SubscribeLike(c, groups...)
	if errors.Is(err, syscall.EINVAL) {
		// Kernels before 5.3 have no nexthop objects.
		sub, err = rtnl.SubscribeLike(c, groups[:len(groups)-1]...)
	}
	return sub, err
}

// changed is what the events that have come say is out of date.
func changed(sub *rtnl.Subscription) (dirt, error) {
	var d dirt
	err := sub.Pending(func(m netlink.Message) error {
		switch m.Header.Type {
		case uapi.RTM_NEWRULE, uapi.RTM_DELRULE:
			d |= dirtyRules
		case uapi.RTM_NEWROUTE, uapi.RTM_DELROUTE, uapi.RTM_NEWADDR, uapi.RTM_DELADDR:
			d |= dirtyRoutes
		case uapi.RTM_NEWNEXTHOP, uapi.RTM_DELNEXTHOP:
			d |= dirtyNextHops | dirtyRoutes
		case uapi.RTM_NEWLINK, uapi.RTM_DELLINK:
			d |= dirtyLinks | dirtyNextHops | dirtyRoutes
		}
		return nil
	})
	if errors.Is(err, rtnl.ErrOverrun) {
		return dirtyAll, nil
	}
	return d, err
}

// read lists what is dirty.
func (s *Snapshot) read(ctx context.Context, c route.Conn, d dirt) error {
	if d&dirtyLinks != 0 {
		links, err := route.ListLinks(ctx, c)
		if err != nil {
			return fmt.Errorf("table: snapshot: %w", err)
		}
		s.Links = namedLinks(links)
	}
	if d&dirtyNextHops != 0 {
		objects, err := nexthop.List(ctx, c, nexthop.Filter{})
		if err != nil && !errors.Is(err, syscall.EOPNOTSUPP) && !errors.Is(err, syscall.EINVAL) {
			return fmt.Errorf("table: snapshot: %w", err)
		}
		s.NextHops = objects
	}
	if d&dirtyRoutes != 0 {
		s.Routes = nil
		for r, err := range route.All(ctx, c, route.Filter{}) {
			if err != nil {
				return fmt.Errorf("table: snapshot: %w", err)
			}
			if r.Family == route.IPv4 || r.Family == route.IPv6 {
				s.Routes = append(s.Routes, r)
			}
		}
	}
	if d&dirtyRules != 0 {
		s.Rules = nil
		for r, err := range rule.All(ctx, c, rule.Filter{}) {
			if err != nil {
				return fmt.Errorf("table: snapshot: %w", err)
			}
			if r.Family == route.IPv4 || r.Family == route.IPv6 {
				s.Rules = append(s.Rules, r)
			}
		}
	}
	return barrier(c)
}

// barrier waits for a change that is being made. The kernel takes a rule off
// its list, and sends the event, under one lock, which a listing goes without
// and a request for one interface has to wait for. The loopback interface is
// there in every namespace, with the index 1.
func barrier(c route.Conn) error {
	req := netlink.Message{
		Header: netlink.Header{Type: uapi.RTM_GETLINK, Flags: netlink.Request},
		Data:   make([]byte, uapi.SizeofIfInfomsg),
	}
	binary.NativeEndian.PutUint32(req.Data[uapi.IfInfomsgIndex:], 1)
	if _, err := rtnl.Replies(c, req); err != nil {
		return fmt.Errorf("table: snapshot: wait for changes: %w", err)
	}
	return nil
}

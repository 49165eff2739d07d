package snapshot

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

// maxTries is how often Take lists what changes all the time before it gives up.
const maxTries = 16

// An UnsettledError reports that Take could not make a snapshot, because rules or
// routes changed during each of its listings.
type UnsettledError struct {
	Tries   int
	Changed []string // what changed during the last listing: links, nexthops, routes, rules
}

// Error says what changed, and during how many listings.
func (e *UnsettledError) Error() string {
	return fmt.Sprintf("snapshot: %s changed during each of %d listings", strings.Join(e.Changed, ", "), e.Tries)
}

// Take reads all rules and routes as they are at one moment.
//
// A plain listing is not enough. The kernel continues a listing by counting objects, so
// for each rule that is deleted during the listing it can leave out another rule that
// still exists, and it does not report that. Take therefore subscribes to changes and
// lists everything. It then lists again what has changed, until nothing changes during
// a listing. If this does not succeed after a number of tries, the error is an
// [*UnsettledError]. The kernel deletes some routes without an event, because an
// interface, an address or a nexthop object has changed; so Take also subscribes to
// changes of these.
//
// The subscription uses another socket, in the network namespace of c. Take finds the
// namespace with the method SyscallConn of c, which *route.Socket, *netlink.Conn and
// types that embed one of them have. If c has no such method, Take lists everything
// until two listings in a row are the same. That is almost always right, but not
// guaranteed.
func Take(ctx context.Context, c route.Conn) (Snapshot, error) {
	return TakeSome(ctx, c, func() func(*route.Route) bool {
		return func(*route.Route) bool { return true }
	})
}

// TakeSome is [Take] for callers that need only a few routes of a host that may have a
// million. It does not keep the other routes in memory. TakeSome calls begin before each
// listing of routes, and calls the function that begin returns for each route of the
// listing, in the kernel's order. It keeps the routes for which that function returns true.
// That function must not retain the pointer.
func TakeSome(ctx context.Context, c route.Conn, begin func() (keep func(*route.Route) bool)) (Snapshot, error) {
	sub, err := subscribe(c)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return takeTwice(ctx, c, begin)
	case err != nil:
		return Snapshot{}, fmt.Errorf("snapshot: %w", err)
	}
	defer sub.Close()
	var s Snapshot
	old := allStale
	for range maxTries {
		if err := s.read(ctx, c, old, begin); err != nil {
			return Snapshot{}, fmt.Errorf("snapshot: %w", err)
		}
		if old, err = pendingChanges(sub); err != nil {
			return Snapshot{}, fmt.Errorf("snapshot: %w", err)
		}
		if old == 0 {
			s.normalize()
			return s, nil
		}
	}
	return Snapshot{}, &UnsettledError{Tries: maxTries, Changed: old.names()}
}

// takeTwice lists everything until two listings in a row are the same.
func takeTwice(ctx context.Context, c route.Conn, begin func() func(*route.Route) bool) (Snapshot, error) {
	var last string
	for i := range maxTries {
		var s Snapshot
		if err := s.read(ctx, c, allStale, begin); err != nil {
			return Snapshot{}, fmt.Errorf("snapshot: %w", err)
		}
		s.normalize()
		text := s.String()
		if i > 0 && text == last {
			return s, nil
		}
		last = text
	}
	return Snapshot{}, &UnsettledError{Tries: maxTries, Changed: allStale.names()}
}

// A stale is the set of listings that are out of date.
type stale uint8

const (
	staleLinks stale = 1 << iota
	staleNextHops
	staleRoutes
	staleRules
	allStale = staleLinks | staleNextHops | staleRoutes | staleRules
)

func (s stale) names() (names []string) {
	for i, name := range []string{"links", "nexthops", "routes", "rules"} {
		if s&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// subscribe subscribes to all events that make a listing out of date.
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

// pendingChanges reads the events that have arrived, and returns what they make
// out of date.
func pendingChanges(sub *rtnl.Subscription) (stale, error) {
	var s stale
	err := sub.Pending(func(m netlink.Message) error {
		switch m.Header.Type {
		case uapi.RTM_NEWRULE, uapi.RTM_DELRULE:
			s |= staleRules
		case uapi.RTM_NEWROUTE, uapi.RTM_DELROUTE, uapi.RTM_NEWADDR, uapi.RTM_DELADDR:
			s |= staleRoutes
		case uapi.RTM_NEWNEXTHOP, uapi.RTM_DELNEXTHOP:
			s |= staleNextHops | staleRoutes
		case uapi.RTM_NEWLINK, uapi.RTM_DELLINK:
			s |= staleLinks | staleNextHops | staleRoutes
		}
		return nil
	})
	if errors.Is(err, rtnl.ErrOverrun) {
		return allStale, nil
	}
	return s, err
}

// read lists what is out of date.
func (s *Snapshot) read(ctx context.Context, c route.Conn, old stale, begin func() func(*route.Route) bool) (err error) {
	if old&staleLinks != 0 {
		if s.Links, err = route.ListLinks(ctx, c); err != nil {
			return err
		}
	}
	if old&staleNextHops != 0 {
		s.NextHops, err = nexthop.List(ctx, c, nexthop.Filter{})
		if err != nil && !errors.Is(err, syscall.EOPNOTSUPP) && !errors.Is(err, syscall.EINVAL) {
			return err
		}
	}
	if old&staleRoutes != 0 {
		if err := s.readRoutes(ctx, c, begin()); err != nil {
			return err
		}
	}
	if old&staleRules != 0 {
		if err := s.readRules(ctx, c); err != nil {
			return err
		}
	}
	return awaitChange(c)
}

func (s *Snapshot) readRoutes(ctx context.Context, c route.Conn, keep func(*route.Route) bool) error {
	s.Routes = nil
	one := new(route.Route)
	for r, err := range route.All(ctx, c, route.Filter{}) {
		if err != nil {
			return err
		}
		if r.Family != route.IPv4 && r.Family != route.IPv6 {
			continue
		}
		if *one = r; keep(one) {
			s.Routes = append(s.Routes, r)
		}
	}
	return nil
}

func (s *Snapshot) readRules(ctx context.Context, c route.Conn) (err error) {
	s.Rules, err = rule.List(ctx, c, rule.Filter{})
	return err
}

// awaitChange waits until a change that the kernel is making has its event. The
// kernel deletes a rule and sends the event under one lock. A listing does not take
// the lock, but a request for one interface does. Every namespace has the loopback
// interface, which has the index 1.
func awaitChange(c route.Conn) error {
	req := netlink.Message{
		Header: netlink.Header{Type: uapi.RTM_GETLINK, Flags: netlink.Request},
		Data:   make([]byte, uapi.SizeofIfInfomsg),
	}
	binary.NativeEndian.PutUint32(req.Data[uapi.IfInfomsgIndex:], 1)
	if _, err := rtnl.Replies(c, req); err != nil {
		return fmt.Errorf("wait for changes: %w", err)
	}
	return nil
}

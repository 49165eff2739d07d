package explain

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table/snapshot"
)

// maxTries is how often Take reads a host that changes all the time before it gives up.
const maxTries = 16

// Take reads the World of the network namespace of c at one moment. If anything except a
// neighbour changes while Take reads, Take reads again. If the host keeps changing, the
// error is a [*snapshot.UnsettledError].
//
// Take reads only neighbours that are gateways. A setting that cannot be read is [Unknown].
// Some settings are read from /proc/sys. To read these settings of another network
// namespace, the caller needs CAP_SYS_ADMIN.
func Take(ctx context.Context, c route.Conn) (World, error) {
	sub, err := rtnl.SubscribeLike(c, uapi.RTNLGRP_IPV4_RULE, uapi.RTNLGRP_IPV6_RULE, uapi.RTNLGRP_IPV4_ROUTE, uapi.RTNLGRP_IPV6_ROUTE,
		uapi.RTNLGRP_LINK, uapi.RTNLGRP_IPV4_IFADDR, uapi.RTNLGRP_IPV6_IFADDR, uapi.RTNLGRP_IPV4_NETCONF, uapi.RTNLGRP_IPV6_NETCONF)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return takeTwice(ctx, c)
	case err != nil:
		return World{}, fmt.Errorf("explain: %w", err)
	}
	defer sub.Close()
	for range maxTries {
		w, err := takeOnce(ctx, c)
		if err != nil {
			return World{}, err
		}
		changed := false
		err = sub.Pending(func(netlink.Message) error { changed = true; return nil })
		switch {
		case errors.Is(err, rtnl.ErrOverrun):
			changed = true
		case err != nil:
			return World{}, fmt.Errorf("explain: %w", err)
		}
		if !changed {
			return w, nil
		}
	}
	return World{}, errUnsettled
}

var errUnsettled = &snapshot.UnsettledError{Tries: maxTries, Changed: []string{"rules, routes, interfaces or addresses"}}

// takeTwice reads until two results in a row are the same.
func takeTwice(ctx context.Context, c route.Conn) (World, error) {
	var last string
	for i := range maxTries {
		w, err := takeOnce(ctx, c)
		if err != nil {
			return World{}, err
		}
		text := w.String()
		if i > 0 && text == last {
			return w, nil
		}
		last = text
	}
	return World{}, errUnsettled
}

func takeOnce(ctx context.Context, c route.Conn) (World, error) {
	var dead []route.Route
	s, err := snapshot.TakeSome(ctx, c, func() func(*route.Route) bool {
		dead = nil
		return func(r *route.Route) bool {
			if hasDeadHop(r) {
				dead = append(dead, *r)
			}
			return true
		}
	})
	if err != nil {
		return World{}, err // begins with snapshot:
	}
	w := World{Rules: s.Rules, Routes: s.Routes, NextHops: s.NextHops, Sysctls: make(Sysctls)}
	if err := w.read(ctx, c); err != nil {
		return World{}, fmt.Errorf("explain: %w", err)
	}
	w.markDead(dead)
	return w, nil
}

// read reads what a Snapshot does not have.
func (w *World) read(ctx context.Context, c route.Conn) error {
	if err := w.readLinks(c); err != nil {
		return fmt.Errorf("list interfaces: %w", err)
	}
	if err := w.readAddresses(c); err != nil {
		return fmt.Errorf("list addresses: %w", err)
	}
	if err := w.readNeighbours(c); err != nil {
		return fmt.Errorf("list neighbours: %w", err)
	}
	for family, name := range map[route.Family]string{route.IPv4: "ipv4", route.IPv6: "ipv6"} {
		if err := w.readNetconf(c, family, name); err != nil {
			return fmt.Errorf("list the settings of %s: %w", name, err)
		}
	}
	w.readSysctls(c)
	w.readMerge(ctx, c)
	return nil
}

// readMerge finds out whether the tables local and main are one. If they are, the kernel
// finds routes of local in main.
func (w *World) readMerge(ctx context.Context, c route.Conn) {
	for i := range w.Routes {
		r := &w.Routes[i]
		if r.Family != route.IPv4 || r.Table != rttables.Local || r.Type != route.TypeLocal {
			continue
		}
		switch got, err := route.Lookup(ctx, c, route.Query{Dst: r.Dst.Addr(), FibMatch: true}); {
		case err != nil:
			continue
		case got.Table == rttables.Main && got.Type == route.TypeLocal:
			w.Sysctls.Set(customRules, "0")
		case got.Table == rttables.Local:
			w.Sysctls.Set(customRules, "1")
		default:
			continue
		}
		return
	}
}

// dump calls fn with each message of a listing.
func dump(c route.Conn, typ netlink.HeaderType, header []byte, fn func(b []byte) error) error {
	req := netlink.Message{Header: netlink.Header{Type: typ, Flags: netlink.Request | netlink.Dump}, Data: header}
	for m, err := range rtnl.Dump(c, req) {
		if err != nil {
			return err
		}
		if len(m.Data) < len(header) {
			return fmt.Errorf("a message has %d bytes, but its header alone has %d", len(m.Data), len(header))
		}
		if err := fn(m.Data); err != nil {
			return err
		}
	}
	return nil
}

// u32 returns the number of an attribute. Attributes of another length have none.
func u32(b []byte) (uint32, bool) {
	if len(b) != 4 {
		return 0, false
	}
	return binary.NativeEndian.Uint32(b), true
}

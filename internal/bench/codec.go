package main

import (
	"fmt"
	_ "unsafe" // for go:linkname

	"github.com/jsimonetti/rtnetlink/v2"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
)

// The functions of vishvananda/netlink that encode and decode a route are not exported. For
// rules it has no such functions.

//go:linkname prepareRouteReq github.com/vishvananda/netlink.(*Handle).prepareRouteReq
func prepareRouteReq(h *netlink.Handle, route *netlink.Route, req *nl.NetlinkRequest, msg *nl.RtMsg) error

//go:linkname deserializeRoute github.com/vishvananda/netlink.deserializeRoute
func deserializeRoute(m []byte) (netlink.Route, error)

const (
	copied   = "a `Route` of 264 bytes is copied once and made zero once"
	rowByRow = "one call for each attribute that there can be"
)

// codecRows returns the rows that encode and decode one route and one rule, which are like
// those of the other rows.
func (w *world) codecRows() ([]row, error) {
	const n = 100_000
	ourRoute, theirRoute, vishRoute := w.route(7, scratchTable), w.jsimRoute(7, scratchTable), w.vishRoute(7, scratchTable)
	routeMessage, err := w.capture(func() error { return route.Add(w.ctx, w.conn, ourRoute) }, dump(scratchTable))
	if err != nil {
		return nil, err
	}
	if err := route.Delete(w.ctx, w.conn, ourRoute); err != nil {
		return nil, err
	}
	r := ourRule(7)
	theirRule := jsimRule(7)
	ruleMessage, err := w.capture(func() error { return rule.Add(w.ctx, w.conn, r) }, dumpRules())
	if err != nil {
		return nil, err
	}
	if err := rule.Delete(w.ctx, w.conn, r); err != nil {
		return nil, err
	}
	buf := make([]byte, 0, 256)
	var gotRoute route.Route
	var gotRule rule.Rule
	targets := []target{{"allocs", 0}, {"peers", 5}}
	return []row{
		{name: "encode one route", n: n, targets: targets, note: copied, subjects: []subject{
			{who: ours, run: func() (int, error) {
				return repeat(n, func(int) (err error) { buf, err = ourRoute.AppendBinary(buf[:0]); return err })
			}},
			{who: vish, run: func() (int, error) {
				return repeat(n, func(int) error {
					req := nl.NewNetlinkRequest(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL|unix.NLM_F_ACK)
					err := prepareRouteReq(w.vish, vishRoute, req, nl.NewRtMsg())
					req.Serialize()
					return err
				})
			}},
			{who: jsim, run: func() (int, error) {
				return repeat(n, func(int) error { _, err := theirRoute.MarshalBinary(); return err })
			}},
		}},
		{name: "decode one route", n: n, targets: targets, note: copied, subjects: []subject{
			{who: ours, run: func() (int, error) {
				return repeat(n, func(int) error { return gotRoute.UnmarshalBinary(routeMessage) })
			}},
			{who: vish, run: func() (int, error) {
				return repeat(n, func(int) error { _, err := deserializeRoute(routeMessage); return err })
			}},
			{who: jsim, run: func() (int, error) {
				return repeat(n, func(int) error { return new(rtnetlink.RouteMessage).UnmarshalBinary(routeMessage) })
			}},
		}},
		{name: "encode one rule", n: n, targets: targets, note: rowByRow, subjects: []subject{
			{who: ours, run: func() (int, error) {
				return repeat(n, func(int) (err error) { buf, err = r.AppendBinary(buf[:0]); return err })
			}},
			{who: jsim, run: func() (int, error) {
				return repeat(n, func(int) error { _, err := theirRule.MarshalBinary(); return err })
			}},
		}},
		{name: "decode one rule", n: n, targets: targets, subjects: []subject{
			{who: ours, run: func() (int, error) {
				return repeat(n, func(int) error { return gotRule.UnmarshalBinary(ruleMessage) })
			}},
			{who: jsim, run: func() (int, error) {
				return repeat(n, func(int) error { return new(rtnetlink.RuleMessage).UnmarshalBinary(ruleMessage) })
			}},
		}},
	}, nil
}

// capture returns the payload of the message that a dump has after change and not before.
func (w *world) capture(change func() error, request []byte) ([]byte, error) {
	dumped := func() (map[string]bool, error) {
		all := make(map[string]bool)
		err := w.raw.each(request, func(payload []byte) { all[string(payload)] = true })
		return all, err
	}
	before, _ := dumped() // the table may not exist
	if err := change(); err != nil {
		return nil, err
	}
	after, err := dumped()
	if err != nil {
		return nil, err
	}
	for m := range after {
		if !before[m] {
			return []byte(m), nil
		}
	}
	return nil, fmt.Errorf("the kernel lists nothing new")
}

package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
)

// brokenRow returns the row in which the kernel refuses one of many uplinks.
func (k *keeping) brokenRow(uplinks, rules int, length time.Duration) row {
	return row{
		name: fmt.Sprintf("`maintain.Run` of %s uplinks beside %s rules: a second while one is refused", count(uplinks), count(rules)),
		n:    1, targets: []target{{"cpu ms", 20}},
		note: "the refused uplink is tried again, after longer and longer times",
		subjects: []subject{{who: ours, before: func() error {
			if err := errors.Join(k.end(), k.addLinks(uplinks), k.setRules(rules)); err != nil {
				return err
			}
			up := k.uplinks(uplinks)
			// The kernel has no such algorithm, and refuses the route.
			up[0].Defaults = []route.Route{{Gateway: up[0].Gateway, Metrics: &route.Metrics{CongCtl: "none-such"}}}
			up[0].Gateway = netip.Addr{}
			var err error
			k.run, err = k.w.startMaintain(up, false)
			time.Sleep(3 * length)
			return err
		}, run: func() (int, error) {
			time.Sleep(length)
			return 1, nil
		}, after: k.end}},
	}
}

// startRow returns the row in which maintain.Run starts, installs uplinks, and is ready.
func (k *keeping) startRow(uplinks, rules, routes int) row {
	return row{
		name: fmt.Sprintf("`maintain.Run` of %s uplinks beside %s rules and %s routes: until all are installed", count(uplinks), count(rules), count(routes)),
		n:    1, targets: []target{{"wall ms", 2000}, {"peak", 64}},
		subjects: []subject{{who: ours, before: func() error {
			err := errors.Join(k.end(), k.addLinks(uplinks))
			if err == nil && k.routes < routes {
				// The kernel looks up the gateway of each route, by all rules.
				err = errors.Join(k.setRules(0), k.w.fill(k.routes, routes, unix.RT_TABLE_MAIN))
				k.routes = routes
			}
			return errors.Join(err, k.setRules(rules))
		}, run: func() (int, error) {
			var err error
			k.run, err = k.w.startMaintain(k.uplinks(uplinks), false)
			return 1, err
		}, after: k.end}},
	}
}

// foreignEvents returns events that concern no uplink. They are about the interface eth0.
func (k *keeping) foreignEvents() ([]foreignEvent, error) {
	w := k.w
	mark := otherRule(0)
	mark.FwMark = rule.FwMark(1 << 31)
	source := otherRule(1)
	source.From = netip.MustParsePrefix("192.0.2.7/32")
	other, inMain := w.route(0, otherTable), w.route(1, unix.RT_TABLE_MAIN)
	for _, r := range []*route.Route{&other, &inMain} {
		// The kernel looks up a gateway by all rules.
		r.Gateway, r.Scope = netip.Addr{}, route.ScopeLink
	}
	events := []foreignEvent{{what: "a rule by a mark"}, {what: "a rule by a source"}}
	var errs []error
	payload := func(what interface{ AppendBinary([]byte) ([]byte, error) }) [][]byte {
		p, err := what.AppendBinary(nil)
		errs = append(errs, err)
		return [][]byte{p}
	}
	const add = unix.NLM_F_CREATE | unix.NLM_F_EXCL
	events[0].do, events[0].undo = prepare(unix.RTM_NEWRULE, unix.NLM_F_CREATE, 1, payload(mark)), prepare(unix.RTM_DELRULE, 0, 1, payload(mark))
	events[1].do, events[1].undo = prepare(unix.RTM_NEWRULE, unix.NLM_F_CREATE, 1, payload(source)), prepare(unix.RTM_DELRULE, 0, 1, payload(source))
	flags := func(up uint32) []byte {
		b := make([]byte, unix.SizeofIfInfomsg)
		binary.NativeEndian.PutUint32(b[4:], w.link)
		binary.NativeEndian.PutUint32(b[8:], up)
		binary.NativeEndian.PutUint32(b[12:], unix.IFF_PROMISC)
		return b
	}
	events = append(events, foreignEvent{
		"a change of an interface",
		prepare(unix.RTM_NEWLINK, 0, 1, [][]byte{flags(unix.IFF_PROMISC)}), prepare(unix.RTM_NEWLINK, 0, 1, [][]byte{flags(0)}),
	})
	addr := []byte{unix.AF_INET, 32, 0, 0, 0, 0, 0, 0}
	binary.NativeEndian.PutUint32(addr[4:], w.link)
	addr = attribute(attribute(addr, unix.IFA_LOCAL, []byte{198, 51, 100, 9}), unix.IFA_ADDRESS, []byte{198, 51, 100, 9})
	events = append(events, foreignEvent{
		"an address", prepare(unix.RTM_NEWADDR, add, 1, [][]byte{addr}), prepare(unix.RTM_DELADDR, 0, 1, [][]byte{addr}),
	}, foreignEvent{
		"a route", prepare(unix.RTM_NEWROUTE, add, 1, payload(other)), prepare(unix.RTM_DELROUTE, 0, 1, payload(other)),
	}, foreignEvent{
		"a route of main", prepare(unix.RTM_NEWROUTE, add, 1, payload(inMain)), prepare(unix.RTM_DELROUTE, 0, 1, payload(inMain)),
	})
	neigh := make([]byte, unix.SizeofNdMsg)
	neigh[0] = unix.AF_INET
	binary.NativeEndian.PutUint32(neigh[4:], w.link)
	binary.NativeEndian.PutUint16(neigh[8:], unix.NUD_PERMANENT)
	neigh = attribute(neigh, unix.NDA_DST, []byte{10, 255, 0, 77})
	del := append([]byte(nil), neigh...)
	// A hardware address of 6 bytes, with padding.
	neigh = binary.NativeEndian.AppendUint16(neigh, 10)
	neigh = binary.NativeEndian.AppendUint16(neigh, unix.NDA_LLADDR)
	neigh = append(neigh, 2, 0, 0, 0, 0, 7, 0, 0)
	events = append(events, foreignEvent{
		"a neighbour", prepare(unix.RTM_NEWNEIGH, add, 1, [][]byte{neigh}), prepare(unix.RTM_DELNEIGH, 0, 1, [][]byte{del}),
	})
	return events, errors.Join(errs...)
}

// eventGroup returns the rows about what others do while maintain.Run keeps uplinks.
func eventGroup(w *world, o options) ([]row, error) {
	uplinks, rules, length := []int{1, 10, 100, 500}, []int{1000, 20_000, 50_000}, time.Second
	rates, beside, routes := []int{10, 100, 1000, 10_000}, 20_000, 1_000_000
	if o.n < 10_000 { // for tests
		uplinks, rules, length = []int{1, 3}, []int{10}, 100*time.Millisecond
		rates, beside, routes = []int{100, 1000}, 20, 1000
	}
	k := &keeping{w: w}
	w.closers = append(w.closers, k.end)
	events, err := k.foreignEvents()
	if err != nil {
		return nil, err
	}
	var rows []row
	add := func(r row, err2 error) { rows, err = append(rows, r), errors.Join(err, err2) }
	for _, n := range uplinks {
		add(k.row(events[0], n, 0), nil)
	}
	most := uplinks[len(uplinks)-1]
	for _, n := range rules {
		add(k.row(events[0], most, n), nil)
	}
	for _, e := range events[1:] {
		add(k.row(e, most, beside), nil)
	}
	for _, rate := range rates {
		add(k.stormRow(rate, most, beside, length))
	}
	for _, n := range uplinks {
		add(k.backRow(n, beside))
	}
	add(k.idleRow(most, beside, length), nil)
	add(k.brokenRow(most, beside, length), nil)
	add(k.startRow(uplinks[len(uplinks)-2], beside, routes), nil)
	add(k.startRow(most, beside, routes), nil)
	return rows, err
}

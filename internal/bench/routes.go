package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jsimonetti/rtnetlink/v2"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

// The tables that rows use.
const (
	bigTable     rttables.ID = 2000 // filled once, with growing numbers of routes
	smallTable   rttables.ID = 3000 // has 1,000 routes
	scratchTable rttables.ID = 1000 // filled and emptied by rows
)

const smallSize = 1000

// Reasons why targets are missed.
const (
	decoding = "decoding a route and passing on its 264 bytes takes 20 ns, where the kernel needs no more than 120"
	encoding = "the raw limit does not encode"
)

// allRows returns the rows of All over the big table with n/100, n/10, n and 10n routes, and
// the row of List of the small table.
func (w *world) allRows(n int) []row {
	var rows []row
	for _, size := range []int{n / 100, n / 10, n, 10 * n} {
		r := w.allRow(size)
		if size < 10*n {
			r.targets = r.targets[:1]
		}
		rows = append(rows, r)
	}
	return append(rows, w.smallListRow(10*n))
}

func (w *world) allRow(n int) row {
	before := func() error { return w.fillTo(n) }
	r := row{
		name: fmt.Sprintf("`All` over %s routes", count(n)), n: n,
		targets: []target{{"raw", 1.15}, {"peak", 2}},
		note:    decoding,
		subjects: []subject{
			{who: limit, calls: w.rawCalls, run: func() (int, error) { return w.raw.walk(dump(bigTable)) }},
			{who: ours, calls: w.connCalls, run: func() (int, error) { return w.all(route.Filter{Family: route.IPv4, Table: bigTable}) }},
			{who: vish, run: func() (n int, err error) {
				err = w.vish.RouteListFilteredIter(netlink.FAMILY_V4, &netlink.Route{Table: int(bigTable)}, netlink.RT_FILTER_TABLE,
					func(netlink.Route) bool { n++; return true })
				return n, err
			}},
			{who: jsim, run: func() (int, error) { return w.jsimList(bigTable) }},
			{who: ip, programs: true, run: func() (int, error) { return w.ip("", "route", "show", "table", fmt.Sprint(bigTable)) }},
		},
	}
	for i := range r.subjects {
		r.subjects[i].before = before
	}
	return r
}

// fillTo fills the big table up to n routes.
func (w *world) fillTo(n int) error {
	if n <= w.bigSize {
		return nil
	}
	err := w.fill(w.bigSize, n, bigTable)
	w.bigSize = n
	return err
}

func (w *world) all(f route.Filter) (n int, err error) {
	for _, err := range route.All(w.ctx, w.conn, f) {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// jsimList lists all tables, because rtnetlink cannot select one, and counts the routes of one.
func (w *world) jsimList(table rttables.ID) (n int, err error) {
	msgs, err := w.jsim.Route.List()
	for i := range msgs {
		if msgs[i].Family == unix.AF_INET && msgs[i].Attributes.Table == uint32(table) {
			n++
		}
	}
	return n, err
}

func (w *world) smallListRow(bigSize int) row {
	filled := false
	before := func() error {
		if filled {
			return nil
		}
		filled = true
		return errors.Join(w.fill(0, smallSize, smallTable), w.fillTo(bigSize))
	}
	r := row{
		name: fmt.Sprintf("`List` of a table of %s beside one of %s", count(smallSize), count(bigSize)), n: smallSize,
		targets: []target{{"raw", 1.3}},
		note:    "the slice is new memory, 264 bytes a route, which is cleared first",
		subjects: []subject{
			{who: limit, calls: w.rawCalls, run: func() (int, error) { return w.raw.walk(dump(smallTable)) }},
			{who: ours, calls: w.connCalls, run: func() (int, error) { return w.list(smallTable) }},
			{who: vish, run: func() (int, error) { return w.vishList(smallTable) }},
			{who: jsim, run: func() (int, error) { return w.jsimList(smallTable) }},
			{who: ip, programs: true, run: func() (int, error) { return w.ip("", "route", "show", "table", fmt.Sprint(smallTable)) }},
		},
	}
	for i := range r.subjects {
		r.subjects[i].before = before
	}
	return r
}

func (w *world) list(table rttables.ID) (int, error) {
	routes, err := route.List(w.ctx, w.conn, route.Filter{Family: route.IPv4, Table: table})
	return len(routes), err
}

func (w *world) vishList(table rttables.ID) (int, error) {
	routes, err := w.vish.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{Table: int(table)}, netlink.RT_FILTER_TABLE)
	return len(routes), err
}

// listRow returns the row of List of the scratch table, which it fills.
func (w *world) listRow(n int) row {
	filled := false
	before := func() error {
		if filled {
			return nil
		}
		filled = true
		return w.fill(0, n, scratchTable)
	}
	r := row{
		name: fmt.Sprintf("`List` of %s routes into a slice", count(n)), n: n,
		targets: []target{{"raw", 2}, {"bytes", 320}},
		note:    "a `Route` has 264 bytes; without the garbage collector, which looks through the new slice, it is 1.6 × raw",
		subjects: []subject{
			{who: limit, calls: w.rawCalls, run: func() (int, error) { return w.raw.walk(dump(scratchTable)) }},
			{who: ours, calls: w.connCalls, run: func() (int, error) { return w.list(scratchTable) }},
			{who: vish, run: func() (int, error) { return w.vishList(scratchTable) }},
			{who: jsim, run: func() (int, error) { return w.jsimList(scratchTable) }},
			{who: ip, programs: true, run: func() (int, error) { return w.ip("", "route", "show", "table", fmt.Sprint(scratchTable)) }},
		},
	}
	for i := range r.subjects {
		r.subjects[i].before = before
	}
	return r
}

// The rows that write start and end with an empty table.

func (w *world) addRow(n int) (row, error) {
	messages, err := w.payloads(n, scratchTable)
	adds := prepare(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, perSend, messages)
	deletes := prepare(unix.RTM_DELROUTE, 0, perSend, messages)
	r := row{
		name: fmt.Sprintf("add %s routes in a batch", count(n)), n: n, targets: []target{{"raw", 1.1}},
		note: encoding,
		subjects: []subject{
			{who: limit, calls: w.rawCalls, run: func() (int, error) { return n, w.raw.write(adds) }},
			{who: ours, calls: w.connCalls, run: func() (int, error) {
				var b route.Batch
				for i := range n {
					b.Add(w.route(i, scratchTable))
				}
				return n, b.Do(w.ctx, w.conn)
			}},
			{who: vish, run: func() (int, error) {
				return repeat(n, func(i int) error { return w.vish.RouteAdd(w.vishRoute(i, scratchTable)) })
			}},
			{who: jsim, run: func() (int, error) {
				return repeat(n, func(i int) error { return w.jsim.Route.Add(w.jsimRoute(i, scratchTable)) })
			}},
			{who: ipBatch, programs: true, run: w.ipBatch(n, "route add ", scratchTable)},
		},
	}
	for i := range r.subjects {
		r.subjects[i].after = func() error {
			return errors.Join(w.expect(n, scratchTable), w.raw.write(deletes), w.expect(0, scratchTable))
		}
	}
	return r, err
}

// expect checks the number of routes of a table.
func (w *world) expect(n int, table rttables.ID) error {
	got, err := w.raw.walk(dump(table))
	if errors.Is(err, unix.ENOENT) { // no such table
		err = nil
	}
	if err == nil && got != n {
		err = fmt.Errorf("the table has %d routes, want %d", got, n)
	}
	return err
}

func (w *world) ipBatch(n int, verb string, table rttables.ID) func() (int, error) {
	var text strings.Builder
	for i := range n {
		text.WriteString(verb + w.ipRoute(i, table) + "\n")
	}
	return func() (int, error) {
		_, err := w.ip(text.String(), "-batch", "-")
		return n, err
	}
}

func (w *world) deleteRow(n int) (row, error) {
	messages, err := w.payloads(n, scratchTable)
	adds := prepare(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, perSend, messages)
	deletes := prepare(unix.RTM_DELROUTE, 0, perSend, messages)
	r := row{
		name: fmt.Sprintf("delete %s routes in a batch", count(n)), n: n, targets: []target{{"raw", 1.1}},
		note: encoding,
		subjects: []subject{
			{who: limit, calls: w.rawCalls, run: func() (int, error) { return n, w.raw.write(deletes) }},
			{who: ours, calls: w.connCalls, run: func() (int, error) {
				var b route.Batch
				for i := range n {
					b.Delete(w.route(i, scratchTable))
				}
				return n, b.Do(w.ctx, w.conn)
			}},
			{who: vish, run: func() (int, error) {
				return repeat(n, func(i int) error { return w.vish.RouteDel(w.vishRoute(i, scratchTable)) })
			}},
			{who: jsim, run: func() (int, error) {
				return repeat(n, func(i int) error { return w.jsim.Route.Delete(w.jsimRoute(i, scratchTable)) })
			}},
			{who: ipBatch, programs: true, run: w.ipBatch(n, "route del ", scratchTable)},
		},
	}
	for i := range r.subjects {
		r.subjects[i].before = func() error { return errors.Join(w.raw.write(adds), w.expect(n, scratchTable)) }
		r.subjects[i].after = func() error { return w.expect(0, scratchTable) }
	}
	return r, err
}

// flushRow returns the row that flushes a table. The raw limit dumps the table, deletes each
// route, and dumps the table again. Of the peers only ip has a flush. The others list the
// routes and delete each one.
func (w *world) flushRow(n int) (row, error) {
	messages, err := w.payloads(n, scratchTable)
	adds := prepare(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, perSend, messages)
	deletes := prepare(unix.RTM_DELROUTE, 0, perSend, messages)
	r := row{
		name: fmt.Sprintf("flush a table of %s", count(n)), n: n, targets: []target{{"raw", 1.25}},
		note: "each route is decoded and encoded: the kernel refuses its own flags in a request",
		subjects: []subject{
			{who: limit, calls: w.rawCalls, run: func() (int, error) {
				return n, errors.Join(w.expect(n, scratchTable), w.raw.write(deletes), w.expect(0, scratchTable))
			}},
			{who: ours, calls: w.connCalls, run: func() (int, error) {
				return route.Flush(w.ctx, w.conn, route.Filter{Family: route.IPv4, Table: scratchTable})
			}},
			{who: vish, run: func() (int, error) {
				routes, err := w.vish.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{Table: int(scratchTable)}, netlink.RT_FILTER_TABLE)
				if err != nil {
					return 0, err
				}
				return repeat(len(routes), func(i int) error { return w.vish.RouteDel(&routes[i]) })
			}},
			{who: jsim, run: func() (int, error) {
				msgs, err := w.jsim.Route.List()
				if err != nil {
					return 0, err
				}
				var mine []rtnetlink.RouteMessage
				for _, m := range msgs {
					if m.Attributes.Table == uint32(scratchTable) {
						mine = append(mine, m)
					}
				}
				return repeat(len(mine), func(i int) error { return w.jsim.Route.Delete(&mine[i]) })
			}},
			{who: ip, programs: true, run: func() (int, error) {
				_, err := w.ip("", "route", "flush", "table", fmt.Sprint(scratchTable))
				return n, err
			}},
		},
	}
	for i := range r.subjects {
		r.subjects[i].before = func() error { return errors.Join(w.raw.write(adds), w.expect(n, scratchTable)) }
		r.subjects[i].after = func() error { return w.expect(0, scratchTable) }
	}
	return r, err
}

// oneRow returns the row that adds routes one by one, each acknowledged before the next.
func (w *world) oneRow() (row, error) {
	const n = 2000
	messages, err := w.payloads(n, scratchTable)
	one := prepare(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, 1, messages)
	r := row{
		name: "one acknowledged add", n: n, targets: []target{{"raw", 1.2}},
		note: encoding,
		subjects: []subject{
			{who: limit, calls: w.rawCalls, run: func() (int, error) { return n, w.raw.write(one) }},
			{who: ours, calls: w.connCalls, run: func() (int, error) {
				return repeat(n, func(i int) error { return route.Add(w.ctx, w.conn, w.route(i, scratchTable)) })
			}},
			{who: vish, run: func() (int, error) {
				return repeat(n, func(i int) error { return w.vish.RouteAdd(w.vishRoute(i, scratchTable)) })
			}},
			{who: jsim, run: func() (int, error) {
				return repeat(n, func(i int) error { return w.jsim.Route.Add(w.jsimRoute(i, scratchTable)) })
			}},
		},
	}
	for i := range r.subjects {
		r.subjects[i].after = func() error {
			_, err := route.Flush(w.ctx, w.conn, route.Filter{Table: scratchTable})
			return err
		}
	}
	return r, err
}

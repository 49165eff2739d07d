package main

import (
	"github.com/jsimonetti/rtnetlink/v2"
	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/route"
)

// lookupRows returns the rows that look up packets one by one and many at once.
func (w *world) lookupRows() ([]row, error) {
	const n = 10_000
	queries := make([]route.Query, n)
	asked := make([][]byte, n)
	for i := range queries {
		queries[i].Dst = dst(i).Addr().Next()
		p, err := route.Route{Family: route.IPv4}.AppendBinary(nil)
		if err != nil {
			return nil, err
		}
		p = attribute(p[:unix.SizeofRtMsg], unix.RTA_DST, queries[i].Dst.AsSlice())
		p[1] = 32 // bits of the destination
		asked[i] = p
	}
	requests := prepare(unix.RTM_GETROUTE, 0, 1, asked)
	defaults := route.Route{Gateway: gateway}
	before := func() error { return route.Replace(w.ctx, w.conn, defaults) }
	one := subject{who: limit, calls: w.rawCalls, before: before, run: func() (int, error) {
		return repeat(n, func(i int) error { return w.raw.ask(requests[i]) })
	}}
	single := row{
		name: "`Lookup`, one at a time", n: n, targets: []target{{"raw", 1.25}},
		note: "to encode, decode and lock takes 0.2 µs",
		subjects: []subject{one,
			{who: ours, calls: w.connCalls, before: before, run: func() (int, error) {
				return repeat(n, func(i int) error {
					_, err := route.Lookup(w.ctx, w.conn, queries[i])
					return err
				})
			}},
			{who: vish, before: before, run: func() (int, error) {
				return repeat(n, func(i int) error {
					_, err := w.vish.RouteGet(queries[i].Dst.AsSlice())
					return err
				})
			}},
			{who: jsim, before: before, run: func() (int, error) {
				return repeat(n, func(i int) error {
					_, err := w.jsim.Route.Get(&rtnetlink.RouteMessage{
						Family: unix.AF_INET, DstLength: 32,
						Attributes: rtnetlink.RouteAttributes{Dst: queries[i].Dst.AsSlice()},
					})
					return err
				})
			}},
		},
	}
	all := row{
		name: "`LookupAll`, many (raw: one at a time)", n: n, targets: []target{{"raw", 0.9}},
		note: "each reply is a datagram of its own, and one system call of two is saved",
		subjects: []subject{one,
			{who: ours, calls: w.connCalls, before: before, run: func() (n int, err error) {
				for _, err := range route.LookupAll(w.ctx, w.conn, queries) {
					if err != nil {
						return n, err
					}
					n++
				}
				return n, nil
			}},
		},
	}
	return []row{single, all}, nil
}

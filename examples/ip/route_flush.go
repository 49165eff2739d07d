package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// flushTime is how long a flush goes on against someone who adds routes.
const flushTime = 30 * time.Second

// routeFlush deletes the routes that the words select, and looks again until
// there are none.
func (p *program) routeFlush(w *words) error {
	if !w.more() {
		return fail(statusFailed, `"ip route flush" requires arguments.`)
	}
	f, err := p.readRouteFilter(w)
	if err != nil {
		return err
	}
	if f.cloned {
		if family := f.dumpFamily(); family != route.IPv6 {
			p.flushCache()
			if family == route.IPv4 {
				return nil
			}
		}
	}
	start := time.Now()
	for round := 1; ; round++ {
		n, err := p.flushOnce(f)
		switch {
		case err != nil:
			return err
		case n == 0:
			p.flushed(f, round-1)
			return nil
		case time.Since(start) > flushTime:
			p.print("\n*** Flush not completed after %d seconds, %d entries remain ***\n",
				int(time.Since(start).Seconds()), n)
			return fail(statusFailed, "")
		case p.stats > 0:
			p.print("\n*** Round %d, deleting %d entries ***\n", round, n)
		}
	}
}

// flushed says after how many rounds there was nothing left.
func (p *program) flushed(f *routeFilter, rounds int) {
	switch {
	case p.stats == 0:
	case rounds == 0 && (!f.cloned || f.dumpFamily() == route.IPv6):
		p.print("Nothing to flush.\n")
	case rounds > 1:
		p.print("*** Flush is complete after %d rounds ***\n", rounds)
	default:
		p.print("*** Flush is complete after %d round ***\n", rounds)
	}
}

// flushOnce deletes what a listing has, and returns how many that were.
func (p *program) flushOnce(f *routeFilter) (int, error) {
	var reqs []netlink.Message
	var routes []route.Route
	for d, err := range p.dumpRoutes(f) {
		if err != nil {
			return 0, dumpError(err, "Flush terminated")
		}
		if isNull6(&d.route) {
			continue
		}
		routes = append(routes, d.route)
		reqs = append(reqs, netlink.Message{
			Header: netlink.Header{Type: uapi.RTM_DELROUTE, Flags: netlink.Request},
			Data:   slices.Clone(d.msg.Data),
		})
	}
	if p.stats > 1 {
		if err := p.showRoutes(routes, f.omit()); err != nil {
			return 0, err
		}
	}
	if len(reqs) == 0 {
		return 0, nil
	}
	errs, err := rtnl.Send(p.conn, reqs)
	for _, e := range append(errs, err) {
		if e != nil && !errors.Is(e, syscall.ESRCH) {
			return 0, fail(statusRefused, "Failed to send flush request: %s", errnoText(e))
		}
	}
	return len(reqs), nil
}

// isNull6 reports whether r is the kernel's own route for what no route of IPv6
// is for.
func isNull6(r *route.Route) bool {
	return r.Family == route.IPv6 && r.Dst.Bits() <= 0 && r.Type == route.TypeUnreachable && r.Priority == allBits
}

// flushCache makes IPv4 forget what it has learnt of paths.
func (p *program) flushCache() {
	const file = "/proc/sys/net/ipv4/route/flush" // of the namespace of the thread
	err := p.inNetNS(func() error { return os.WriteFile(file, []byte("-1"), 0) })
	switch {
	case err != nil:
		p.warn(`Cannot open "%s": %s`, file, errnoText(err))
	case p.stats > 0:
		p.print("*** IPv4 routing cache is flushed.\n")
	}
}

// inNetNS calls fn in the namespace that the options name, in which the socket is.
func (p *program) inNetNS(fn func() error) error {
	if p.netns == "" {
		return fn()
	}
	if err := p.dial(); err != nil {
		return err
	}
	return rtnl.Inside(p.conn, fn)
}

// print writes to standard output.
func (p *program) print(format string, args ...any) {
	fmt.Fprintf(p.out, format, args...)
}

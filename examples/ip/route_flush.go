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

// flushTime is how long a flush continues while other programs add routes.
const flushTime = 30 * time.Second

// routeFlush deletes the routes that the words select, and repeats that until there are
// none.
func (p *program) routeFlush(w *words) error {
	if !w.more() {
		return failf(statusFailed, `"ip route flush" requires arguments.`)
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
			p.reportFlush(f, round-1)
			return nil
		case time.Since(start) > flushTime:
			p.printf("\n*** Flush not completed after %d seconds, %d entries remain ***\n",
				int(time.Since(start).Seconds()), n)
			return failf(statusFailed, "")
		case p.stats > 0:
			p.printf("\n*** Round %d, deleting %d entries ***\n", round, n)
		}
	}
}

// reportFlush prints after how many rounds no routes were left.
func (p *program) reportFlush(f *routeFilter, rounds int) {
	switch {
	case p.stats == 0:
	case rounds == 0 && (!f.cloned || f.dumpFamily() == route.IPv6):
		p.printf("Nothing to flush.\n")
	case rounds > 1:
		p.printf("*** Flush is complete after %d rounds ***\n", rounds)
	default:
		p.printf("*** Flush is complete after %d round ***\n", rounds)
	}
}

// flushOnce deletes the routes of one dump, and returns their number.
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
		if err := p.showRoutes(routes, f.omission()); err != nil {
			return 0, err
		}
	}
	if len(reqs) == 0 {
		return 0, nil
	}
	errs, err := rtnl.Send(p.conn, reqs)
	for _, e := range append(errs, err) {
		if e != nil && !errors.Is(e, syscall.ESRCH) {
			return 0, failf(statusRefused, "Failed to send flush request: %s", errnoText(e))
		}
	}
	return len(reqs), nil
}

// isNull6 reports whether r is the IPv6 route of the kernel for packets that match no other
// route.
func isNull6(r *route.Route) bool {
	return r.Family == route.IPv6 && r.Dst.Bits() <= 0 && r.Type == route.TypeUnreachable && r.Priority == allBits
}

// flushCache flushes the IPv4 routing cache.
func (p *program) flushCache() {
	const file = "/proc/sys/net/ipv4/route/flush" // of the namespace of the thread
	err := p.inNetNS(func() error { return os.WriteFile(file, []byte("-1"), 0) })
	switch {
	case err != nil:
		p.warnf(`Cannot open "%s": %s`, file, errnoText(err))
	case p.stats > 0:
		p.printf("*** IPv4 routing cache is flushed.\n")
	}
}

// inNetNS calls fn in the namespace of the options, which is that of the socket.
func (p *program) inNetNS(fn func() error) error {
	if p.netns == "" {
		return fn()
	}
	if err := p.dial(); err != nil {
		return err
	}
	return rtnl.Inside(p.conn, fn)
}

// printf writes to standard output.
func (p *program) printf(format string, args ...any) {
	fmt.Fprintf(p.out, format, args...)
}

package route

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
)

// flushRounds bounds how often a flush looks again, so that one which others
// work against comes to an end.
const flushRounds = 10

var (
	errFlushAll = errors.New("an empty filter stands for every route of this host")
	errFlush    = fmt.Errorf("there are still routes after %d rounds: someone adds them", flushRounds)
)

// Flush deletes the routes that f selects, as "ip route flush" does, and
// returns how many. It looks again until there are none, since a listing can
// miss routes while others change. An empty filter is refused.
//
// Routes that others delete meanwhile are no error. On an error some routes may
// be deleted.
func Flush(ctx context.Context, c Conn, f Filter) (n int, err error) {
	if f == (Filter{}) {
		err = errFlushAll
	} else {
		n, err = flush(ctx, c, f)
	}
	if err != nil {
		return n, &rtnl.Error{Package: "route", Verb: "flush", Err: err}
	}
	return n, nil
}

func flush(ctx context.Context, c Conn, f Filter) (n int, err error) {
	for range flushRounds {
		routes, err := List(ctx, c, f)
		if err != nil || len(routes) == 0 {
			return n, err
		}
		reqs := make([]netlink.Message, len(routes))
		for i, r := range routes {
			if reqs[i], err = r.request(uapi.RTM_DELROUTE, 0); err != nil {
				return n, err
			}
		}
		errs, err := rtnl.Send(c, reqs)
		if err != nil {
			return n, err
		}
		for i, err := range errs {
			switch {
			case err == nil:
				n++
			case !errors.Is(err, syscall.ESRCH):
				return n, fmt.Errorf("%q: %s: %w", routes[i], rtnl.Reason(err), err)
			}
		}
	}
	return n, errFlush
}

package route

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/policyroute/policyroute/internal/rtnl"
)

// flushRounds bounds how often a flush lists again, so that it ends even if another
// program keeps adding routes.
const flushRounds = 10

var (
	errFlushAll = errors.New("an empty filter would delete every route of this host: set a field of it")
	errFlush    = fmt.Errorf("there are still routes after %d rounds: another program adds routes", flushRounds)
)

// Flush deletes the routes that f selects, as "ip route flush" does, and returns how
// many it deleted. It lists and deletes until no such route is left, because a listing
// can miss routes while other routes change. It refuses an empty filter.
//
// It is not an error if another program deletes such a route at the same time. After an
// error, some routes may have been deleted.
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
	var b Batch
	for range flushRounds {
		for r, err := range all(ctx, c, f, func(err error) error { return err }) {
			if err != nil {
				return n, err
			}
			b.route(verbDelete, &r)
		}
		if b.Len() == 0 {
			return n, nil
		}
		o := b.queue.Run(ctx, c)
		n += o.Done()
		if o.Err != nil {
			return n, o.Err
		}
		for _, r := range o.Refused {
			if !errors.Is(r.Err, syscall.ESRCH) {
				return n, r.Err
			}
		}
	}
	return n, errFlush
}

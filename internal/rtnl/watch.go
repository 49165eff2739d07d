package rtnl

import (
	"context"
	"errors"
	"iter"

	"github.com/mdlayher/netlink"
)

// Watch subscribes to groups, and returns the events that decode accepts. The
// subscription ends with the loop, or with ctx, whose error is then the last value.
// [ErrOverrun] and errors of decode are yielded and do not end it.
func Watch[E any](ctx context.Context, cfg *netlink.Config, groups []uint32,
	decode func(netlink.Message) (E, bool, error),
) (iter.Seq2[E, error], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s, err := Subscribe(cfg, groups...)
	if err != nil {
		return nil, err
	}
	// The result may never be used in a loop.
	stop := context.AfterFunc(ctx, func() { s.Close() })
	return func(yield func(E, error) bool) {
		defer s.Close()
		defer stop()
		var zero E
		more := true
		for more {
			err := s.Receive(ctx, func(m netlink.Message) error {
				e, ok, err := decode(m)
				if more && (ok || err != nil) {
					more = yield(e, err)
				}
				return nil
			})
			switch {
			case ctx.Err() != nil:
				if more {
					yield(zero, ctx.Err())
				}
				return
			case errors.Is(err, ErrOverrun):
				more = more && yield(zero, err)
			case err != nil:
				if more {
					yield(zero, err)
				}
				return
			}
		}
	}, nil
}

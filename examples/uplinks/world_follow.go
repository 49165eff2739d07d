package main

import (
	"context"
	"time"

	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/explain"
)

const (
	// followInterval is how often the state of the host is read if nothing changes.
	followInterval = time.Second
	// followPause is the shortest wait before the state is read again. The wait is also at
	// least followShare times as long as the last reading took.
	followPause = 100 * time.Millisecond
	followShare = 10
)

// followWorld reads the state of the host again when rules or routes change, and every second,
// until ctx ends.
func followWorld(ctx context.Context, conn *route.Socket, set func(explain.World)) {
	changed := make(chan struct{}, 1)
	notifyOfChanges(ctx, conn, changed)
	tick := time.NewTicker(followInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-tick.C:
		}
		start := time.Now()
		if w, err := explain.Take(ctx, conn); err == nil {
			set(w)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(max(followPause, followShare*time.Since(start))):
		}
	}
}

// notifyOfChanges reports changes of rules and routes until ctx ends. Each address has a route
// in table local, so this includes addresses. If it cannot watch, followWorld still reads the
// state every second.
func notifyOfChanges(ctx context.Context, conn *route.Socket, changed chan<- struct{}) {
	notify := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	_ = rtnl.Inside(conn, func() error {
		if events, err := route.Watch(ctx, nil, route.Filter{}); err == nil {
			go func() {
				for range events {
					notify()
				}
			}()
		}
		if events, err := rule.Watch(ctx, nil, rule.Filter{}); err == nil {
			go func() {
				for range events {
					notify()
				}
			}()
		}
		return nil
	})
}

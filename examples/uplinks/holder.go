package main

import (
	"context"
	"fmt"
	"io"

	"github.com/policyroute/policyroute/table/plan"
)

// showHolders returns a context with which a command prints which process has the lock:
// once when the command starts to wait, and once when it continues.
func showHolders(ctx context.Context, stderr io.Writer) context.Context {
	shown := make(map[bool]bool)
	return plan.WithLockNotice(ctx, func(n plan.LockNotice) {
		if !shown[n.Ignored] {
			shown[n.Ignored] = true
			fmt.Fprintln(stderr, "uplinks:", n.Text)
		}
	})
}

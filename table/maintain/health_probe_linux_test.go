package maintain_test

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/health"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/maintain"
)

// A probe that cannot be made is reported once, and says nothing about the uplink.
func TestHealthCannotProbe(t *testing.T) {
	t.Parallel()
	n := tabletest.NewNetwork(t)
	h := health.Probe{Echo: []netip.Addr{netip.MustParseAddr(tabletest.IPv4.Client)}, Withdraw: true, WithdrawMarked: true}
	k := newKeeper(n, maintain.Config{}, probed(alsoMarked(n, tabletest.IPv4), h))
	at := k.await(0, "it cannot probe", func(e maintain.Event) bool {
		var cannot *health.Error
		return e.Kind == maintain.EventProbeFailed && errors.As(e.Err, &cannot) && errors.Is(e.Err, fs.ErrPermission)
	})
	const want = "uplink lan2 IPv4 probe failed: cannot probe: echo 198.51.100.10: " +
		"permission denied: net.ipv4.ping_group_range has no group of this process"
	if got := k.log()[at-1].String(); got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
	whole := n.Table(20)
	probes := k.counters.Probes.Load()
	k.until("more probes", func() bool { return k.counters.Probes.Load() > probes+5 })
	if len(k.log()) != at || n.Table(20) != whole || k.counters.Unhealthy.Load() != 0 {
		t.Errorf("it is told more than once, or taken for a verdict:\n%s", k.text())
	}
	n.Server.Sysctl("net.ipv4.ping_group_range", "0 0") // now it can
	k.awaitKind(at, maintain.EventHealthy)
}

// A probe that does not return holds up nothing else, is not called again after an
// update, and is left behind when Run returns.
func TestHealthProbeBlocks(t *testing.T) {
	t.Parallel()
	n := tabletest.NewNetwork(t)
	goroutines := runtime.NumGoroutine()
	release := make(chan struct{})
	var calls atomic.Int64
	stubborn := health.Probe{Func: func(context.Context, netip.Addr, health.DialFunc) error {
		calls.Add(1)
		<-release
		return nil
	}}
	update := make(chan maintain.Update)
	k := newKeeper(n, maintain.Config{Rate: 100, Update: update}, probed(n.Uplink2(tabletest.IPv4), stubborn))
	whole := n.Table(20)
	from := k.awaitKind(0, maintain.EventUnhealthy)
	update <- maintain.Update{Uplinks: []maintain.Uplink{probed(n.Uplink2(tabletest.IPv4), stubborn)}}
	k.awaitKind(from, maintain.EventReady)
	probes := k.counters.Probes.Load()
	k.until("another probe", func() bool { return k.counters.Probes.Load() > probes })
	if got := calls.Load(); got != 1 {
		t.Errorf("it was called %d times, and has not returned once", got)
	}
	if _, err := route.Flush(t.Context(), n.Dial(n.Server), route.Filter{Table: 20}); err != nil {
		t.Fatal(err)
	}
	k.untilTable("the uplink is repaired meanwhile", whole)
	begin := time.Now()
	k.stop()
	if d := time.Since(begin); d > 5*time.Second {
		t.Errorf("it took Run %v to return", d)
	}
	close(release)
	k.until("goroutines end", func() bool { return runtime.NumGoroutine() <= goroutines })
}

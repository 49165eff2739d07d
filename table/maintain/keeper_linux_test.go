package maintain_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/maintain"
	"github.com/policyroute/policyroute/table/plan"
)

// A keeper is maintain.Run at work in a test.
type keeper struct {
	n        *tabletest.Network
	counters maintain.Counters
	cancel   context.CancelFunc
	done     chan error

	mu     sync.Mutex
	events []maintain.Event
}

// newKeeper keeps uplinks until the test ends, or stop is called.
func newKeeper(n *tabletest.Network, config maintain.Config, uplinks ...maintain.Uplink) *keeper {
	n.T.Helper()
	dial := func() (route.Conn, error) { return route.Dial(n.Server.Config()) }
	k := startKeeper(n, dial, config, uplinks...)
	k.await(0, "ready", func(e maintain.Event) bool { return e.Kind == maintain.EventReady })
	return k
}

// startKeeper is newKeeper with sockets that dial opens. It does not wait until the
// uplinks were looked at.
func startKeeper(
	n *tabletest.Network, dial func() (route.Conn, error), config maintain.Config, uplinks ...maintain.Uplink,
) *keeper {
	n.T.Helper()
	k := &keeper{n: n, done: make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	k.cancel = cancel
	config.Counters = &k.counters
	config.Event = func(e maintain.Event) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.events = append(k.events, e)
	}
	go func() { k.done <- maintain.Run(ctx, dial, &config, uplinks...) }()
	n.T.Cleanup(func() { k.stop() })
	return k
}

// stop ends Run.
func (k *keeper) stop() {
	k.n.T.Helper()
	if k.cancel == nil {
		return
	}
	k.cancel()
	k.cancel = nil
	select {
	case err := <-k.done:
		if err != nil {
			k.n.T.Errorf("Run: %v", err)
		}
	case <-time.After(tabletest.Patience):
		k.n.T.Error("Run does not return")
	}
}

// log returns the events so far.
func (k *keeper) log() []maintain.Event {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.events)
}

// await waits for an event, the from-th or a later one, and returns how many there
// are up to it.
func (k *keeper) await(from int, what string, match func(maintain.Event) bool) int {
	k.n.T.Helper()
	for end := time.Now().Add(tabletest.Patience); ; time.Sleep(time.Millisecond) {
		events := k.log()
		for i := from; i < len(events); i++ {
			if match(events[i]) {
				return i + 1
			}
		}
		if time.Now().After(end) {
			k.n.T.Fatalf("there is no event %s:\n%s", what, k.text())
		}
	}
}

func (k *keeper) awaitKind(from int, kind maintain.EventKind) int {
	k.n.T.Helper()
	return k.await(from, kind.String(), func(e maintain.Event) bool { return e.Kind == kind })
}

// text returns the events as a log.
func (k *keeper) text() string {
	var b strings.Builder
	for _, e := range k.log() {
		fmt.Fprintln(&b, e)
	}
	return b.String()
}

// untilComplete waits until Install of an uplink has nothing to do. A plan that is made
// while rules are deleted may see too few rules, and one that follows an event too early.
func (k *keeper) untilComplete(u table.SourceRoutedUplink) {
	k.n.T.Helper()
	var left plan.Plan
	defer func() {
		if k.n.T.Failed() {
			k.n.T.Logf("Install would do:\n%s", left)
		}
	}()
	k.until("Install has nothing to do", func() (ok bool) {
		var err error
		left, err = u.Plan(k.n.T.Context(), k.n.Conn)
		return err == nil && left.Empty()
	})
}

// until waits until ok returns true, and returns how long it took.
func (k *keeper) until(what string, ok func() bool) time.Duration {
	k.n.T.Helper()
	begin := time.Now()
	for !ok() {
		if time.Since(begin) > tabletest.Patience {
			k.n.T.Fatalf("%s: not within %v\n%s\n%s", what, tabletest.Patience, k.text(), k.n.Kernel())
		}
		time.Sleep(time.Millisecond)
	}
	return time.Since(begin)
}

// untilText waits until get returns want, and returns how long it took.
func (k *keeper) untilText(what, want string, get func() string) time.Duration {
	k.n.T.Helper()
	begin := time.Now()
	for {
		got := get()
		if got == want {
			return time.Since(begin)
		}
		if time.Since(begin) > tabletest.Patience {
			k.n.T.Fatalf("%s: not within %v (-want +got):\n%s\n%s", what, tabletest.Patience, tabletest.Diff(want, got), k.text())
		}
		time.Sleep(time.Millisecond)
	}
}

// untilTable waits until the rules and routes of table 20 are want.
func (k *keeper) untilTable(what, want string) time.Duration {
	k.n.T.Helper()
	return k.untilText(what, want, func() string { return k.n.Table(20) })
}

// settles waits until Run has done all that Install would do. What a test waits for is
// there before the transaction that adds it has ended.
func (k *keeper) settles(u ...table.SourceRoutedUplink) {
	k.n.T.Helper()
	k.until("nothing is to be done", func() bool {
		p, err := table.PlanInstall(k.n.T.Context(), k.n.Conn, u...)
		return err == nil && p.Empty()
	})
}

// within calls try several times. The fastest call has to be in time: it shows what Run can
// do, and the others show what else the machine does.
func (k *keeper) within(limit time.Duration, what string, try func() time.Duration) {
	k.n.T.Helper()
	var all []time.Duration
	for range 10 {
		d := try()
		all = append(all, d.Round(time.Millisecond))
		if len(all) >= 3 && slices.Min(all) <= limit {
			k.n.T.Logf("%s: %v", what, all)
			return
		}
	}
	k.n.T.Errorf("%s: %v, want one within %v\n%s", what, all, limit, k.text())
}

// maintained returns uplinks as Run takes them.
func maintained(uplinks ...table.SourceRoutedUplink) []maintain.Uplink {
	var all []maintain.Uplink
	for _, u := range uplinks {
		all = append(all, maintain.Uplink{SourceRoutedUplink: u})
	}
	return all
}

// swallow receives what is sent to the client's port 9.
func swallow(t *testing.T, n *tabletest.Network, f tabletest.Family) {
	t.Helper()
	if _, err := n.Net.ListenPacket("udp", net.JoinHostPort(f.Client, "9")); err != nil {
		t.Fatal(err)
	}
}

// send sends datagrams from the second uplink's address to the client, one each
// millisecond, until it is stopped. Stop returns how many were sent and refused.
func send(n *tabletest.Network, f tabletest.Family) (stop func() (sent, refused int)) {
	n.T.Helper()
	return sendFrom(n, f, f.A2)
}

// sendFrom is send from any address.
func sendFrom(n *tabletest.Network, f tabletest.Family, src string) (stop func() (sent, refused int)) {
	n.T.Helper()
	pc, err := n.Server.ListenPacket("udp", net.JoinHostPort(src, "0"))
	if err != nil {
		n.T.Fatal(err)
	}
	end, done := make(chan struct{}), make(chan struct{})
	sent, refused := 0, 0
	dst := net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(f.Client), 9))
	go func() {
		defer close(done)
		for tick := time.NewTicker(time.Millisecond); ; {
			select {
			case <-end:
				tick.Stop()
				return
			case <-tick.C:
			}
			if _, err := pc.WriteTo([]byte("x"), dst); err != nil {
				refused++
			} else {
				sent++
			}
		}
	}()
	return func() (int, int) {
		close(end)
		<-done
		pc.Close()
		return sent, refused
	}
}

// fromUDP counts the datagrams from a source at each router.
func fromUDP(n *tabletest.Network, src string) (byG1, byG2 int) {
	a := netip.MustParseAddr(src)
	match := func(p lab.Packet) bool { return !p.Out && p.Src.Addr() == a && p.Proto == 17 }
	return n.G1.Count(match), n.G2.Count(match)
}

package table_test

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
)

// A keeper is Maintain at work in a test.
type keeper struct {
	n        *network
	counters table.Counters
	cancel   context.CancelFunc
	done     chan error

	mu     sync.Mutex
	events []table.Event
}

// patience is how long a test waits for what should take milliseconds. The times
// that are promised are measured, and are those of the best of several tries.
const patience = 20 * time.Second

// maintain keeps uplinks until the test ends, or stop is called.
func (n *network) maintain(config table.MaintainConfig, uplinks ...table.MaintainedUplink) *keeper {
	n.t.Helper()
	dial := func() (route.Conn, error) { return route.Dial(n.server.Config()) }
	k := n.maintainBy(dial, config, uplinks...)
	k.await(0, "ready", func(e table.Event) bool { return e.Kind == table.EventReady })
	return k
}

// maintainBy is maintain with sockets that dial opens, and does not wait until the
// uplinks were looked at.
func (n *network) maintainBy(
	dial func() (route.Conn, error), config table.MaintainConfig, uplinks ...table.MaintainedUplink,
) *keeper {
	n.t.Helper()
	k := &keeper{n: n, done: make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	k.cancel = cancel
	config.Counters = &k.counters
	config.Event = func(e table.Event) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.events = append(k.events, e)
	}
	go func() { k.done <- table.Maintain(ctx, dial, &config, uplinks...) }()
	n.t.Cleanup(func() { k.stop() })
	return k
}

// stop ends Maintain.
func (k *keeper) stop() {
	k.n.t.Helper()
	if k.cancel == nil {
		return
	}
	k.cancel()
	k.cancel = nil
	select {
	case err := <-k.done:
		if err != nil {
			k.n.t.Errorf("Maintain: %v", err)
		}
	case <-time.After(patience):
		k.n.t.Error("Maintain does not return")
	}
}

// log is the events so far.
func (k *keeper) log() []table.Event {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.events)
}

// await waits for an event, the from-th or a later one, and returns how many there
// are up to it.
func (k *keeper) await(from int, what string, match func(table.Event) bool) int {
	k.n.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		events := k.log()
		for i := from; i < len(events); i++ {
			if match(events[i]) {
				return i + 1
			}
		}
		if time.Now().After(end) {
			k.n.t.Fatalf("there is no event %s:\n%s", what, k.text())
		}
	}
}

func (k *keeper) awaitKind(from int, kind table.EventKind) int {
	k.n.t.Helper()
	return k.await(from, kind.String(), func(e table.Event) bool { return e.Kind == kind })
}

// text is the events as a log.
func (k *keeper) text() string {
	var b strings.Builder
	for _, e := range k.log() {
		fmt.Fprintln(&b, e)
	}
	return b.String()
}

// until waits until ok, and says how long it took.
func (k *keeper) until(what string, ok func() bool) time.Duration {
	k.n.t.Helper()
	begin := time.Now()
	for !ok() {
		if time.Since(begin) > patience {
			k.n.t.Fatalf("%s: not within %v\n%s\n%s", what, patience, k.text(), k.n.kernel())
		}
		time.Sleep(time.Millisecond)
	}
	return time.Since(begin)
}

// settles waits until Maintain has done all that Install would do: what a test waits
// for is there before the transaction that brings it has ended.
func (k *keeper) settles(u ...table.SourceRoutedUplink) {
	k.n.t.Helper()
	k.until("nothing is to be done", func() bool {
		p, err := table.PlanInstall(k.n.t.Context(), k.n.c, u...)
		return err == nil && p.Empty()
	})
}

// within tries something several times: the best of them has to be in time. One
// in time shows what Maintain can do; the others show what else the machine does.
func (k *keeper) within(limit time.Duration, what string, try func() time.Duration) {
	k.n.t.Helper()
	var all []time.Duration
	for range 10 {
		d := try()
		all = append(all, d.Round(time.Millisecond))
		if len(all) >= 3 && slices.Min(all) <= limit {
			k.n.t.Logf("%s: %v", what, all)
			return
		}
	}
	k.n.t.Errorf("%s: %v, want one within %v\n%s", what, all, limit, k.text())
}

// of is an uplink as Maintain takes it.
func maintained(uplinks ...table.SourceRoutedUplink) []table.MaintainedUplink {
	var all []table.MaintainedUplink
	for _, u := range uplinks {
		all = append(all, table.MaintainedUplink{SourceRoutedUplink: u})
	}
	return all
}

// swallow takes what is sent to the client's port 9.
func swallow(t *testing.T, n *network, f family) {
	t.Helper()
	if _, err := n.net.ListenPacket("udp", net.JoinHostPort(f.client, "9")); err != nil {
		t.Fatal(err)
	}
}

// send sends datagrams from the second uplink's address to the client, one each
// millisecond, until it is stopped. It says how many were sent and refused.
func (n *network) send(f family) (stop func() (sent, refused int)) {
	n.t.Helper()
	pc, err := n.server.ListenPacket("udp", net.JoinHostPort(f.a2, "0"))
	if err != nil {
		n.t.Fatal(err)
	}
	end, done := make(chan struct{}), make(chan struct{})
	sent, refused := 0, 0
	dst := net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(f.client), 9))
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
func (n *network) fromUDP(src string) (byG1, byG2 int) {
	a := netip.MustParseAddr(src)
	match := func(p lab.Packet) bool { return !p.Out && p.Src.Addr() == a && p.Proto == 17 }
	return n.g1.Count(match), n.g2.Count(match)
}

package maintain_test

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/maintain"
)

// descriptors returns how many files and sockets this process has open.
func descriptors(t *testing.T) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(fds)
}

// leavesNothing fails if do leaves a goroutine or a socket.
func leavesNothing(n *tabletest.Network, what string, do func()) {
	n.T.Helper()
	goroutines, files := runtime.NumGoroutine(), descriptors(n.T)
	do()
	for end := time.Now().Add(tabletest.Patience); runtime.NumGoroutine() > goroutines || descriptors(n.T) > files; {
		if time.Sleep(time.Millisecond); time.Now().After(end) {
			stacks := make([]byte, 1<<16)
			stacks = stacks[:runtime.Stack(stacks, true)]
			n.T.Fatalf("%s: %d goroutines were %d, %d descriptors were %d\n%s", what,
				runtime.NumGoroutine(), goroutines, descriptors(n.T), files, stacks)
		}
	}
}

// A dialer opens connections that can break, counts those that are open, and notes
// what they are asked for.
type dialer struct {
	n               *tabletest.Network
	broken, refuses atomic.Bool
	open, dials     atomic.Int64

	mu   sync.Mutex
	asks []netlink.Message
}

// count returns how many requests of a type there were.
func (d *dialer) count(typ netlink.HeaderType) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for _, m := range d.asks {
		if m.Header.Type == typ {
			n++
		}
	}
	return n
}

var errBroken = errors.New("the connection is broken")

func (d *dialer) dial() (route.Conn, error) {
	if d.dials.Add(1); d.refuses.Load() {
		return nil, errBroken
	}
	c, err := route.Dial(d.n.Server.Config())
	if err != nil {
		return nil, err
	}
	d.open.Add(1)
	return &fragile{d, c}, nil
}

// A fragile connection is one of a dialer. It has no method but Execute and Close.
type fragile struct {
	d *dialer
	c *route.Socket
}

func (f *fragile) Execute(m netlink.Message) ([]netlink.Message, error) {
	if f.d.broken.Load() {
		return nil, errBroken
	}
	f.d.mu.Lock()
	f.d.asks = append(f.d.asks, m)
	f.d.mu.Unlock()
	return f.c.Execute(m)
}

func (f *fragile) SyscallConn() (syscall.RawConn, error) { return f.c.SyscallConn() }

func (f *fragile) Close() error {
	f.d.open.Add(-1)
	return f.c.Close()
}

// A hidden connection does not show its socket.
type hidden struct{ c *route.Socket }

func (h hidden) Execute(m netlink.Message) ([]netlink.Message, error) { return h.c.Execute(m) }
func (h hidden) Close() error                                         { return h.c.Close() }

// Whatever Run is doing when the context ends, it leaves no socket and no goroutine.
func TestLeavesNothing(t *testing.T) {
	n := tabletest.NewNetwork(t)
	u := n.Uplink2(tabletest.IPv4)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	dial := func() (route.Conn, error) { return route.Dial(n.Server.Config()) }
	n.Install(u) // the connection of this test opens what it needs for the lock
	n.Remove(u)
	for what, do := range map[string]func(){
		"the context has ended before": func() {
			if err := maintain.Run(ended, dial, nil, maintained(u)...); err != nil {
				t.Error(err)
			}
		},
		"nothing can be opened": func() {
			err := maintain.Run(t.Context(), func() (route.Conn, error) { return nil, errBroken }, nil, maintained(u)...)
			if !errors.Is(err, errBroken) {
				t.Errorf("it returns %v", err)
			}
		},
		"the connection shows no socket": func() {
			err := maintain.Run(t.Context(), func() (route.Conn, error) {
				c, err := route.Dial(n.Server.Config())
				return hidden{c}, err
			}, nil, maintained(u)...)
			if !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("it returns %v", err)
			}
		},
		"installed":             func() { newKeeper(n, maintain.Config{}, maintained(u)...).stop() },
		"installed and removed": func() { newKeeper(n, maintain.Config{Remove: true}, maintained(u)...).stop() },
		"pending": func() {
			late := u
			late.Interface = "u9"
			newKeeper(n, maintain.Config{Remove: true}, maintained(late)...).stop()
		},
		"refused": func() {
			bad := u
			bad.Gateway = netip.MustParseAddr(tabletest.IPv4.A2)
			newKeeper(n, maintain.Config{Remove: true}, maintained(bad)...).stop()
		},
		"someone else has the lock": func() {
			unlock, err := rtnl.Lock(t.Context(), n.Conn)
			if err != nil {
				t.Fatal(err)
			}
			d := &dialer{n: n}
			k := startKeeper(n, d.dial, maintain.Config{}, maintained(u)...)
			k.until("it has opened its connection", func() bool { return d.open.Load() == 1 })
			time.Sleep(20 * time.Millisecond)
			k.stop()
			if err := unlock(); err != nil {
				t.Error(err)
			}
			if all := n.Kernel(); strings.Contains(all, "proto 210") {
				t.Errorf("it did not wait:\n%s", all)
			}
		},
		"the own namespace's own connection": func() {
			ctx, cancel := context.WithCancel(t.Context())
			if err := n.Server.Do(func() error { // a nil dial is for the own namespace
				return maintain.Run(ctx, nil, &maintain.Config{Event: func(e maintain.Event) {
					if e.Kind == maintain.EventInstalled {
						cancel()
					}
				}}, maintained(u)...)
			}); err != nil {
				t.Error(err)
			}
			n.WantPlan("in the own namespace", "\n", u)
		},
	} {
		leavesNothing(n, what, do)
		n.Remove(u)
	}
}

// The connection breaks. Run opens another one as soon as possible, and repairs what
// happened in the meantime. Until then it takes updates, and it can be ended.
func TestDialsAgain(t *testing.T) {
	t.Parallel()
	n := tabletest.NewNetwork(t)
	nothing := n.Snapshot()
	d := &dialer{n: n}
	update := make(chan maintain.Update)
	u, changed := n.Uplink2(tabletest.IPv4), n.Uplink2(tabletest.IPv4)
	changed.MainFirst = true
	leavesNothing(n, "after all that", func() {
		k := startKeeper(n, d.dial, maintain.Config{Update: update, Remove: true}, maintained(u)...)
		k.awaitKind(0, maintain.EventReady)
		whole := n.Table(20)
		d.broken.Store(true)
		d.refuses.Store(true)
		foreign := n.Dial(n.Server)
		if _, err := route.Flush(t.Context(), foreign, route.Filter{Table: 20}); err != nil {
			t.Fatal(err)
		}
		k.await(0, "failed", func(e maintain.Event) bool { return e.Kind == maintain.EventFailed && errors.Is(e.Err, errBroken) })
		k.until("the broken connection is closed", func() bool { return d.open.Load() == 0 })
		k.until("it is tried again", func() bool { return d.dials.Load() > 2 })
		update <- maintain.Update{Uplinks: maintained(changed)}
		d.broken.Store(false)
		d.refuses.Store(false)
		k.until("the update is done", func() bool { return strings.Contains(n.Table(20), "suppress_prefixlength") })
		k.settles(changed)
		update <- maintain.Update{Uplinks: maintained(u)}
		k.untilTable("it is as before", whole)
		if said := strings.Count(k.text(), errBroken.Error()); said > 4 || k.counters.Redials.Load() < 2 {
			t.Errorf("%d failures are reported, after %d dials:\n%s", said, d.dials.Load(), k.text())
		}
		// The end comes while nothing can be opened: what is asked for is done if it
		// can be, and otherwise the error says why not.
		d.broken.Store(true)
		d.refuses.Store(true)
		if _, err := route.Flush(t.Context(), foreign, route.Filter{Table: 20}); err != nil {
			t.Fatal(err)
		}
		k.until("the broken connection is closed", func() bool { return d.open.Load() == 0 })
		k.cancel()
		k.cancel = nil
		if err := <-k.done; !errors.Is(err, errBroken) {
			t.Errorf("it could not remove the uplink, and returns %v", err)
		}
		foreign.Close()
	})
	d.broken.Store(false)
	d.refuses.Store(false)
	k := startKeeper(n, d.dial, maintain.Config{Remove: true}, maintained(u)...)
	k.awaitKind(0, maintain.EventReady)
	k.stop()
	n.WantSnapshot("the end", nothing)
	if d.open.Load() != 0 {
		t.Errorf("%d connections are open", d.open.Load())
	}
}

// A look at an uplink reads the routes of its own table, those of main by its interface,
// and those that tell what is on a link: main may have a million others.
func TestReadsLittle(t *testing.T) {
	n := tabletest.NewNetwork(t)
	lease := route.Route{Gateway: netip.MustParseAddr(tabletest.IPv4.G2), Priority: 2000, Protocol: route.ProtoDHCP}
	if err := route.Add(t.Context(), n.Conn, lease); err != nil {
		t.Fatal(err)
	}
	u := maintain.Uplink{SourceRoutedUplink: n.Uplink2(tabletest.IPv4), Learn: route.IPv4}
	u.Gateway = netip.Addr{}
	d := &dialer{n: n}
	k := startKeeper(n, d.dial, maintain.Config{}, u)
	k.awaitKind(0, maintain.EventReady)
	n.Server.Down("u2")
	from := k.awaitKind(0, maintain.EventPending)
	n.Server.Up("u2")
	k.awaitKind(from, maintain.EventInstalled)
	d.mu.Lock()
	defer d.mu.Unlock()
	tables := make(map[rttables.ID]int)
	for _, m := range d.asks {
		if m.Header.Type != uapi.RTM_GETROUTE {
			continue
		}
		var r route.Route
		if err := r.UnmarshalBinary(m.Data); err != nil {
			t.Fatal(err)
		}
		if r.Protocol == table.Protocol {
			continue // what is ours, once
		}
		tables[r.Table]++
		if r.Table == rttables.Main && r.OIF != n.Server.Index("u2") && r.Protocol != route.ProtoKernel && r.Protocol != route.ProtoDHCP {
			t.Errorf("all of main is read: %s", r)
		}
	}
	if tables[20] == 0 || tables[rttables.Main] == 0 || len(tables) != 2 {
		t.Errorf("what is read of each table: %v", tables)
	}
}

package maintain_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// After random changes of interfaces, addresses, rules and routes, and kills of the process,
// rules and routes are soon what they should be. No packet leaves by the wrong uplink, from
// a source whose rules nobody has deleted.
func TestRandom(t *testing.T) {
	for i := range tabletest.Times(20, 2) {
		seed := uint64(i + 1)
		if !tabletest.Full() {
			seed = rand.Uint64N(1e9)
		}
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { testRandom(t, seed, tabletest.Times(1000, 30)) })
	}
}

func testRandom(t *testing.T, seed uint64, count int) {
	w := newWorld(t, seed)
	w.expect()
	p := start(w.Network, w.uplinks(), 0)
	defer func() { p.kill() }()
	w.converge("the start", p)
	f := w.sprinkle()
	defer f.stop()
	// The uplink carries packets at all.
	f.protect(w.all())
	for end := time.Now().Add(tabletest.Patience); f.byG2 == 0; time.Sleep(time.Millisecond) {
		if wrong := f.wrong(); len(wrong) > 0 || time.Now().After(end) {
			t.Fatalf("seed %d: no packet leaves by the uplink, and by the other:\n%s\n%s", seed, strings.Join(wrong, "\n"), w.Kernel())
		}
	}
	var took []time.Duration
	kills := 0
	for i := range count {
		op := w.operation()
		f.protect(without(w.all(), op.exposes))
		dies := w.r.IntN(8) == 0
		var pause time.Duration
		if w.r.IntN(2) == 0 {
			pause = time.Duration(w.r.IntN(15)) * time.Millisecond
		}
		switch {
		case !dies:
			op.do()
		case w.r.IntN(2) == 0: // in the middle of it
			op.do()
			time.Sleep(pause)
			p.kill()
		default: // before it
			p.kill()
			op.do()
		}
		if dies {
			kills++
			op.name += ", and the maintainer is killed"
			w.forget()
		}
		begin := time.Now()
		if dies {
			// What happens before it has looked, it does not know of.
			p = start(w.Network, w.uplinks(), 0)
		}
		w.expect()
		w.converge(fmt.Sprintf("seed %d, operation %d: %s", seed, i, op.name), p)
		took = append(took, time.Since(begin))
		if wrong := f.wrong(); len(wrong) > 0 {
			t.Fatalf("seed %d, operation %d: %s: by the wrong uplink:\n%s\n%s\n%s", seed, i, op.name,
				strings.Join(wrong, "\n"), w.Kernel(), p.log.last(20))
		}
	}
	slices.Sort(took)
	t.Logf("%d operations, %d kills; from each to the state that is declared: %v at most, %v in the middle; %s",
		count, kills, slices.Max(took).Round(time.Millisecond), took[len(took)/2].Round(time.Millisecond), f)
	late := 0
	for _, d := range took {
		if d > time.Second {
			late++
		}
	}
	// Some may be late on a machine that has other things to do as well.
	if late > 1+count/100 {
		t.Errorf("%d of %d times it took more than a second", late, count)
	}
	// The control: without Run and without rules, they go by the other one.
	p.kill()
	if w.look(); !w.there {
		w.make()
	}
	w.bringUp(w.leases())
	w.look()
	w.deleteRules(1 << 20)
	f.protect(slices.Concat(w.addrs[route.IPv4], w.addrs[route.IPv6]))
	for end := time.Now().Add(tabletest.Patience); len(f.wrong()) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the control does not leak: the test proves nothing")
		}
	}
}

// forget takes from the model what a killed process knew and the kernel does not have.
func (w *world) forget() {
	w.look()
	w.gateway = w.mainGateway()
	for r, err := range route.All(context.Background(), w.foreign, route.Filter{Family: route.IPv4, Table: 20}) {
		if err != nil {
			w.T.Fatal(err)
		}
		if r.Gateway.IsValid() && w.gateway == "" {
			w.gateway = r.Gateway.String()
		}
	}
	rules := w.got()
	for _, f := range []route.Family{route.IPv4, route.IPv6} {
		w.held[f] = slices.DeleteFunc(w.held[f], func(a string) bool {
			return !strings.Contains(rules, "from "+a+" ")
		})
	}
}

// converge waits until rules and routes are what they should be.
func (w *world) converge(what string, p *process) {
	w.T.Helper()
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		got := w.got()
		w.settle(got)
		want := w.want()
		if got == want {
			return
		}
		if time.Since(begin) > tabletest.Patience {
			w.T.Fatalf("%s: after %v (-want +got):\n%s\n%s", what, tabletest.Patience, tabletest.Diff(want, got), p.log.last(20))
		}
	}
}

// without returns the strings that are not among others.
func without(all, others []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return slices.Contains(others, s) })
}

// A sprinkler sends datagrams from all sources that are protected, all the time.
type sprinkler struct {
	w       *world
	sockets map[string]net.PacketConn
	end     chan struct{}
	done    chan struct{}

	mu            sync.Mutex
	sources       []string
	sent, refused int
	byG2          int
}

// sprinkle opens a socket for each possible source, also for addresses that the host does
// not have at the moment.
func (w *world) sprinkle() *sprinkler {
	w.T.Helper()
	f := &sprinkler{w: w, sockets: make(map[string]net.PacketConn), end: make(chan struct{}), done: make(chan struct{})}
	lc := net.ListenConfig{Control: func(network, _ string, c syscall.RawConn) error {
		var err error
		if e := c.Control(func(fd uintptr) {
			if network == "udp6" {
				err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_FREEBIND, 1)
			} else {
				err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_FREEBIND, 1)
			}
		}); e != nil {
			return e
		}
		return err
	}}
	for _, a := range slices.Concat(poolOf[route.IPv4], poolOf[route.IPv6], []string{tabletest.IPv4.A1, tabletest.IPv6.A1}) {
		if err := w.Server.Do(func() (err error) {
			network := map[bool]string{true: "udp4", false: "udp6"}[netip.MustParseAddr(a).Is4()]
			f.sockets[a], err = lc.ListenPacket(context.Background(), network, net.JoinHostPort(a, "0"))
			return err
		}); err != nil {
			w.T.Fatal(err)
		}
	}
	for _, c := range []string{tabletest.IPv4.Client, tabletest.IPv6.Client} {
		if _, err := w.Net.ListenPacket("udp", net.JoinHostPort(c, "9")); err != nil {
			w.T.Fatal(err)
		}
	}
	go f.run()
	return f
}

func (f *sprinkler) run() {
	defer close(f.done)
	to := map[bool]net.Addr{
		true:  net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(tabletest.IPv4.Client), 9)),
		false: net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(tabletest.IPv6.Client), 9)),
	}
	for {
		select {
		case <-f.end:
			return
		case <-time.After(time.Millisecond):
		}
		f.mu.Lock()
		for range 8 {
			for _, a := range f.sources {
				if _, err := f.sockets[a].WriteTo([]byte("x"), to[strings.Contains(a, ".")]); err != nil {
					f.refused++
				} else {
					f.sent++
				}
			}
		}
		f.mu.Unlock()
	}
}

// protect sets the sources that send from now on.
func (f *sprinkler) protect(sources []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sources = sources
}

// wrong returns the packets that have left by the wrong uplink since the last call.
func (f *sprinkler) wrong() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var wrong []string
	look := func(tap *lab.Tap, others func(string) bool) {
		for _, p := range tap.Packets() {
			a := p.Src.Addr().String()
			if p.Out || p.Proto != 17 {
				continue
			}
			if others(a) {
				wrong = append(wrong, p.String())
			} else if tap == f.w.G2 {
				f.byG2++
			}
		}
		tap.Reset()
	}
	first := func(a string) bool { return a == tabletest.IPv4.A1 || a == tabletest.IPv6.A1 }
	look(f.w.G1, func(a string) bool { return !first(a) })
	look(f.w.G2, first)
	return wrong
}

func (f *sprinkler) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return fmt.Sprintf("%d packets sent, %d of them seen by the uplink, %d refused, none by the wrong one",
		f.sent, f.byG2, f.refused)
}

func (f *sprinkler) stop() {
	close(f.end)
	<-f.done
	for _, c := range f.sockets {
		c.Close()
	}
}

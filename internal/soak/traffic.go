package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/lab"
)

// A source is an address of an uplink, whose packets may only leave by its wire.
type source struct {
	addr   netip.Addr
	wire   *wire
	number int
	sent   atomic.Uint64 // packets that the kernel took
	denied atomic.Uint64 // packets that it refused
}

// The epoch is the destination port of the packets, so it has this many values. It begins
// again long after the packets of the first time have been counted.
const (
	firstPort = 2000
	epochs    = 60000
)

// An epoch is the time between two changes of the set of excused sources.
type epoch struct {
	excused uint64 // the set of sources that are excused, a bit each
	round   string // what was going on
}

// A traffic sends packets from all sources and counts where they arrive.
type traffic struct {
	w *world

	// mu is held for reading while a packet is sent, so that an epoch begins between
	// two packets.
	mu      sync.RWMutex
	number  int // of the current epoch
	epochs  [epochs]epoch
	excuses []int // how often each source is excused

	fds  []int
	stop chan struct{}
	wg   sync.WaitGroup

	counted sync.Mutex // held while taps are emptied
	count   counts
	strays  []string // the first ones, in words
}

// counts are numbers of packets.
type counts struct {
	Sent    uint64 `json:"sent"`
	Refused uint64 `json:"refused"`
	Right   uint64 `json:"right"`
	Exposed uint64 `json:"exposed"`
	Astray  uint64 `json:"astray"`
	Lost    uint64 `json:"lost"`
}

func newTraffic(w *world) (*traffic, error) {
	t := &traffic{w: w, excuses: make([]int, len(w.sources)), stop: make(chan struct{})}
	var errs []error
	for _, s := range w.sources {
		fd, err := openSender(w.host, s.addr)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		t.fds = append(t.fds, fd)
	}
	return t, errors.Join(errs...)
}

// openSender opens a UDP socket with an address of a namespace. It never blocks.
func openSender(ns *lab.NS, a netip.Addr) (fd int, err error) {
	err = ns.Do(func() error {
		family := unix.AF_INET6
		if a.Is4() {
			family = unix.AF_INET
		}
		if fd, err = unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0); err != nil {
			return os.NewSyscallError("socket", err)
		}
		if err := unix.Bind(fd, sockaddr(a, 0)); err != nil {
			return fmt.Errorf("bind to %s: %w", a, err)
		}
		return nil
	})
	return fd, err
}

func sockaddr(a netip.Addr, port int) unix.Sockaddr {
	if a.Is4() {
		return &unix.SockaddrInet4{Addr: a.As4(), Port: port}
	}
	return &unix.SockaddrInet6{Addr: a.As16(), Port: port}
}

// start sends until close, and counts.
func (t *traffic) start() {
	for i, s := range t.w.sources {
		t.wg.Go(func() { t.sendFrom(t.fds[i], s) })
	}
	t.wg.Go(func() {
		for {
			select {
			case <-t.stop:
				return
			case <-time.After(100 * time.Millisecond):
				t.collect()
			}
		}
	})
}

// sendFrom sends from one source: bursts to the Internet, and now and then to the LAN.
func (t *traffic) sendFrom(fd int, s *source) {
	far, near := netip.MustParseAddr(target4), netip.MustParseAddr(lanHost)
	if s.addr.Is6() {
		far = netip.MustParseAddr(target6)
		near = far
	}
	if s.wire == t.w.wires[3] { // not main-first: its packets to the LAN would leave by its wire
		near = far
	}
	for n := 0; ; n++ {
		select {
		case <-t.stop:
			return
		default:
		}
		to := far
		if n%16 == 15 {
			to = near
		}
		t.mu.RLock()
		err := unix.Sendto(fd, []byte("soak"), unix.MSG_DONTWAIT, sockaddr(to, firstPort+t.number))
		t.mu.RUnlock()
		if err == nil {
			s.sent.Add(1)
		} else {
			s.denied.Add(1)
		}
		if n%4 == 3 {
			time.Sleep(3 * time.Millisecond)
		}
	}
}

// begin begins an epoch in which these sources are excused as well, and those before it.
func (t *traffic) begin(round string, sources ...*source) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range sources {
		t.excuses[s.number]++
	}
	t.next(round)
}

// end begins an epoch in which the excuse of these sources has ended.
func (t *traffic) end(round string, sources ...*source) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range sources {
		t.excuses[s.number]--
	}
	t.next(round)
}

func (t *traffic) next(round string) {
	e := epoch{round: round}
	for i, n := range t.excuses {
		if n > 0 {
			e.excused |= 1 << i
		}
	}
	t.number = (t.number + 1) % epochs
	t.epochs[t.number] = e
}

// collect counts what the taps have seen.
func (t *traffic) collect() {
	t.counted.Lock()
	defer t.counted.Unlock()
	bySource := make(map[netip.Addr]*source)
	for _, s := range t.w.sources {
		bySource[s.addr] = s
	}
	for _, x := range append([]*wire{t.w.lan}, t.w.wires...) {
		for _, p := range x.tap.Take() {
			if s := bySource[p.Src.Addr()]; s != nil && !p.Out && p.Proto == unix.IPPROTO_UDP && p.Dst.Port() >= firstPort {
				t.judge(x, s, p)
			}
		}
	}
}

// judge counts one packet that arrived by a wire.
func (t *traffic) judge(x *wire, s *source, p lab.Packet) {
	right := s.wire
	if p.Dst.Addr() == netip.MustParseAddr(lanHost) {
		right = t.w.lan
	}
	if x == right {
		t.count.Right++
		return
	}
	number := int(p.Dst.Port()) - firstPort
	t.mu.RLock()
	e := t.epochs[number]
	t.mu.RUnlock()
	if e.excused&(1<<s.number) != 0 {
		t.count.Exposed++
		return
	}
	t.count.Astray++
	if t.count.Astray < 1000 {
		text := fmt.Sprintf("astray by %s at %s in epoch %d (%s): %s", x.name, p.Time.Format("15:04:05.000"), number, e.round, p)
		t.w.log.print(text)
		if len(t.strays) < 3 {
			t.strays = append(t.strays, text)
		}
	}
}

// counts returns what was counted so far.
func (t *traffic) counts() counts {
	t.collect()
	t.counted.Lock()
	defer t.counted.Unlock()
	c := t.count
	for _, s := range t.w.sources {
		c.Sent += s.sent.Load()
		c.Refused += s.denied.Load()
	}
	if seen := c.Right + c.Exposed + c.Astray; c.Sent > seen {
		c.Lost = c.Sent - seen
	}
	return c
}

// halt stops the senders.
func (t *traffic) halt() {
	select {
	case <-t.stop:
	default:
		close(t.stop)
	}
	t.wg.Wait()
}

// close halts and closes the sockets.
func (t *traffic) close() {
	if t == nil {
		return
	}
	t.halt()
	for _, fd := range t.fds {
		unix.Close(fd)
	}
}

package lab

import (
	"fmt"
	"sync"
	"time"
)

const (
	// chunkSize is the number of packets in a piece of the log. The log grows by
	// pieces, so that growing copies nothing.
	chunkSize = 4096

	// drainEvery is the interval at which a tap empties its ring. At this interval
	// the ring has room for 13 million packets a second.
	drainEvery = 5 * time.Millisecond
)

// A Tap records every packet that leaves or arrives by an interface after the Tap was made,
// including ARP and neighbour discovery. On a loopback it records each packet twice, out and
// in.
//
// Counts are exact. They include every packet whose send returned before the call, at either
// end of a veth pair. If a tap loses a packet, which takes millions of packets a second,
// counting fails the Lab instead of returning a number that is too small.
//
// The interface can go down and up again, or be deleted, while the Tap exists.
type Tap struct {
	lab  *Lab
	name string // the namespace and the interface, for errors
	stop chan struct{}
	done chan struct{}

	mu     sync.Mutex
	ring   *ring // nil after Close
	log    [][]record
	resets int // the number of calls of Reset
	lost   uint64
}

// Tap starts to record the packets of an interface.
func (ns *NS) Tap(ifname string) *Tap {
	ns.lab.tb.Helper()
	t := &Tap{lab: ns.lab, name: ns.name + ": tap " + ifname}
	ns.step("tap "+ifname, func() error {
		_, link, err := ns.findLink(ifname)
		if err != nil {
			return err
		}
		return t.start(ns, int(link.index))
	})
	return t
}

// TapAll starts to record the packets of all interfaces of the namespace, also of those that
// are made later.
func (ns *NS) TapAll() *Tap {
	ns.lab.tb.Helper()
	t := &Tap{lab: ns.lab, name: ns.name + ": tap all interfaces"}
	ns.step("tap all interfaces", func() error { return t.start(ns, 0) })
	return t
}

// start opens the ring for an interface of a namespace, or for all if the index is 0.
func (t *Tap) start(ns *NS, ifindex int) error {
	err := ns.Do(func() (err error) {
		t.ring, err = openRing(ifindex)
		return err
	})
	if err != nil {
		return err
	}
	t.stop, t.done = make(chan struct{}), make(chan struct{})
	go t.drainRegularly()
	return ns.lab.closeLater(t)
}

// drainRegularly empties the ring at an interval until Close.
func (t *Tap) drainRegularly() {
	defer close(t.done)
	tick := time.NewTicker(drainEvery)
	defer tick.Stop()
	for {
		select {
		case <-t.stop:
			return
		case <-tick.C:
			t.mu.Lock()
			t.drain()
			t.mu.Unlock()
		}
	}
}

// Packets returns the packets so far, in order.
func (t *Tap) Packets() []Packet {
	t.lab.tb.Helper()
	var out []Packet
	t.each(func(p Packet) { out = append(out, p) })
	return out
}

// Count returns the number of packets so far for which match returns true. A nil match counts
// all packets.
func (t *Tap) Count(match func(Packet) bool) int {
	t.lab.tb.Helper()
	n := 0
	t.each(func(p Packet) {
		if match == nil || match(p) {
			n++
		}
	})
	return n
}

// Wait waits until match returns true for n packets, at most for timeout, and returns the
// number of such packets. A concurrent Reset starts the count again.
func (t *Tap) Wait(n int, match func(Packet) bool, timeout time.Duration) int {
	t.lab.tb.Helper()
	var count, seen, resets int
	for end := time.Now().Add(timeout); ; time.Sleep(500 * time.Microsecond) {
		t.mu.Lock()
		t.drain()
		if t.resets != resets {
			count, seen, resets = 0, 0, t.resets
		}
		t.scan(seen, func(p Packet) {
			seen++
			if match == nil || match(p) {
				count++
			}
		})
		lost := t.lost
		t.mu.Unlock()
		if count >= n || time.Now().After(end) {
			t.checkLost(lost)
			return count
		}
	}
}

// Take returns the packets so far, in order, and discards them. It is for a tap that records
// for hours.
func (t *Tap) Take() []Packet {
	t.lab.tb.Helper()
	t.fail(flushBacklogs())
	t.mu.Lock()
	t.drain()
	lost := t.lost
	var out []Packet
	t.scan(0, func(p Packet) { out = append(out, p) })
	t.log = nil
	t.resets++
	t.mu.Unlock()
	t.checkLost(lost)
	return out
}

// Reset discards the packets so far.
func (t *Tap) Reset() {
	t.lab.tb.Helper()
	err := flushBacklogs()
	t.mu.Lock()
	t.drain()
	t.log, t.lost = nil, 0
	t.resets++
	t.mu.Unlock()
	t.fail(err)
}

// Drops returns the number of packets that the tap has lost since it was made or reset.
func (t *Tap) Drops() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.drain()
	return t.lost
}

// Close stops recording before the Lab is closed. The packets so far remain available.
func (t *Tap) Close() error {
	t.mu.Lock()
	r := t.ring
	if r != nil {
		t.drain()
	}
	t.ring = nil
	t.mu.Unlock()
	if r == nil {
		return nil
	}
	close(t.stop)
	<-t.done
	return r.Close()
}

// each calls yield for all packets that were sent before the call.
func (t *Tap) each(yield func(Packet)) {
	t.lab.tb.Helper()
	t.fail(flushBacklogs())
	t.mu.Lock()
	t.drain()
	lost := t.lost
	t.scan(0, yield)
	t.mu.Unlock()
	t.checkLost(lost)
}

// scan calls yield for the packets of the log, beginning with number from. The caller holds
// the lock.
func (t *Tap) scan(from int, yield func(Packet)) {
	for i := from / chunkSize; i < len(t.log); i++ {
		part := t.log[i]
		if i == from/chunkSize {
			part = part[from%chunkSize:]
		}
		for j := range part {
			yield(part[j].packet())
		}
	}
}

// drain moves the packets of the ring into the log. The caller holds the lock.
func (t *Tap) drain() {
	if t.ring == nil {
		return
	}
	t.ring.drain(func(r record) {
		last := len(t.log) - 1
		if last < 0 || len(t.log[last]) == chunkSize {
			t.log = append(t.log, make([]record, 0, chunkSize))
			last++
		}
		t.log[last] = append(t.log[last], r)
	})
	n, err := t.ring.drops()
	if err != nil {
		n = 1 // packets may have been lost
	}
	t.lost += n
}

// checkLost reports lost packets as a failure of the Lab.
func (t *Tap) checkLost(lost uint64) {
	t.lab.tb.Helper()
	if lost > 0 {
		t.fail(fmt.Errorf("%d packets lost", lost))
	}
}

// fail reports err, if it is not nil, as a failure of the Lab.
func (t *Tap) fail(err error) {
	t.lab.tb.Helper()
	if err != nil {
		t.lab.tb.Fatal(fmt.Errorf("lab: %s: %w", t.name, err))
	}
}

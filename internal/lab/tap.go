package lab

import (
	"fmt"
	"sync"
	"time"
)

const (
	// chunk is how many packets one piece of a tap's log holds: growing it
	// copies nothing.
	chunk = 4096

	// drainEvery is how often a tap empties its ring when nobody asks. The
	// ring has room for 13 million packets a second at this pace.
	drainEvery = 5 * time.Millisecond
)

// A Tap sees every packet that leaves or arrives by one interface, from the
// moment that it is made, ARP and neighbour discovery included. On a loopback
// each packet is seen twice, out and in.
//
// Counts are exact. They include every packet whose send returned before the
// count was asked for, at either end of a veth pair. If the tap ever lost a
// packet, which takes millions a second, counting is a failure of the Lab
// rather than a number too small.
//
// The interface may go down and up again meanwhile, or be deleted.
type Tap struct {
	lab  *Lab
	name string // namespace and interface, for errors
	stop chan struct{}
	done chan struct{}

	mu    sync.Mutex
	ring  *ring // nil after Close
	log   [][]record
	epoch int // counts the Resets
	lost  uint64
}

// Tap starts to watch an interface.
func (ns *NS) Tap(ifname string) *Tap {
	ns.lab.tb.Helper()
	t := &Tap{lab: ns.lab, name: ns.name + ": tap " + ifname}
	ns.step("tap "+ifname, func() error {
		_, link, err := ns.link(ifname)
		if err != nil {
			return err
		}
		if err := ns.Do(func() (err error) {
			t.ring, err = openRing(int(link.Index))
			return err
		}); err != nil {
			return err
		}
		t.stop, t.done = make(chan struct{}), make(chan struct{})
		go t.keep()
		return ns.lab.own(t)
	})
	return t
}

// keep empties the ring from time to time, until Close.
func (t *Tap) keep() {
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

// Packets returns what was seen so far, in order.
func (t *Tap) Packets() []Packet {
	t.lab.tb.Helper()
	var out []Packet
	t.each(func(p Packet) { out = append(out, p) })
	return out
}

// Count returns how many of the packets seen so far match; a nil match is all.
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

// Wait waits until n packets match, for at most timeout, and returns how many
// do. A Reset meanwhile starts the count again.
func (t *Tap) Wait(n int, match func(Packet) bool, timeout time.Duration) int {
	t.lab.tb.Helper()
	var count, seen, epoch int
	for end := time.Now().Add(timeout); ; time.Sleep(500 * time.Microsecond) {
		t.mu.Lock()
		t.drain()
		if t.epoch != epoch {
			count, seen, epoch = 0, 0, t.epoch
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
			t.complain(lost)
			return count
		}
	}
}

// Reset forgets what was seen so far.
func (t *Tap) Reset() {
	t.lab.tb.Helper()
	err := flushBacklogs()
	t.mu.Lock()
	t.drain()
	t.log, t.lost = nil, 0
	t.epoch++
	t.mu.Unlock()
	t.check(err)
}

// Drops returns how many packets the tap has lost since it was made or reset.
func (t *Tap) Drops() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.drain()
	return t.lost
}

// Close stops watching before the Lab is closed. What was seen stays readable.
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

// each calls yield for all packets sent so far.
func (t *Tap) each(yield func(Packet)) {
	t.lab.tb.Helper()
	t.check(flushBacklogs())
	t.mu.Lock()
	t.drain()
	lost := t.lost
	t.scan(0, yield)
	t.mu.Unlock()
	t.complain(lost)
}

// scan calls yield for the packets in the log from number from on. The lock is
// held.
func (t *Tap) scan(from int, yield func(Packet)) {
	for i := from / chunk; i < len(t.log); i++ {
		part := t.log[i]
		if i == from/chunk {
			part = part[from%chunk:]
		}
		for j := range part {
			yield(part[j].packet())
		}
	}
}

// drain moves what the kernel has seen into the log. The lock is held.
func (t *Tap) drain() {
	if t.ring == nil {
		return
	}
	t.ring.drain(func(r record) {
		last := len(t.log) - 1
		if last < 0 || len(t.log[last]) == chunk {
			t.log = append(t.log, make([]record, 0, chunk))
			last++
		}
		t.log[last] = append(t.log[last], r)
	})
	n, err := t.ring.drops()
	if err != nil {
		n = 1 // a loss that cannot be ruled out is one
	}
	t.lost += n
}

func (t *Tap) complain(lost uint64) {
	t.lab.tb.Helper()
	if lost > 0 {
		t.check(fmt.Errorf("%d packets lost", lost))
	}
}

// check makes err a failure of the Lab.
func (t *Tap) check(err error) {
	t.lab.tb.Helper()
	if err != nil {
		t.lab.tb.Fatal(fmt.Errorf("lab: %s: %w", t.name, err))
	}
}

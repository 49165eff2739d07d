package main

import (
	"cmp"
	"slices"
	"time"

	"github.com/policyroute/policyroute/internal/fibtrace"
)

const (
	// maxStreams is how many lookups can be in progress. If there are more, all of them end.
	maxStreams = 4096
	// maxAsked is how many tables of a lookup are kept.
	maxAsked = 64
	// quiet is how long after its last table a lookup ends.
	quiet = 50 * time.Millisecond
	// loopback is the index of the interface lo in each network namespace. As the input
	// interface it means that this host sends the packet.
	loopback = 1
)

// A lookup is the search for the route of one packet.
type lookup struct {
	// asked are the tables that the kernel asked, in order. There is at least one.
	asked []fibtrace.Event
	// more is the number of tables after those.
	more int
	// forward is the lookup of the same packet's destination, if this lookup is the reverse
	// path check of a packet that came in.
	forward *fibtrace.Event
}

// packet returns the event that has the packet of the lookup.
func (l *lookup) packet() *fibtrace.Event { return &l.asked[0] }

// A stream is where one lookup follows another: a thread, or the interrupts of a processor.
type stream struct {
	thread, cpu int
}

func streamOf(e *fibtrace.Event) stream {
	switch {
	case e.Interrupt:
		return stream{thread: -1, cpu: e.CPU}
	case e.PID == 0: // each processor has an idle thread of this number
		return stream{cpu: e.CPU}
	}
	return stream{thread: e.PID}
}

// A grouper makes lookups from events, which come in the order of time.
type grouper struct {
	open map[stream]*lookup
	// done are the lookups that have ended. The caller takes them.
	done []*lookup
	// addresses is the number of questions whether an address is local. These are no
	// lookups of packets: the kernel asks one table without looking at the rules.
	addresses uint64
}

// add adds an event.
func (g *grouper) add(e *fibtrace.Event) {
	if e.Family == 4 && e.IIF == 0 {
		g.addresses++
		return
	}
	s := streamOf(e)
	l := g.open[s]
	if l != nil && e.Table != l.packet().Table && samePacket(e, l.packet()) {
		if len(l.asked) < maxAsked {
			l.asked = append(l.asked, *e)
		} else {
			l.more++
		}
		return
	}
	next := &lookup{asked: []fibtrace.Event{*e}}
	if l != nil {
		if isReverse(e, l.packet()) {
			next.forward = l.packet()
		}
		g.done = append(g.done, l)
	}
	if g.open == nil {
		g.open = make(map[stream]*lookup)
	}
	if l == nil && len(g.open) >= maxStreams {
		g.end(e.Time)
	}
	g.open[s] = next
}

// end ends the lookups whose last event is not later than a time, and sorts all that have
// ended by time.
func (g *grouper) end(last time.Duration) {
	for s, l := range g.open {
		if l.asked[len(l.asked)-1].Time <= last {
			g.done = append(g.done, l)
			delete(g.open, s)
		}
	}
	slices.SortStableFunc(g.done, func(a, b *lookup) int { return cmp.Compare(a.packet().Time, b.packet().Time) })
}

// samePacket reports whether two events are about the same packet, or about equal ones.
func samePacket(a, b *fibtrace.Event) bool {
	return question(a) == question(b)
}

// question returns an event without the answer and without the place and time.
func question(e *fibtrace.Event) fibtrace.Event {
	q := *e
	q.Time, q.CPU, q.PID, q.Interrupt = 0, 0, 0, false
	q.Table, q.Err, q.Type, q.Dev, q.Gateway = 0, 0, 0, "", fibtrace.Event{}.Gateway
	return q
}

// isReverse reports whether a lookup is the reverse path check of the packet of the lookup
// before: the kernel looks up the source of a packet that came in, as if this host sent a
// packet to it.
func isReverse(e, before *fibtrace.Event) bool {
	return e.Family == 4 && before.Family == 4 && before.IIF > loopback && e.IIF <= loopback &&
		e.Dst == before.Src && e.Src == before.Dst
}

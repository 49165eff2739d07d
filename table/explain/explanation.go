package explain

import (
	"slices"

	"github.com/policyroute/policyroute/rttables"
)

// An Explanation is a decision and the steps that led to it.
type Explanation struct {
	Packet   Packet
	Decision Decision
	// Steps are the rules in the order in which the kernel asked them, up to the one
	// that decided.
	Steps []Step
	// Tables has the tables that the kernel looked up, in order. Tables without routes are
	// left out, because it cannot be read whether the kernel has such a table. In a
	// namespace that never had an IPv4 rule besides the default ones, the kernel looks up
	// local and main as one table, which has the number of main.
	Tables []rttables.ID
	// Back has the steps of the reverse path check of an IPv4 packet that came in. They look
	// up a route to the source of the packet.
	Back []Step
	// Answer is the packet that answers this packet, and the decision about it. It is nil if
	// no packet answers, or if the decision about the answer is not known.
	Answer *Answer

	fib *FIB
}

// Explain returns the decision of [FIB.Decide] about a packet, and each step that led to
// it.
func (f *FIB) Explain(p Packet) Explanation {
	var t trace
	return f.explanation(p, f.decide(&p, false, &t), &t)
}

// ExplainGet returns the decision of [FIB.Get], which is what the kernel answers to "ip
// route get", and each step that led to it.
func (f *FIB) ExplainGet(p Packet) Explanation {
	var t trace
	return f.explanation(p, f.decide(&p, true, &t), &t)
}

func (f *FIB) explanation(p Packet, d Decision, t *trace) Explanation {
	f.addSources(&p, &d)
	e := Explanation{Packet: p, Decision: d, Steps: t.steps, Tables: tablesOf(t.steps), Back: t.back, fib: f}
	if a, ok := e.answer(); ok {
		e.Answer = &a
	}
	return e
}

// addSources gives the candidates of an IPv6 packet that is not bound to an address the
// sources that it gets with each.
func (f *FIB) addSources(p *Packet, d *Decision) {
	if len(d.Candidates) == 0 || p.To.Is4() || p.IIF != "" || d.Source.IsValid() {
		return
	}
	d.Candidates = slices.Clone(d.Candidates)
	for i := range d.Candidates {
		c := &d.Candidates[i]
		if k, ok := f.source6(f.device(c.OIF), keyOf(p.To)); ok {
			c.Source = k.addr(false)
		}
	}
}

// tablesOf returns the tables that steps have asked.
func tablesOf(steps []Step) (ids []rttables.ID) {
	for i := range steps {
		switch s := &steps[i]; {
		case s.Merged && s.Asked:
			ids = append(ids, rttables.Main)
		case s.Asked:
			ids = append(ids, s.Table)
		}
	}
	return ids
}

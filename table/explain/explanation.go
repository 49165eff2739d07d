package explain

import (
	"slices"

	"github.com/policyroute/policyroute/rttables"
)

// An Explanation is a decision and the way to it.
type Explanation struct {
	Packet   Packet
	Decision Decision
	// Steps are the rules in the order in which the kernel asked them, up to the one
	// that decided.
	Steps []Step
	// Tables are the tables that the kernel asked, in order. Those without routes are left
	// out: some of them exist in the kernel, but that cannot be seen. In an IPv4 namespace
	// that never had a rule of its own, the kernel asks local and main as one table, which
	// has the number of main.
	Tables []rttables.ID
	// Back are the steps of the reverse path check of an IPv4 packet that came in: the
	// way to its source.
	Back []Step
	// Answer is the packet that answers, and what this host decides about it. Nil: there is
	// none, or its way is not known.
	Answer *Answer

	fib *FIB
}

// Explain returns the decision about a packet, which is that of [FIB.Decide], and each
// step on the way to it.
func (f *FIB) Explain(p Packet) Explanation {
	var t trace
	return f.explanation(p, f.decide(&p, false, &t), &t)
}

// ExplainGet returns what the kernel answers to "ip route get", which is that of
// [FIB.Get], and each step on the way to it.
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

package explain

import "slices"

// An Answer is the packet that answers another packet, and the decision of this host about
// the answer.
type Answer struct {
	Packet   Packet
	Decision Decision
}

// answer returns the packet that would answer e's, and false if there is none: the packet
// is refused, or goes to a group, or by one of several next hops. The answer to a packet
// that leaves comes in by the same interface. It has no mark.
func (e *Explanation) answer() (a Answer, ok bool) {
	p, d := &e.Packet, &e.Decision
	a.Packet = Packet{From: p.To, IPProto: p.IPProto, SPort: p.DPort, DPort: p.SPort, TOS: p.TOS}
	if a.Packet.To = p.From; p.IIF == "" {
		a.Packet.To = d.Source
	}
	switch {
	case !a.Packet.To.IsValid() || d.Error != 0 || len(d.Candidates) > 0:
		return a, false
	case d.Verdict == Unicast:
		a.Packet.IIF = e.fib.name(d.OIF)
	case d.Verdict != Local || p.IIF == "" || !e.fib.isLocal(keyOf(p.To), p.To.Is4()):
		return a, false // it does not leave this host, or a transparent proxy sends it
	case d.OIF != lo:
		a.Packet.OIF = e.fib.name(d.OIF) // a VRF, to which the socket is bound
	}
	a.Decision = e.fib.Decide(&a.Packet)
	return a, true
}

// answerText returns what is worth saying about the answer: where it goes, if that is not
// the way that the packet came, or why it is refused.
func (e *Explanation) answerText() string {
	a := e.Answer
	if a == nil {
		return ""
	}
	d := &a.Decision
	p := &e.Packet
	switch {
	case d.Refusal == ForwardingOff && p.IIF == "":
		return "" // the source is not an address of this host
	case d.Error != 0:
	case p.IIF == "":
		return ""
	case d.OIF != 0 && e.fib.name(d.OIF) == p.IIF:
		return "the answer leaves by " + p.IIF + " as well"
	}
	mark := ""
	if e.fib.hasMarks(a.Packet.To.Is4()) {
		mark = "without a mark "
	}
	return "the answer " + mark + e.fib.sentence(&a.Packet, d)
}

// isLocal reports whether an address is one of this host's.
func (f *FIB) isLocal(k key, v4 bool) bool {
	if v4 {
		_, ok := f.isLocal4(k)
		return ok
	}
	_, ok := f.v6.local[k]
	return ok
}

// hasMarks reports whether a rule of a family selects by the mark.
func (f *FIB) hasMarks(v4 bool) bool {
	h := &f.v6
	if v4 {
		h = &f.v4
	}
	return slices.ContainsFunc(h.rules, func(r ruleEntry) bool { return r.markMask != 0 })
}

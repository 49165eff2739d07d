package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/policyroute/policyroute/table/explain"
)

// A tested is what a packet does that an expectation is about. It is a part of the JSON.
type tested struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Packet string `json:"packet"`
	By     string `json:"by"`
	Holds  bool   `json:"holds"`
	// Held is whether the expectation holds before a plan.
	Held *bool `json:"held,omitempty"`
	// Instead is what the packet does, and Rule the rule that decides it, if the
	// expectation does not hold.
	Instead string `json:"instead,omitempty"`
	Rule    string `json:"rule,omitempty"`
}

// test compares expectations with what a host does.
func test(all []expectation, w explain.World) []tested {
	f := explain.NewFIB(w)
	results := make([]tested, len(all))
	for i := range all {
		x := &all[i]
		d := f.Decide(&x.packet)
		r := tested{File: x.file, Line: x.line, Packet: x.packet.String(), By: x.way.String(), Holds: x.holds(f.World(), &d)}
		if !r.Holds {
			r.Instead, r.Rule = insteadOf(f, x.packet)
		}
		results[i] = r
	}
	return results
}

// holds reports whether a decision is the expected one. Of several next hops, each has to be.
func (x *expectation) holds(w *explain.World, d *explain.Decision) bool {
	way := &x.way
	if way.name != "" && !way.isName {
		return d.Verdict == way.verdict
	}
	if d.Verdict != explain.Unicast || d.Error != 0 {
		return false
	}
	hops := d.Candidates
	if len(hops) == 0 {
		hops = []explain.Candidate{{OIF: d.OIF, Via: d.Via}}
	}
	for _, h := range hops {
		if !x.isHop(w, h) {
			return false
		}
	}
	return true
}

// isHop reports whether a next hop is the expected one.
func (x *expectation) isHop(w *explain.World, h explain.Candidate) bool {
	if x.way.isName {
		return slices.ContainsFunc(x.uplinks, func(u uplink) bool {
			return isInterface(w, h.OIF, u.Interface) && (!h.Via.IsValid() || slices.Contains(u.gateways(), h.Via.String()) || u.learns(w, h))
		})
	}
	return (x.way.dev == "" || isInterface(w, h.OIF, x.way.dev)) && (!x.way.via.IsValid() || h.Via == x.way.via)
}

// learns reports whether an uplink learns its gateway and the router of a next hop is that of
// a default route of the host.
func (u *uplink) learns(w *explain.World, h explain.Candidate) bool {
	if u.Learn == 0 {
		return false
	}
	for i := range w.Routes {
		r := &w.Routes[i]
		if r.Dst.Bits() > 0 {
			continue
		}
		if r.OIF == h.OIF && r.Gateway == h.Via {
			return true
		}
		for _, hop := range r.Multipath {
			if hop.OIF == h.OIF && hop.Gateway == h.Via {
				return true
			}
		}
	}
	return false
}

// isInterface reports whether an interface has a name.
func isInterface(w *explain.World, index uint32, name string) bool {
	return slices.ContainsFunc(w.Links, func(l explain.Link) bool {
		return l.Index == index && (l.Name == name || slices.Contains(l.AltNames, name))
	})
}

// insteadOf returns what a packet does, without the packet, and the rule that decides it.
func insteadOf(f *explain.FIB, p explain.Packet) (what, rule string) {
	e := f.Explain(p)
	what = strings.TrimPrefix(e.Sentence(), p.String()+": ")
	if at := e.Decision.Rule; at >= 0 {
		r := f.World().Rules[at]
		r.Protocol = 0
		rule = r.String()
	}
	return what, rule
}

// failure returns in a sentence what happens instead.
func (r *tested) failure() string {
	s := fmt.Sprintf("%s: expected by %s, but it is %s", r.Packet, r.By, r.Instead)
	if r.Rule != "" {
		s += ", by the rule " + r.Rule
	}
	return s
}

func (r *tested) position() string { return fmt.Sprintf("%s:%d", r.File, r.Line) }

package main

import (
	"fmt"
	"io"
	"time"

	"github.com/policyroute/policyroute/table/explain"
	"github.com/policyroute/policyroute/table/plan"
)

// impactPatience is how long the comparison of a host before and after a plan may take. It
// ends by itself, but on a host with very many rules and routes that takes long.
const impactPatience = 30 * time.Second

// An impact is a class of packets that go another way after a plan.
type impact struct {
	Packets string `json:"packets"`
	Before  string `json:"before"`
	After   string `json:"after"`
	// Example is one of the packets.
	Example string `json:"example"`
}

// recordImpact adds to the report which packets go another way after a plan. If that cannot
// be found out, it adds a warning.
func (s *session) recordImpact(p plan.Plan) {
	classes, err := s.impactOf(p)
	if err != nil {
		s.report.Warnings = append(s.report.Warnings, "which packets go another way is not known: "+withoutPackage(err))
		return
	}
	s.report.Impact = &classes
}

func (s *session) impactOf(p plan.Plan) ([]impact, error) {
	before, err := explain.Take(s.ctx, s.conn)
	if err != nil {
		return nil, err
	}
	type result struct {
		d   explain.Difference
		err error
	}
	done := make(chan result, 1)
	go func() {
		d, err := explain.Diff(explain.NewFIB(before), explain.NewFIB(before.After(p.Steps)))
		done <- result{d, err}
	}()
	var r result
	select {
	case r = <-done:
	case <-s.ctx.Done():
		r.err = s.ctx.Err()
	case <-time.After(impactPatience):
		r.err = fmt.Errorf("the comparison takes longer than %v", impactPatience)
	}
	classes := []impact{}
	for i := range r.d {
		c := &r.d[i]
		classes = append(classes, impact{
			Packets: c.Packets.String(), Before: wayWords(c.Before, s.uplinks), After: wayWords(c.After, s.uplinks), Example: c.Witness.String(),
		})
	}
	return classes, r.err
}

// wayWords returns a way in words, with the name of the uplink that it leads through.
func wayWords(w explain.Way, uplinks []uplink) string {
	text := w.String()
	for i := range uplinks {
		if u := &uplinks[i]; w.Verdict == explain.Unicast && w.Via.IsValid() && u.isWay(w.Dev, w.Via) {
			return text + " (" + u.Name + ")"
		}
	}
	return text
}

// writeImpact prints the packets that go another way.
func (r *report) writeImpact(w io.Writer) {
	if r.Impact == nil {
		return
	}
	if len(*r.Impact) == 0 {
		fmt.Fprintln(w, "No packet goes another way.")
		return
	}
	fmt.Fprintln(w, "Packets that go another way:")
	for _, c := range *r.Impact {
		fmt.Fprintf(w, "    %s:\n        %s → %s\n", c.Packets, c.Before, c.After)
	}
	fmt.Fprintln(w, "Nothing else changes.")
}

package transition

import (
	"iter"

	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
)

// A search looks for priorities for the rungs of an installed uplink.
type search struct {
	*priorities
	move   *move
	have   []rule.Rule
	height uint32
	limit  uint32 // that all rungs have to be before
}

// places yields the priorities at which rungs could begin: first from the usual priority
// on, and then before the existing rungs, because a rule of Also may come right after
// these. For a temporary uplink whose owner has a given priority, the order is reversed.
// Between two generations of rungs there is room for END, which other uplinks may need.
// If all usual priorities are taken, rungs share those of other uplinks.
func (s *search) places() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		begin, end := s.bounds()
		limit := max(end, s.lastEnd())
		up, down, shared := s.up(begin, end), s.down(), s.shared(begin, end)
		order := []iter.Seq[uint32]{up, shared, down}
		switch {
		case s.move.target != 0:
			order = []iter.Seq[uint32]{down, up, shared}
		case len(s.have) > 0:
			order = []iter.Seq[uint32]{up, down, shared}
		}
		order = append(order, s.up(end, limit), s.shared(end, limit))
		for _, seq := range order {
			for prio := range seq {
				if !yield(prio) {
					return
				}
			}
		}
	}
}

// bounds returns the usual range of priorities of rungs: from begin to before end.
func (s *search) bounds() (begin, end uint32) {
	begin, end = s.start(rungsBelowMain), s.start(temporaryBelowMain)
	if s.move.isTemporary {
		begin, end = end, s.start(networksBelowMain)
	}
	if first := s.rules.After + 1; begin == first && len(s.have) == 0 {
		begin += min(max((s.rules.Before-first)/32, 1), 8) // the first ones are for gates
	}
	return begin, min(end, s.limit)
}

// lastEnd returns the priority that all rungs have to be before.
func (s *search) lastEnd() uint32 {
	if s.order.hasOther {
		return min(s.limit, s.start(networksBelowMain))
	}
	return s.limit
}

// areShared reports whether rungs can share the n priorities from prio on with rungs of
// other uplinks.
func (s *search) areShared(prio, n uint32) bool {
	for k := range n {
		if !s.isShared(prio+k, s.move.Spec.Proto()) {
			return false
		}
	}
	return true
}

// up yields the free places from begin on and before end, in ascending order.
func (s *search) up(begin, end uint32) iter.Seq[uint32] {
	lowest, _ := form.Span(s.have)
	return func(yield func(uint32) bool) {
		for prio := s.firstFree(begin); prio < end && s.isBetween(prio); prio++ {
			at, n := prio, s.height
			if len(s.have) > 0 {
				n++
				if prio > lowest {
					at++
				}
			}
			if at+s.height > end {
				return
			}
			if s.isFree(prio, n) && !yield(at) {
				return
			}
		}
	}
}

// shared yields the priorities from begin to before end that have rungs of other
// uplinks, in ascending order.
func (s *search) shared(begin, end uint32) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for prio := begin; prio+s.height <= end; prio++ {
			if s.areShared(prio, s.height) && !yield(prio) {
				return
			}
		}
	}
}

// down yields the priorities before the usual ones and before the existing rungs, in
// descending order.
func (s *search) down() iter.Seq[uint32] {
	from, end := s.bounds()
	if len(s.have) > 0 {
		from, _ = form.Span(s.have)
	}
	if s.move.target != 0 {
		from = min(from, s.move.target-1)
	}
	from = min(from, max(end, s.lastEnd()))
	return func(yield func(uint32) bool) {
		for prio := from; prio > s.rules.After+s.height+1; prio-- {
			if at := prio - s.height - 1; s.isFree(at, s.height+1) && !yield(at) {
				return
			}
		}
	}
}

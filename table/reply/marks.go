package reply

import (
	"math/bits"
	"slices"

	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/internal/uplink"
)

// values yields the marks that ways can have, in ascending order from the first one on.
func (p *Policy) values(yield func(uint32) bool) {
	mask := p.mask()
	first := p.Mark
	if first == 0 {
		first = mask & -mask
	}
	// The bits outside the mask carry the sum over to the next bit of the mask.
	for v := first; v != 0; v = ((v | ^mask) + 1) & mask {
		if !yield(v) {
			return
		}
	}
}

// A marker chooses marks.
type marker struct {
	policy   *Policy
	now      *host.State
	policies []*uplink.Policy
	taken    map[uint32]bool
}

// chooseMarks gives each way its mark: the one that it has, or a free one. Packets with a
// mark of another program must not take a way, so marks of other rules are not free.
func chooseMarks(p *Policy, now *host.State, ways []*way, policies []*uplink.Policy) error {
	m := &marker{policy: p, now: now, policies: policies, taken: make(map[uint32]bool)}
	for _, w := range ways {
		w.mark = m.present(w)
		m.taken[w.mark] = true
	}
	// A connection whose way is gone may still have the mark of that way.
	abandoned := m.abandoned()
	for _, w := range ways {
		if w.mark != 0 {
			continue
		}
		if w.mark = m.free(abandoned); w.mark == 0 {
			w.mark = m.free(nil)
		}
		if w.mark == 0 {
			return fieldError("Mask", "%#x, from Mark on, has marks for %d uplinks, of which other rules use some, and there are %d: set a Mask with more bits",
				p.mask(), m.count(), len(ways))
		}
		m.taken[w.mark] = true
	}
	return nil
}

// ours yields the rules of this package that send packets with a mark to a table.
func ours(now *host.State, mask uint32) func(func(*rule.Rule) bool) {
	return func(yield func(*rule.Rule) bool) {
		for _, f := range form.Families {
			for _, r := range now.Rules(f).Of(Protocol).All() {
				if r.FwMark.Mask() == mask && form.RoleOf(&r) == form.ToUplink && !yield(&r) {
					return
				}
			}
		}
	}
}

// present returns the mark that a way has already, or zero.
func (m *marker) present(w *way) uint32 {
	for r := range ours(m.now, m.policy.mask()) {
		v := r.FwMark.Value()
		if r.Table == w.table && !m.taken[v] && m.isPossible(v) {
			return v
		}
	}
	return 0
}

// abandoned returns the marks of rules of this package.
func (m *marker) abandoned() map[uint32]bool {
	all := make(map[uint32]bool)
	for r := range ours(m.now, m.policy.mask()) {
		all[r.FwMark.Value()] = true
	}
	return all
}

// free returns the first mark that is possible and not taken, or zero.
func (m *marker) free(not map[uint32]bool) uint32 {
	for v := range m.policy.values {
		if !m.taken[v] && !not[v] && m.isPossible(v) {
			return v
		}
	}
	return 0
}

// isPossible reports whether the policy has a mark, and no other rule selects it.
func (m *marker) isPossible(v uint32) bool {
	if v == 0 || v&^m.policy.mask() != 0 || v < m.policy.Mark {
		return false
	}
	selects := func(r rule.Rule) bool { return r.Protocol != Protocol && marksLike(&r, v, m.policy.mask()) }
	for _, f := range form.Families {
		if slices.ContainsFunc(m.now.Rules(f).All, selects) {
			return false
		}
	}
	return !slices.ContainsFunc(m.policies, func(p *uplink.Policy) bool { return slices.ContainsFunc(p.Also, selects) })
}

// marksLike reports whether packets with the mark that another rule selects, and no other
// bits, have a mark of ours.
func marksLike(r *rule.Rule, v, mask uint32) bool {
	theirs := r.FwMark.Value() & r.FwMark.Mask()
	return !r.Not && theirs&mask == v
}

// count returns how many marks the policy has.
func (m *marker) count() int {
	n := 1<<bits.OnesCount32(m.policy.mask()) - 1
	if m.policy.Mark != 0 {
		n -= indexOf(m.policy.Mark, m.policy.mask()) - 1
	}
	return n
}

// indexOf returns which of the values of a mask v is: the lowest bit of the mask is 1.
func indexOf(v, mask uint32) int {
	n := 0
	for bit := 1; mask != 0; bit <<= 1 {
		low := mask & -mask
		if v&low != 0 {
			n |= bit
		}
		mask &^= low
	}
	return n
}

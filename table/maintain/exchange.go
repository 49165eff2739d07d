package maintain

import (
	"slices"
	"time"
)

// Interfaces exchange their names by way of a name that none of them has: u2 becomes x, u3
// becomes u2, and x becomes u3. When Run looks in the middle, u2 is the other interface and
// there is no u3. The addresses of the first interface then belong to no uplink, and without
// rules their packets would leave by table main.

// exchangeWithin is how long interfaces may take to exchange their names. After that, the
// names count as they are.
const exchangeWithin = time.Second

// holdNames makes the state of the host have the names that interfaces had before they began
// to exchange them, until the exchange is complete. So nothing is changed in the meantime.
func (m *maintainer) holdNames(r *reading) {
	uplinks := r.inExchange(m.uplinks)
	if len(uplinks) == 0 {
		if !m.exchange.IsZero() {
			m.exchange = time.Time{}
			m.agenda.add(&concern{cause: causeLink, all: true})
		}
		return
	}
	if m.exchange.IsZero() {
		m.exchange = time.Now()
	}
	left := exchangeWithin - time.Since(m.exchange)
	if left <= 0 {
		return
	}
	for _, k := range uplinks {
		r.now.HoldLink(k.Interface, k.memory.index)
		soonest(&m.groups[k.group].again, left)
	}
}

// inExchange returns the uplinks whose names other interfaces have got in an exchange that is
// not complete. While it is not, an interface that was an uplink's has the name of none, and
// the name of an uplink is missing. If another interface takes the place of an uplink's, no
// name is missing.
func (r *reading) inExchange(uplinks []*maintainedUplink) []*maintainedUplink {
	var renamed []*maintainedUplink
	isMissing := false
	for _, k := range uplinks {
		index, ok := r.now.Link(k.Interface)
		switch {
		case ok && index == k.memory.index, !r.exists(k.memory.index):
		case ok:
			renamed = append(renamed, k)
		default:
			isMissing = true
		}
	}
	if len(renamed) == 0 || !isMissing || !r.hasUnnamed(uplinks) {
		return nil
	}
	return renamed
}

// hasUnnamed reports whether an interface that was an uplink's has the name of none.
func (r *reading) hasUnnamed(uplinks []*maintainedUplink) bool {
	named := make(map[uint32]bool, len(uplinks))
	for _, k := range uplinks {
		if index, ok := r.now.Link(k.Interface); ok {
			named[index] = true
		}
	}
	return slices.ContainsFunc(uplinks, func(k *maintainedUplink) bool {
		return r.exists(k.memory.index) && !named[k.memory.index]
	})
}

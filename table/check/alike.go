package check

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
)

// The kernel passes many rules to answer a question about one source of an uplink that has
// many. So it is asked once for all sources that its rules treat alike.

// A kind is packets for which the kernel gives the same answer.
type kind struct {
	query route.Query // without the source
	index uint32      // of the interface that has the source
	// rules are those that are for the source, see likeness.of.
	rules string
}

// A likeness tells which sources the rules of one family treat alike.
type likeness struct {
	f *facts
	// single are the places of rules from a single address. networks are those of rules from
	// several addresses, or from all but some.
	single   map[netip.Addr][]int
	networks []int
	// number is, for each rule, the number of different rules that were there before, without
	// their sources. passed is the number of rules before it that do not look at a source.
	number, passed []int
	rules          []rule.Rule
	known          map[netip.Addr]string
}

// likenessOf returns the likeness of a family, or nil if each source has to be asked about.
// A rule goto can lead past the rules of one source and not past those of another. A route
// with a source of its own is for some packets only; IPv6 has such routes.
func (f *facts) likenessOf(family route.Family) *likeness {
	rules := f.now.Rules(family)
	if len(rules.Gotos()) > 0 || family == route.IPv6 && f.mayHaveSourceRoutes {
		return nil
	}
	l := &likeness{
		f: f, rules: rules.All, single: make(map[netip.Addr][]int), known: make(map[netip.Addr]string),
		number: make([]int, len(rules.All)), passed: make([]int, len(rules.All)),
	}
	numbers, passed := make(map[rule.Rule]int), 0
	for i, r := range rules.All {
		l.passed[i] = passed
		switch {
		case !r.From.IsValid() || r.From.Bits() == 0:
			passed++
			continue
		case r.From.IsSingleIP() && !r.Not:
			l.single[r.From.Addr()] = append(l.single[r.From.Addr()], i)
		default:
			l.networks = append(l.networks, i)
		}
		r.From, r.Priority = netip.Prefix{}, route.Opt[uint32]{}
		n, ok := numbers[r]
		if !ok {
			n = len(numbers)
			numbers[r] = n
		}
		l.number[i] = n
	}
	return l
}

// of returns which rules are for a source, and between which others they are. Sources for
// which it returns the same take the same way. It does not look at what else a rule selects
// by: that is the same for all sources, and only the kernel knows it exactly.
func (l *likeness) of(a netip.Addr) string {
	if s, ok := l.known[a]; ok {
		return s
	}
	places := slices.Clone(l.single[a])
	for _, i := range l.networks {
		if l.rules[i].From.Masked().Contains(a) {
			places = append(places, i)
		}
	}
	slices.Sort(places)
	var b []byte
	for _, i := range places {
		b = binary.AppendUvarint(b, uint64(l.number[i]))
		b = binary.AppendUvarint(b, uint64(l.passed[i]))
	}
	l.known[a] = string(b)
	return l.known[a]
}

// A likenesses are those of both families. They are made when they are needed.
type likenesses map[route.Family]*likeness

func (all likenesses) of(f *facts, family route.Family) *likeness {
	l, ok := all[family]
	if !ok {
		l = f.likenessOf(family)
		all[family] = l
	}
	return l
}

// kindOf returns the kind of the packets of a query. Only if the kernel is asked for a route
// as it is in its table, and the source is an address of this host, the answer does not
// depend on the source in other ways: a route with several next hops chooses one by it.
func (all likenesses) kindOf(f *facts, q route.Query) (kind, bool) {
	if !q.Src.IsValid() || !q.FibMatch || q.IIF != 0 || !f.isUsable(q.Src) {
		return kind{}, false
	}
	l := all.of(f, route.FamilyOf(q.Dst))
	if l == nil {
		return kind{}, false
	}
	have, _ := f.now.Address(q.Src)
	k := kind{query: q, index: have.Index, rules: l.of(q.Src)}
	k.query.Src = netip.Addr{}
	return k, true
}

// representatives returns, for each of some queries, the place of the first one that the
// kernel answers in the same way.
func (f *facts) representatives(queries []route.Query) []int {
	all, first := make(likenesses, len(form.Families)), make(map[kind]int)
	places := make([]int, len(queries))
	for i, q := range queries {
		places[i] = i
		k, ok := all.kindOf(f, q)
		if !ok {
			continue
		}
		if have, ok := first[k]; ok {
			places[i] = have
		} else {
			first[k] = i
		}
	}
	return places
}

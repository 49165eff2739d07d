package explain

import (
	"cmp"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
)

// A ruleEntry is a rule that is prepared for matching.
type ruleEntry struct {
	src, srcMask key
	dst, dstMask key

	mark, markMask    uint32
	label, labelMask  uint32
	iif, oif          uint32 // indexes; zero: any
	uidFirst, uidLast uint32
	tunID             uint64
	sport, dport      portRange
	tos, tosMask      uint8 // of the DS field
	proto             uint8

	not        bool
	never      bool // the selectors match nothing: an interface is detached
	l3mdev     bool
	hasSource  bool
	findSource bool // IPv6: FIB_RULE_FIND_SADDR
	iifIsVRF   bool
	oifIsVRF   bool

	action        rule.Action
	id            rttables.ID
	table         int32 // place in half.tables, −1: there is no such table
	target        int32 // of goto: place in half.rules, −1: there is no such rule
	suppressBits  int32 // −1: none
	suppressGroup int64 // −1: none
	place         int32 // in World.Rules
	priority      uint32
}

// A portRange selects ports. The zero portRange selects any.
type portRange struct{ first, last, mask uint16 }

// compileRules prepares the rules of a family, in the kernel's order.
func (h *half) compileRules(f *FIB, family route.Family) {
	for i := range f.world.Rules {
		if r := f.world.Rules[i].Canonical(); r.Family == family {
			h.rules = append(h.rules, h.compileRule(f, &r, i))
		}
	}
	slices.SortStableFunc(h.rules, func(a, b ruleEntry) int { return cmp.Compare(a.priority, b.priority) })
	first := make(map[uint32]int32) // by priority, of the rules behind
	for i := len(h.rules) - 1; i >= 0; i-- {
		e := &h.rules[i]
		r := &f.world.Rules[e.place]
		if e.action == rule.ActionGoto {
			if at, ok := first[r.Goto]; ok && r.Goto > e.priority {
				e.target = at
			}
		}
		first[e.priority] = int32(i)
		h.dissects = h.dissects || e.iif != lo && (e.proto != 0 || e.sport != portRange{} || e.dport != portRange{})
	}
	h.checksSources = h.checksSources || slices.ContainsFunc(f.world.Rules, func(r rule.Rule) bool { return r.Realms != route.Realms{} })
	custom, known := f.world.Sysctls.int(customRules, -1)
	if h.v4 && len(h.rules) == len(defaultRules(family)) && hasDefaultsOnly(h.rules, f) && custom != 1 {
		h.mergeLocal(f, custom != 0 || !known)
	}
	h.index = newRuleIndex(h.rules)
}

// isDefault reports whether a rule is one of those that a namespace begins with.
func isDefault(r *rule.Rule) bool {
	plain := rule.Rule{
		Family: r.Family, Priority: r.Priority, Action: rule.ActionLookup, Table: r.Table, Protocol: r.Protocol, Flags: r.Flags,
	}
	if *r != plain {
		return false
	}
	switch r.Priority.Or(0) {
	case 0:
		return r.Table == rttables.Local
	case 32766:
		return r.Table == rttables.Main
	case 32767:
		return r.Table == rttables.Default && r.Family == route.IPv4
	}
	return false
}

// compileRule prepares a rule, which is in its canonical form.
func (h *half) compileRule(f *FIB, r *rule.Rule, place int) ruleEntry {
	e := ruleEntry{
		mark: r.FwMark.Value(), markMask: r.FwMark.Mask(), label: r.FlowLabel.Value(), labelMask: r.FlowLabel.Mask(),
		uidLast: 1<<32 - 1, tunID: r.TunID.Or(0), proto: uint8(r.IPProto), not: r.Not, l3mdev: r.L3MDev,
		sport: portsOf(r.SPort), dport: portsOf(r.DPort),
		findSource: !h.v4 && r.Flags&rule.FlagFindSAddr != 0, action: r.Action, id: r.Table, table: -1, target: -1, place: int32(place),
		suppressBits: -1, suppressGroup: -1, priority: r.Priority.Or(0),
	}
	if r.From.IsValid() {
		e.hasSource, e.srcMask = true, maskOf(r.From.Bits())
		e.src = keyOf(r.From.Addr()).and(e.srcMask)
	}
	if r.To.IsValid() {
		e.dstMask = maskOf(r.To.Bits())
		e.dst = keyOf(r.To.Addr()).and(e.dstMask)
	}
	if r.UIDRange.IsSet() {
		e.uidFirst, e.uidLast = r.UIDRange.First(), r.UIDRange.Last()
	}
	e.iif, e.iifIsVRF = e.bind(f, r.IIF)
	e.oif, e.oifIsVRF = e.bind(f, r.OIF)
	switch {
	case r.DSCP.IsSet():
		e.tosMask = r.DSCP.Mask() << 2
		e.tos = r.DSCP.Value() << 2
	case r.TOS != 0 && h.v4:
		e.tos, e.tosMask = r.TOS, legacyTOS
		e.never = e.never || r.TOS&^legacyTOS != 0
	case r.TOS != 0:
		e.tos, e.tosMask = r.TOS, 0xfc
	}
	if n, ok := r.SuppressPrefixLength.Get(); ok {
		e.suppressBits = int32(n)
	}
	if n, ok := r.SuppressIfGroup.Get(); ok {
		e.suppressGroup = int64(n)
	}
	if at, ok := h.byID[r.Table]; ok {
		e.table = at
	}
	return e
}

// legacyTOS are the bits of the DS field that tos compares in IPv4: IPTOS_RT_MASK of
// linux/in_route.h.
const legacyTOS = 0x1c

func portsOf(p rule.Ports) portRange {
	r := portRange{first: p.First(), last: p.Last()}
	if m := p.Mask(); p.IsSet() && m != 1<<16-1 {
		r.mask = m
	}
	return r
}

// has reports whether a port is selected. A packet without ports has the port 0, which
// no range has.
func (r portRange) has(port uint16) bool {
	if r.mask != 0 {
		return (r.first^port)&r.mask == 0
	}
	return r == portRange{} || r.first <= port && port <= r.last
}

// bind finds the interface that a rule names. If there is none, the selectors match
// nothing.
func (r *ruleEntry) bind(f *FIB, name string) (index uint32, isVRF bool) {
	if name == "" {
		return 0, false
	}
	d := f.named(name)
	if d == nil {
		r.never = true
		return 0, false
	}
	return d.Index, d.Table != 0
}

// matches is fib_rule_match of net/core/fib_rules.c.
func (r *ruleEntry) matches(h *half, fl *flow) bool { return r.selects(h, fl) != r.not }

// noteVRF notes the table of the packet's VRF, if the kernel looks for it. It does so when
// it asks a rule with l3mdev, and the selectors that it compares before match. The table
// stays for the rules behind.
func (r *ruleEntry) noteVRF(f *FIB, fl *flow) {
	first := ruleEntry{
		iif: r.iif, iifIsVRF: r.iifIsVRF, oif: r.oif, oifIsVRF: r.oifIsVRF, mark: r.mark, markMask: r.markMask, tunID: r.tunID,
		uidLast: noUser, never: r.never,
	}
	if d := f.device(fl.vrf); d != nil && first.selects(&f.v4, fl) {
		fl.vrfTable = d.Table
	}
}

// selects reports whether a packet has everything that the selectors ask for. See also
// [ruleEntry.differs], which names the selector.
func (r *ruleEntry) selects(h *half, fl *flow) bool {
	if r.never ||
		(fl.src.hi^r.src.hi)&r.srcMask.hi|(fl.src.lo^r.src.lo)&r.srcMask.lo != 0 && (fl.hasSrc || !r.findSource) ||
		(fl.dst.hi^r.dst.hi)&r.dstMask.hi|(fl.dst.lo^r.dst.lo)&r.dstMask.lo != 0 ||
		(r.mark^fl.mark)&r.markMask != 0 ||
		r.iif != 0 && !r.hasIIF(fl) || r.oif != 0 && !r.hasOIF(fl) ||
		fl.uid < r.uidFirst || fl.uid > r.uidLast ||
		(fl.tos^r.tos)&r.tosMask != 0 ||
		r.proto != 0 && r.proto != fl.proto ||
		r.tunID != 0 && r.tunID != fl.tunID ||
		r.l3mdev && fl.vrf == 0 ||
		!r.sport.has(fl.sport) || !r.dport.has(fl.dport) {
		return false
	}
	// In IPv4 the source 0 of a packet that has none is a value like others.
	return h.v4 || (fl.label^r.label)&r.labelMask == 0 && (!r.hasSource || fl.hasSrc || r.findSource)
}

// hasIIF reports whether a packet came in by the interface of a rule. A VRF stands for
// the interfaces that belong to it.
func (r *ruleEntry) hasIIF(fl *flow) bool {
	if r.iifIsVRF {
		return !fl.vrfOfOIF && fl.vrf == r.iif
	}
	return fl.iif == r.iif
}

func (r *ruleEntry) hasOIF(fl *flow) bool {
	if r.oifIsVRF {
		return fl.vrfOfOIF && fl.vrf == r.oif
	}
	return fl.oif == r.oif
}

// differs returns the word of ip-rule(8) for the first selector that a packet does not
// have, or an empty word.
func (r *ruleEntry) differs(h *half, fl *flow) string {
	for _, x := range [...]struct {
		word string
		only ruleEntry
	}{
		{"from", ruleEntry{src: r.src, srcMask: r.srcMask, hasSource: r.hasSource, findSource: r.findSource}},
		{"to", ruleEntry{dst: r.dst, dstMask: r.dstMask}},
		{"iif", ruleEntry{iif: r.iif, iifIsVRF: r.iifIsVRF}},
		{"oif", ruleEntry{oif: r.oif, oifIsVRF: r.oifIsVRF}},
		{"fwmark", ruleEntry{mark: r.mark, markMask: r.markMask}},
		{"tos", ruleEntry{tos: r.tos, tosMask: r.tosMask}},
		{"flowlabel", ruleEntry{label: r.label, labelMask: r.labelMask}},
		{"ipproto", ruleEntry{proto: r.proto}},
		{"sport", ruleEntry{sport: r.sport}},
		{"dport", ruleEntry{dport: r.dport}},
		{"tun_id", ruleEntry{tunID: r.tunID}},
		{"l3mdev", ruleEntry{l3mdev: r.l3mdev}},
	} {
		x.only.uidLast = 1<<32 - 1
		if !x.only.selects(h, fl) {
			return x.word
		}
	}
	if fl.uid < r.uidFirst || fl.uid > r.uidLast {
		return "uidrange"
	}
	return ""
}

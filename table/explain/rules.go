package explain

import (
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
)

// A ruleEntry is a rule that is prepared for matching.
type ruleEntry struct {
	src, srcMask key
	dst, dstMask key

	mark, markMask     uint32
	label, labelMask   uint32
	iif, oif           uint32 // indexes; zero: any
	uidFirst, uidLast  uint32
	tunID              uint64
	sFirst, sLast      uint16
	dFirst, dLast      uint16
	sMask, dMask       uint16
	tos, tosMask       uint8 // of the DS field
	proto              uint8
	srcBits            uint8
	not, dead          bool // dead: iif or oif is detached
	l3mdev, findSource bool
	hasSPort, hasDPort bool

	action        rule.Action
	table         int32 // place in half.tables, −1 for a table that is not there
	id            rttables.ID
	target        int32 // of goto: a place in half.rules, −1 for none
	suppressBits  int32 // −1: none
	suppressGroup int64 // −1: none
	place         int   // in World.Rules
}

// compileRules prepares the rules of a family, in the kernel's order.
func (h *half) compileRules(f *FIB, family route.Family) {
	h.plain = true
	for i := range f.world.Rules {
		r := &f.world.Rules[i]
		if c := r.Canonical(); c.Family == family {
			h.rules = append(h.rules, h.compileRule(f, &c, i))
			h.plain = h.plain && isDefault(&c)
		}
	}
	for i := range h.rules {
		r := &h.rules[i]
		goal := f.world.Rules[r.place].Goto
		r.target = -1
		for j := i + 1; j < len(h.rules) && r.action == rule.ActionGoto; j++ {
			if f.world.Rules[h.rules[j].place].Priority.Or(0) == goal {
				r.target = int32(j)
				break
			}
		}
	}
}

// isDefault reports whether a rule is one of those that a namespace begins with.
func isDefault(r *rule.Rule) bool {
	plain := rule.Rule{Family: r.Family, Priority: r.Priority, Action: rule.ActionLookup, Table: r.Table, Protocol: r.Protocol, Flags: r.Flags}
	if *r != plain {
		return false
	}
	switch r.Priority.Or(0) {
	case 0:
		return r.Table == rttables.Local
	case 32766:
		return r.Table == rttables.Main
	case 32767:
		return r.Table == rttables.Default
	}
	return false
}

func (h *half) compileRule(f *FIB, r *rule.Rule, place int) ruleEntry {
	e := ruleEntry{
		mark: r.FwMark.Value(), markMask: r.FwMark.Mask(), label: r.FlowLabel.Value(), labelMask: r.FlowLabel.Mask(),
		uidLast: 1<<32 - 1, tunID: r.TunID.Or(0), proto: uint8(r.IPProto), not: r.Not, l3mdev: r.L3MDev,
		findSource: r.Flags&rule.FlagFindSAddr != 0, action: r.Action, id: r.Table, table: -1, place: place,
		suppressBits: -1, suppressGroup: -1,
	}
	if r.From.IsValid() {
		e.srcBits, e.srcMask = uint8(r.From.Bits()), maskOf(r.From.Bits())
		e.src = keyOf(r.From.Addr()).and(e.srcMask)
	}
	if r.To.IsValid() {
		e.dstMask = maskOf(r.To.Bits())
		e.dst = keyOf(r.To.Addr()).and(e.dstMask)
	}
	if r.UIDRange.IsSet() {
		e.uidFirst, e.uidLast = r.UIDRange.First(), r.UIDRange.Last()
	}
	e.iif, e.dead = f.ruleDevice(r.IIF, e.dead)
	e.oif, e.dead = f.ruleDevice(r.OIF, e.dead)
	switch {
	case r.DSCP.IsSet():
		e.tosMask = r.DSCP.Mask() << 2
		e.tos = r.DSCP.Value() << 2 & e.tosMask
	case r.TOS != 0:
		e.tos, e.tosMask = r.TOS, legacyTOS|r.TOS
		if h.v4 {
			e.tosMask = legacyTOS
		}
	}
	e.hasSPort, e.sFirst, e.sLast, e.sMask = ports(r.SPort)
	e.hasDPort, e.dFirst, e.dLast, e.dMask = ports(r.DPort)
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

// legacyTOS are the bits of the DS field that tos of IPv4 compares: IPTOS_RT_MASK.
const legacyTOS = 0x1c

func ports(p rule.Ports) (set bool, first, last, mask uint16) {
	if p.IsSet() {
		return true, p.First(), p.Last(), p.Mask()
	}
	return false, 0, 0, 0
}

// ruleDevice returns the index of the interface that a rule names.
func (f *FIB) ruleDevice(name string, dead bool) (uint32, bool) {
	if name == "" {
		return 0, dead
	}
	at, ok := f.byDev[name]
	if !ok {
		return 0, true
	}
	return f.links[at].Index, dead
}

// matches is fib_rule_match of net/core/fib_rules.c.
func (r *ruleEntry) matches(h *half, fl *flow) bool { return r.selects(h, fl) != r.not }

func (r *ruleEntry) selects(h *half, fl *flow) bool {
	switch {
	case r.dead,
		r.iif != 0 && r.iif != fl.iif && r.iif != fl.vrf,
		r.oif != 0 && r.oif != fl.oif && r.oif != fl.vrf,
		(r.mark^fl.mark)&r.markMask != 0,
		r.tunID != 0 && r.tunID != fl.tunID,
		r.l3mdev && fl.vrf == 0,
		fl.uid < r.uidFirst || fl.uid > r.uidLast,
		fl.dst.and(r.dstMask) != r.dst,
		(fl.tos^r.tos)&r.tosMask != 0,
		r.proto != 0 && r.proto != fl.proto,
		r.hasSPort && !portMatches(fl.sport, r.sFirst, r.sLast, r.sMask),
		r.hasDPort && !portMatches(fl.dport, r.dFirst, r.dLast, r.dMask):
		return false
	}
	if h.v4 {
		return fl.src.and(r.srcMask) == r.src
	}
	if r.srcBits > 0 {
		if fl.hasSrc && fl.src.and(r.srcMask) != r.src || !fl.hasSrc && !r.findSource {
			return false
		}
	}
	return (fl.label^r.label)&r.labelMask == 0
}

func portMatches(port, first, last, mask uint16) bool {
	if mask != 1<<16-1 && first == last {
		return (port^first)&mask == 0
	}
	return port != 0 && port >= first && port <= last
}

// lookup asks the rules, as fib_rules_lookup of net/core/fib_rules.c does.
func (f *FIB) lookup(h *half, fl *flow, t *trace) found {
	for i := 0; i < len(h.rules); i++ {
		r := &h.rules[i]
		for { // again for the target of goto
			if !r.matches(h, fl) {
				t.rule(r, stepNoMatch)
				break
			}
			if r.action == rule.ActionGoto && r.target >= 0 {
				t.rule(r, stepGoto)
				i = int(r.target)
				r = &h.rules[i]
				continue
			}
			res, decided := f.act(h, r, fl, t)
			if decided {
				res.rule = r.place
				return res
			}
			break
		}
	}
	return found{rule: -1, errno: ENETUNREACH, hop: -1}
}

// act does what a rule that matches does. decided is false if the next rule is asked.
func (f *FIB) act(h *half, r *ruleEntry, fl *flow, t *trace) (res found, decided bool) {
	switch r.action {
	case rule.ActionGoto, rule.ActionNop:
		t.rule(r, stepNop)
		return res, false
	case rule.ActionLookup:
	case rule.ActionUnreachable:
		t.rule(r, stepRefused)
		return found{errno: ENETUNREACH, hop: -1}, true
	case rule.ActionProhibit:
		t.rule(r, stepRefused)
		return found{errno: EACCES, hop: -1}, true
	default:
		t.rule(r, stepRefused)
		return found{errno: EINVAL, hop: -1}, true
	}
	at, id := r.table, r.id
	if r.l3mdev {
		at, id = -1, 0
		if d := f.device(fl.vrf); d != nil {
			id = d.Table
			if place, ok := h.byID[id]; ok {
				at = place
			}
		}
	}
	if at < 0 {
		t.rule(r, stepNoTable)
		return res, false
	}
	res, ok := f.lookupTable(h, &h.tables[at], fl, t)
	res.table = id
	if !ok {
		t.rule(r, stepNoRoute)
		return res, false
	}
	if res.errno == 0 && f.suppressed(r, &res) {
		t.rule(r, stepSuppressed)
		return res, false
	}
	t.rule(r, stepDecided)
	return res, true
}

// suppressed reports whether a rule does not accept a route that its table has.
func (f *FIB) suppressed(r *ruleEntry, res *found) bool {
	if res.bits <= r.suppressBits {
		return true
	}
	if r.suppressGroup < 0 || len(res.entry.hops) == 0 {
		return false
	}
	d := f.device(res.entry.hops[0].oif)
	return d != nil && int64(d.Group) == r.suppressGroup
}

var _ = uapi.FR_ACT_GOTO

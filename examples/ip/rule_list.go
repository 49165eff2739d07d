package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/netip"

	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/show"
	"github.com/policyroute/policyroute/rule"
)

// A ruleFilter selects rules: those that have all that wanted has.
type ruleFilter struct {
	words  []string // what becomes of the selectors in the words of rule.Parse
	from   []string // the arguments that these come from
	wanted rule.Rule
	// Whether these count, which can be zero. The protocol does in a flush; in
	// a list ip(8) takes the word, and shows rules of any protocol.
	tos, protocol bool
}

// ruleSelectors are what "ip rule list" and "ip rule flush" take.
var ruleSelectors = []keyword[ruleFilter]{
	selector("pref", nil, "preference", "order", "priority"),
	{names: []string{"not"}, read: func(f *ruleFilter, w *words) error { f.say(w, "not"); return nil }},
	selector("tos", []string{"tos", "dsfield"}),
	selector("fwmark", []string{"fwmark"}),
	selector("iif", []string{"dev", "iif"}),
	selector("oif", []string{"oif"}),
	{names: []string{"l3mdev"}, read: func(f *ruleFilter, w *words) error { f.say(w, "l3mdev"); return nil }},
	selector("uidrange", []string{"uidrange"}),
	selector("tun_id", nil, "tun_id"),
	selector("lookup", nil, "lookup", "table"),
	selector("from", nil, "from", "src"),
	{short: []string{"protocol"}, read: (*ruleFilter).readProtocol},
	selector("ipproto", []string{"ipproto"}),
	selector("sport", []string{"sport"}),
	selector("dport", []string{"dport"}),
	selector("dscp", []string{"dscp"}),
	selector("flowlabel", []string{"flowlabel"}),
	selector("to", nil, "dst", "to"),
}

// selector is a keyword with an argument, and how rule.Parse calls it.
func selector(word string, names []string, short ...string) keyword[ruleFilter] {
	return keyword[ruleFilter]{names: names, short: short, read: func(f *ruleFilter, w *words) error {
		arg, err := w.arg()
		if err != nil {
			return err
		}
		f.say(w, word, arg)
		f.tos = f.tos || word == "tos"
		return nil
	}}
}

// say adds words, the last of which comes from the argument taken last.
func (f *ruleFilter) say(w *words, words ...string) {
	for range words {
		f.from = append(f.from, w.args[w.next-1])
	}
	f.words = append(f.words, words...)
}

func (f *ruleFilter) readProtocol(w *words) error {
	arg, err := w.arg()
	if f.protocol = err == nil && arg != "all"; f.protocol {
		f.say(w, "proto", arg)
	}
	return err
}

func (p *program) readRuleFilter(w *words) (*ruleFilter, error) {
	f := new(ruleFilter)
	for w.more() {
		k := find(ruleSelectors, w.args[w.next])
		if k == nil {
			f.say(w, "to", w.take()) // a prefix alone
			continue
		}
		w.take()
		if err := k.read(f, w); err != nil {
			if wrong := p.parseRuleFilter(f); wrong != nil {
				err = wrong // with words before
			}
			return nil, err
		}
	}
	return f, p.parseRuleFilter(f)
}

// parseRuleFilter makes of the words what is wanted.
func (p *program) parseRuleFilter(f *ruleFilter) error {
	p.load()
	list := *p // in which a family is always said
	list.family = listFamily(p.family)
	var err error
	f.wanted, err = list.parseRuleWords(unsaid, f.words)
	if err != nil {
		return list.ruleFilterError(err, f)
	}
	return nil
}

// ruleFilterError is ruleError with what ip(8) says differently in a list.
func (p *program) ruleFilterError(err error, f *ruleFilter) error {
	var e *wordError
	if errors.As(err, &e) && !e.missing {
		switch arg := f.from[e.index]; e.keyword {
		case "lookup":
			return wrong(arg, "table id value is invalid")
		case "proto":
			return wrong(arg, `invalid "protocol"`)
		}
	}
	return p.ruleError(err, f.from)
}

// listFamily is the family of a list: IPv4 if none was said.
func listFamily(f route.Family) route.Family {
	if f == 0 {
		return route.IPv4
	}
	return f
}

// match reports whether r has all that is wanted. What is zero is not compared,
// as in ip(8): "fwmark 0" selects any rule.
func (f *ruleFilter) match(r *rule.Rule) bool {
	w := f.wanted.Canonical()
	return (!w.Priority.IsSet() || w.Priority == r.Priority) &&
		(!w.Not || r.Not) &&
		covers(f.wanted.From, r.From) && covers(f.wanted.To, r.To) &&
		(!f.tos || w.TOS == r.TOS) &&
		(w.FwMark.Value() == 0 || w.FwMark.Value() == r.FwMark.Value()) &&
		(!w.FwMark.IsSet() || w.FwMark.Mask() == allBits || w.FwMark.Mask() == 0 || w.FwMark.Mask() == r.FwMark.Mask()) &&
		zeroOr(w.IIF, r.IIF) && zeroOr(w.OIF, r.OIF) && zeroOr(w.L3MDev, r.L3MDev) &&
		zeroOr(w.UIDRange, r.UIDRange) && zeroOr(w.TunID, r.TunID) &&
		zeroOr(w.IPProto, r.IPProto) && zeroOr(w.SPort, r.SPort) && zeroOr(w.DPort, r.DPort) &&
		zeroOr(w.DSCP, r.DSCP) && zeroOr(w.FlowLabel, r.FlowLabel) &&
		zeroOr(w.Table, r.Table) && (!f.protocol || w.Protocol == r.Protocol)
}

const allBits = 1<<32 - 1

// zeroOr reports whether a value is the one that is wanted, if one is.
func zeroOr[T comparable](wanted, value T) bool {
	var zero T
	return wanted == zero || wanted == value
}

// covers reports whether all addresses of p are in wanted. The zero Prefix has
// all addresses.
func covers(wanted, p netip.Prefix) bool {
	return wanted.Bits() <= 0 || p.Bits() >= wanted.Bits() && wanted.Contains(p.Addr())
}

// rules are those that f selects.
func (p *program) rules(f *ruleFilter) ([]rule.Rule, error) {
	if err := p.dial(); err != nil {
		return nil, err
	}
	var rules []rule.Rule
	for r, err := range rule.All(context.Background(), p.conn, rule.Filter{Family: listFamily(p.family)}) {
		if err != nil {
			return nil, fail(statusUsage, "%s\nDump terminated", kernelText(err))
		}
		if f.match(&r) {
			rules = append(rules, r)
		}
	}
	return rules, nil
}

func (p *program) ruleList(w *words) error {
	f, err := p.readRuleFilter(w)
	if err != nil {
		return err
	}
	f.protocol = false
	rules, err := p.rules(f)
	if err != nil {
		return err
	}
	_, err = io.WriteString(p.out, show.Rules(rules, p.shown()))
	return err
}

// shown is how objects are shown.
func (p *program) shown() show.Style {
	p.load()
	s := p.style
	s.Names = p.names
	return s
}

// ruleFlush deletes the rules that the words select, but those of priority 0. It
// looks again, because a listing misses rules when others are deleted.
func (p *program) ruleFlush(w *words) error {
	f, err := p.readRuleFilter(w)
	if err != nil {
		return err
	}
	for deleted := true; deleted; {
		rules, err := p.rules(f)
		if err != nil {
			return err
		}
		deleted = false
		for _, r := range rules {
			if r.Priority == rule.Priority(0) {
				continue
			}
			data, err := r.MarshalBinary()
			if err != nil {
				return fail(statusFailed, "Error: %v.", err)
			}
			if err := p.send(uapi.RTM_DELRULE, 0, data); err == nil {
				deleted = true
			} else if !errors.Is(err, fs.ErrNotExist) {
				return fail(statusUsage, "%v\nDump terminated", err)
			}
		}
	}
	return nil
}

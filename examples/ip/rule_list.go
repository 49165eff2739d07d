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

// A ruleFilter selects the rules that have all values of wanted.
type ruleFilter struct {
	words  []string // the selectors in the words of rule.Parse
	args   []string // the argument that each of the words comes from
	wanted rule.Rule
	// Compare these fields of wanted, even if they are zero. A list of ip(8) accepts a
	// protocol, and prints rules of any protocol.
	tos, protocol bool
}

// ruleSelectors are the selectors of "ip rule list" and "ip rule flush".
var ruleSelectors = []keyword[ruleFilter]{
	selector("pref", nil, "preference", "order", "priority"),
	{names: []string{"not"}, read: func(f *ruleFilter, w *words) error { f.add(w, "not"); return nil }},
	selector("tos", []string{"tos", "dsfield"}),
	selector("fwmark", []string{"fwmark"}),
	selector("iif", []string{"dev", "iif"}),
	selector("oif", []string{"oif"}),
	{names: []string{"l3mdev"}, read: func(f *ruleFilter, w *words) error { f.add(w, "l3mdev"); return nil }},
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

// selector returns a keyword with an argument. In the words of rule.Parse it is word.
func selector(word string, names []string, short ...string) keyword[ruleFilter] {
	return keyword[ruleFilter]{names: names, short: short, read: func(f *ruleFilter, w *words) error {
		arg, err := w.arg()
		if err != nil {
			return err
		}
		f.add(w, word, arg)
		f.tos = f.tos || word == "tos"
		return nil
	}}
}

// add adds words that come from the argument that was taken last.
func (f *ruleFilter) add(w *words, words ...string) {
	for range words {
		f.args = append(f.args, w.args[w.next-1])
	}
	f.words = append(f.words, words...)
}

func (f *ruleFilter) readProtocol(w *words) error {
	arg, err := w.arg()
	if f.protocol = err == nil && arg != "all"; f.protocol {
		f.add(w, "proto", arg)
	}
	return err
}

func (p *program) readRuleFilter(w *words) (*ruleFilter, error) {
	f := new(ruleFilter)
	for w.more() {
		k := find(ruleSelectors, w.args[w.next])
		if k == nil {
			f.add(w, "to", w.take()) // a prefix without a keyword
			continue
		}
		w.take()
		if err := k.read(f, w); err != nil {
			if wrong := p.parseRuleFilter(f); wrong != nil {
				err = wrong // an earlier word is wrong
			}
			return nil, err
		}
	}
	return f, p.parseRuleFilter(f)
}

// parseRuleFilter parses the words of the filter.
func (p *program) parseRuleFilter(f *ruleFilter) error {
	p.loadNames()
	list := *p // a list always has a family
	list.family = listFamily(p.family)
	var err error
	f.wanted, err = list.parseRuleWords(ruleWildcards, f.words)
	if err != nil {
		return list.ruleFilterError(err, f)
	}
	return nil
}

// ruleFilterError is like ruleError, with the messages that differ in a list.
func (p *program) ruleFilterError(err error, f *ruleFilter) error {
	var e *wordError
	if errors.As(err, &e) && !e.missing {
		switch arg := f.args[e.index]; e.keyword {
		case "lookup":
			return wrongArg(arg, "table id value is invalid")
		case "proto":
			return wrongArg(arg, `invalid "protocol"`)
		}
	}
	return p.ruleError(err, f.args)
}

// listFamily returns the family of a list. The default is IPv4.
func listFamily(f route.Family) route.Family {
	if f == 0 {
		return route.IPv4
	}
	return f
}

// matches reports whether f selects r. As in ip(8), a value of zero is not compared:
// "fwmark 0" selects any rule.
func (f *ruleFilter) matches(r *rule.Rule) bool {
	w := f.wanted.Canonical()
	return (!w.Priority.IsSet() || w.Priority == r.Priority) &&
		(!w.Not || r.Not) &&
		covers(f.wanted.From, r.From) && covers(f.wanted.To, r.To) &&
		(!f.tos || w.TOS == r.TOS) &&
		(w.FwMark.Value() == 0 || w.FwMark.Value() == r.FwMark.Value()) &&
		(!w.FwMark.IsSet() || w.FwMark.Mask() == allBits || w.FwMark.Mask() == 0 || w.FwMark.Mask() == r.FwMark.Mask()) &&
		matchesNonZero(w.IIF, r.IIF) && matchesNonZero(w.OIF, r.OIF) && matchesNonZero(w.L3MDev, r.L3MDev) &&
		matchesNonZero(w.UIDRange, r.UIDRange) && matchesNonZero(w.TunID, r.TunID) &&
		matchesNonZero(w.IPProto, r.IPProto) && matchesNonZero(w.SPort, r.SPort) && matchesNonZero(w.DPort, r.DPort) &&
		matchesNonZero(w.DSCP, r.DSCP) && matchesNonZero(w.FlowLabel, r.FlowLabel) &&
		matchesNonZero(w.Table, r.Table) && (!f.protocol || w.Protocol == r.Protocol)
}

const allBits = 1<<32 - 1

// matchesNonZero reports whether wanted is zero or equal to value.
func matchesNonZero[T comparable](wanted, value T) bool {
	var zero T
	return wanted == zero || wanted == value
}

// covers reports whether all addresses of p are in wanted. The zero Prefix has all
// addresses.
func covers(wanted, p netip.Prefix) bool {
	return wanted.Bits() <= 0 || p.Bits() >= wanted.Bits() && wanted.Contains(p.Addr())
}

// rules returns the rules that f selects.
func (p *program) rules(f *ruleFilter) ([]rule.Rule, error) {
	if err := p.dial(); err != nil {
		return nil, err
	}
	var rules []rule.Rule
	for r, err := range rule.All(context.Background(), p.conn, rule.Filter{Family: listFamily(p.family)}) {
		if err != nil {
			return nil, failf(statusUsage, "%s\nDump terminated", kernelText(err))
		}
		if f.matches(&r) {
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
	_, err = io.WriteString(p.out, show.Rules(rules, p.showStyle()))
	return err
}

// showStyle returns the style in which objects are printed.
func (p *program) showStyle() show.Style {
	p.loadNames()
	s := p.style
	s.Names = p.names
	return s
}

// ruleFlush deletes the rules that the words select, except those of priority 0. It lists
// the rules again until none is left, because a dump can miss rules while rules are deleted.
func (p *program) ruleFlush(w *words) error {
	f, err := p.readRuleFilter(w)
	if err != nil {
		return err
	}
	quiet := *p
	quiet.echo = false
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
				return failf(statusFailed, "Error: %v.", err)
			}
			if err := quiet.send(uapi.RTM_DELRULE, 0, data); err == nil {
				deleted = true
			} else if !errors.Is(err, fs.ErrNotExist) {
				return failf(statusUsage, "%v\nDump terminated", err)
			}
		}
	}
	return nil
}

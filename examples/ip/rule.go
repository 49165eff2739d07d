package main

import (
	"errors"
	"strings"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
)

// ruleCommands are the commands of the object rule.
var ruleCommands = []keyword[program]{
	{short: []string{"list", "lst", "show"}, read: (*program).ruleList},
	{short: []string{"save"}, read: (*program).ruleSave},
	{short: []string{"restore"}, read: (*program).ruleRestore},
	{short: []string{"add"}, read: (*program).ruleAdd},
	{short: []string{"delete"}, read: (*program).ruleDelete},
	{short: []string{"flush"}, read: (*program).ruleFlush},
	{short: []string{"help"}, read: func(*program, *words) error { return usageFailure(helpRule) }},
}

func (p *program) rule(w *words) error {
	if !w.more() {
		return p.ruleList(w)
	}
	verb := w.take()
	k := find(ruleCommands, verb)
	if k == nil {
		return fatalf(statusUsage, `Command "%s" is unknown, try "ip rule help".`, verb)
	}
	return k.read(p, w)
}

func (p *program) ruleAdd(w *words) error {
	r, err := p.parseRule("add", w.rest())
	if err != nil {
		return err
	}
	return p.sendRule(uapi.RTM_NEWRULE, netlink.Create|netlink.Excl, r)
}

// ruleDelete deletes the first rule that has all values of the words.
func (p *program) ruleDelete(w *words) error {
	r, err := p.parseRule("del", w.rest())
	if err != nil {
		return err
	}
	return p.sendRule(uapi.RTM_DELRULE, 0, r)
}

// ruleWildcards come before the words of a rule to delete or to list: they replace the
// default action with a value that matches any rule.
var ruleWildcards = []string{"type", "0"}

func (p *program) parseRule(verb string, args []string) (rule.Rule, error) {
	if len(args) == 0 {
		return rule.Rule{}, failf(statusFailed, `"ip rule %s" requires arguments.`, verb)
	}
	var before []string
	if verb == "del" {
		before = ruleWildcards
	}
	r, err := p.parseRuleWords(before, args)
	if err != nil {
		return rule.Rule{}, p.ruleError(err, args)
	}
	if hasNAT(r) {
		p.warnf("%s", natWarning)
	}
	for _, x := range []struct{ name, keyword string }{{r.IIF, "iif"}, {r.OIF, "oif"}} {
		if strings.Contains(x.name, "/") {
			return rule.Rule{}, wrongArg(x.name, ruleWrong[x.keyword])
		}
	}
	if r.L3MDev && r.Table != rttables.Unspec {
		return rule.Rule{}, failf(22, "table can not be specified for l3mdev rules") // EINVAL
	}
	return r, nil
}

// parseRuleWords parses the words of a rule. The error is a *wordError.
func (p *program) parseRuleWords(before, args []string) (rule.Rule, error) {
	p.loadNames()
	s := newParserInput(p.family, before, args)
	for i, a := range args {
		if a == iptext.AttributeWord {
			s.invalidate(i) // a word that only package rule has
		}
	}
	r, err := rule.Parse(s.String(), p.names)
	return r, s.wordError(err)
}

// sendRule sends a request about r. Without an option for the family, ip(8) sends IPv4 with
// any addresses.
func (p *program) sendRule(typ netlink.HeaderType, flags netlink.HeaderFlags, r rule.Rule) error {
	data, err := r.MarshalBinary()
	if err != nil {
		return failf(statusFailed, "Error: %v.", err)
	}
	if p.family == 0 {
		data[uapi.FibRuleHdrFamily] = uapi.AF_INET
	}
	return p.send(typ, flags, data)
}

// send sends one request, and waits for the acknowledgement of the kernel. With -echo it
// prints what the request has changed.
func (p *program) send(typ netlink.HeaderType, flags netlink.HeaderFlags, data []byte) error {
	if err := p.dial(); err != nil {
		return err
	}
	if p.echo {
		flags |= netlink.Echo
	}
	msgs, err := p.conn.Execute(netlink.Message{
		Header: netlink.Header{Type: typ, Flags: netlink.Request | netlink.Acknowledge | flags},
		Data:   data,
	})
	if err != nil || !p.echo {
		return kernelFailure(err)
	}
	return p.echoed(msgs)
}

const natWarning = "Warning: route NAT is deprecated"

// hasNAT reports whether r was parsed from the words of address translation.
func hasNAT(r rule.Rule) bool {
	for num := range r.Unknown.All() {
		if num == uint16(uapi.FRA_UNUSED2) {
			return true
		}
	}
	return false
}

// ruleWrong has the messages of ip(8) about arguments of keywords.
var ruleWrong = map[string]string{
	"preference": "preference value is invalid", "pref": "preference value is invalid",
	"priority": "preference value is invalid", "order": "preference value is invalid",
	"tos": "TOS value is invalid", "dsfield": "TOS value is invalid",
	"fwmark": "fwmark value is invalid",
	"realms": "invalid realms", "realm": "invalid realms",
	"protocol": `"protocol" value is invalid`, "proto": `"protocol" value is invalid`,
	"tun_id": `"tun_id" value is invalid`,
	"table":  "invalid table ID", "lookup": "invalid table ID",
	"suppress_prefixlength": "suppress_prefixlength value is invalid",
	"sup_pl":                "suppress_prefixlength value is invalid",
	"suppress_ifgroup":      `Invalid "suppress_ifgroup" value`,
	"sup_group":             `Invalid "suppress_ifgroup" value`,
	"iif":                   `"iif"/"dev" not a valid ifname`, "dev": `"iif"/"dev" not a valid ifname`,
	"oif":      `"oif" not a valid ifname`,
	"uidrange": "invalid UID range",
	"ipproto":  `Invalid "ipproto" value`,
	"goto":     "invalid target",
	"type":     "Failed to parse rule type",
	"dscp":     "invalid dscp", "flowlabel": "invalid flowlabel",
}

// ruleError returns the failure of ip(8) for an error of parseRuleWords about args.
func (p *program) ruleError(err error, args []string) error {
	var e *wordError
	if !errors.As(err, &e) {
		return fatalf(statusUsage, "Error: %v.", err)
	}
	if e.missing {
		return missingWord()
	}
	arg := args[e.index]
	switch e.keyword {
	case "":
		if abbreviates(arg, "help") {
			return usageFailure(helpRule)
		}
		return wrongArg(arg, "Failed to parse rule type")
	case "from", "to":
		return prefixExpected(p.family, arg)
	case "nat", "map-to":
		return fatalf(statusFailed, "%s\nError: an IP address is expected rather than \"%s\"", natWarning, arg)
	case "sport", "dport":
		return wrongPort(arg)
	case "fwmark", "dscp", "flowlabel":
		return wrongMasked(e.keyword, arg)
	}
	return wrongArg(arg, ruleWrong[e.keyword])
}

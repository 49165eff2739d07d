package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/jsimonetti/rtnetlink/v2"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
)

// firstRule is the priority of the first of many rules.
const firstRule = 1000

// from returns the source of the i-th rule.
func from(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32)
}

// The same rule in the types of each subject.

func ourRule(i int) rule.Rule {
	return rule.Rule{
		Family: route.IPv4, From: from(i), Action: rule.ActionLookup, Table: scratchTable,
		Priority: rule.Priority(uint32(firstRule + i)), Protocol: route.ProtoStatic,
	}
}

func vishRule(i int) *netlink.Rule {
	r := netlink.NewRule()
	r.Family, r.Src, r.Table, r.Priority, r.Protocol = netlink.FAMILY_V4, ipNet(from(i)), int(scratchTable), firstRule+i, unix.RTPROT_STATIC
	return r
}

func jsimRule(i int) *rtnetlink.RuleMessage {
	src, priority, table, protocol := net.IP(from(i).Addr().AsSlice()), uint32(firstRule+i), uint32(scratchTable), uint8(unix.RTPROT_STATIC)
	return &rtnetlink.RuleMessage{
		Family: unix.AF_INET, SrcLength: 32, Action: unix.FR_ACT_TO_TBL,
		Attributes: &rtnetlink.RuleAttributes{Src: &src, Priority: &priority, Table: &table, Protocol: &protocol},
	}
}

func ipRule(i int) string {
	return fmt.Sprintf("from %s lookup %d pref %d proto static", from(i), scratchTable, firstRule+i)
}

// dumpRules returns a dump request for the IPv4 rules.
func dumpRules() []byte {
	return prepare(unix.RTM_GETRULE, unix.NLM_F_DUMP, 1, [][]byte{{unix.AF_INET, 11: 0}})[0]
}

// builtIn is the number of rules of a new namespace.
const builtIn = 3

// installRow returns the row that installs rules. The raw limit sends the highest priority
// number first, and without NLM_F_EXCL. The peers and ip begin with the lowest number, which is
// the usual order.
func (w *world) installRow(n int) (row, error) {
	var downwards, upwards [][]byte
	for i := range n {
		down, err := ourRule(n - 1 - i).AppendBinary(nil)
		if err != nil {
			return row{}, err
		}
		up, err := ourRule(i).AppendBinary(nil)
		if err != nil {
			return row{}, err
		}
		downwards, upwards = append(downwards, down), append(upwards, up)
	}
	adds := prepare(unix.RTM_NEWRULE, unix.NLM_F_CREATE, perSend, downwards)
	deletes := prepare(unix.RTM_DELRULE, 0, perSend, upwards)
	rules := make([]rule.Rule, n)
	var batch strings.Builder
	for i := range rules {
		rules[i] = ourRule(i)
		batch.WriteString("rule add " + ipRule(i) + "\n")
	}
	r := row{
		name: fmt.Sprintf("install %s rules (`AddAll`)", count(n)), n: n,
		targets: []target{{"raw", 1.3}, {"peers", 40}},
		note:    "the rules are sorted, checked and encoded, which the raw limit had done before",
		subjects: []subject{
			{who: limit, calls: w.rawCalls, run: func() (int, error) { return n, w.raw.write(adds) }},
			{who: ours, calls: w.connCalls, run: func() (int, error) { return n, rule.AddAll(w.ctx, w.conn, rules) }},
			{who: vish, run: func() (int, error) {
				return repeat(n, func(i int) error { return w.vish.RuleAdd(vishRule(i)) })
			}},
			{who: jsim, run: func() (int, error) {
				return repeat(n, func(i int) error { return w.jsim.Rule.Add(jsimRule(i)) })
			}},
			{who: ipBatch, programs: true, run: func() (int, error) {
				_, err := w.ip(batch.String(), "-batch", "-")
				return n, err
			}},
		},
	}
	for i := range r.subjects {
		r.subjects[i].after = func() error {
			return errors.Join(w.expectRules(n), w.raw.write(deletes), w.expectRules(0))
		}
	}
	return r, nil
}

// expectRules checks the number of rules besides those of a new namespace.
func (w *world) expectRules(n int) error {
	got, err := w.raw.walk(dumpRules())
	if err == nil && got != n+builtIn {
		err = fmt.Errorf("there are %d rules, want %d", got-builtIn, n)
	}
	return err
}

// listRulesRows returns the rows that list rules with All and with List.
func (w *world) listRulesRows(n int) []row {
	filled := false
	before := func() error {
		if filled {
			return nil
		}
		filled = true
		var rules []rule.Rule
		for i := range n {
			rules = append(rules, ourRule(i))
		}
		return rule.AddAll(w.ctx, w.conn, rules)
	}
	walk := subject{who: limit, calls: w.rawCalls, before: before, run: func() (int, error) { return w.raw.walk(dumpRules()) }}
	total := n + builtIn
	return []row{
		{
			name: fmt.Sprintf("`All` over %s rules", count(n)), n: total, targets: []target{{"raw", 1.2}},
			note: "as for routes: decoding and passing on 256 bytes",
			subjects: []subject{walk, {who: ours, calls: w.connCalls, before: before, run: func() (n int, err error) {
				for _, err := range rule.All(w.ctx, w.conn, rule.Filter{Family: route.IPv4}) {
					if err != nil {
						return n, err
					}
					n++
				}
				return n, nil
			}}},
		},
		{
			name: fmt.Sprintf("`List` of %s rules into a slice", count(n)), n: total, targets: []target{{"raw", 2}},
			note: "the slice is new memory, 256 bytes a rule",
			subjects: []subject{walk,
				{who: ours, calls: w.connCalls, before: before, run: func() (int, error) {
					rules, err := rule.List(w.ctx, w.conn, rule.Filter{Family: route.IPv4})
					return len(rules), err
				}},
				{who: vish, before: before, run: func() (int, error) {
					rules, err := w.vish.RuleList(netlink.FAMILY_V4)
					return len(rules), err
				}},
				{who: jsim, before: before, run: func() (int, error) {
					msgs, err := w.jsim.Rule.List()
					n := 0
					for _, m := range msgs {
						if m.Family == unix.AF_INET {
							n++
						}
					}
					return n, err
				}},
				{who: ip, programs: true, before: before, run: func() (int, error) { return w.ip("", "-4", "rule") }},
			},
		},
	}
}

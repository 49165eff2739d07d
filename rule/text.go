package rule

import (
	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

// A line is a rule that is being parsed or printed.
type line struct {
	Rule
	names *rttables.Names
	// These are set if a word has set the table, the action or the target of a goto.
	table, action, hasGoto bool
}

// String returns r as "ip rule list" shows it, but with numbers instead of names from
// files: the priority, if set, with a colon, then the words of ip-rule(8). [Parse]
// gives r back, with the defaults of Family and Action filled in. Flags, which ip(8)
// shows in brackets, are left out.
func (r Rule) String() string { return r.Text(nil) }

// Text returns what String does, with the names of n, which can be nil.
func (r Rule) Text(n *route.Names) string {
	var p iptext.Printer
	r.putFamily(&p)
	if prio, ok := r.Priority.Get(); ok {
		p.Put(iptext.Decimal(prio) + ":")
	}
	r.putWords(&p, n)
	return p.String()
}

// Args returns r as the arguments of "ip -4 rule add" or "ip -6 rule add", with
// the names of n, which can be nil.
func (r Rule) Args(n *route.Names) string {
	var p iptext.Printer
	r.putWords(&p, n)
	r.putPriority(&p)
	return p.String()
}

// object returns the words by which errors name r.
func (r *Rule) object() string {
	var p iptext.Printer
	r.putFamily(&p)
	r.putWords(&p, nil)
	r.putPriority(&p)
	return p.String()
}

// putFamily writes the family unless an address shows it.
func (r *Rule) putFamily(p *iptext.Printer) {
	if r.Family != 0 && r.Family != r.family() {
		p.Put(iptext.FamilyOption(r.Family)...)
	}
}

func (r *Rule) putPriority(p *iptext.Printer) {
	if prio, ok := r.Priority.Get(); ok {
		p.Put("pref", iptext.Decimal(prio))
	}
}

func (r *Rule) putWords(p *iptext.Printer, n *route.Names) {
	ruleWords.Print(p, &line{Rule: *r, names: n.FileNames()})
}

// MarshalText returns what String does.
func (r Rule) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what String returns, as [Parse] does.
func (r *Rule) UnmarshalText(text []byte) error {
	got, err := Parse(string(text), nil)
	if err == nil {
		*r = got
	}
	return err
}

// Parse reads a rule in the words of ip-rule(8) that follow "ip rule add", in any
// order, or as "ip rule list" shows it, with the priority and a colon at the
// beginning. Like ip(8), it fills in the action lookup and the table main if no
// word sets another one. -4, -6 or -f FAMILY can come first, and is needed only
// for an IPv6 rule without an address. Keywords may be abbreviated where ip(8)
// allows it.
//
// Parse looks up names in n, which can be nil. An error has the word, its
// position, and the keyword that may have been meant:
//
//	rule: word 3 "dprot": not a selector or an action; did you mean dport?
func Parse(s string, n *route.Names) (Rule, error) {
	w := iptext.Split("rule", s)
	l := line{names: n.FileNames()}
	if err := iptext.ParseFamilyOption(w, &l.Family); err != nil {
		return Rule{}, err
	}
	if !w.More() {
		_, err := w.Arg("a rule")
		return Rule{}, err
	}
	parsePriority(w, &l)
	for w.More() {
		if err := ruleWords.Parse(w, &l, "a selector or an action"); err != nil {
			return Rule{}, err
		}
	}
	if l.Family == 0 {
		l.Family = route.IPv4
	}
	if !l.action && !l.table {
		l.Table = rttables.Main
	}
	if !l.action && l.Action == 0 {
		l.Action = ActionLookup
	}
	if l.hasGoto && l.Goto == 0 && l.Action != ActionGoto {
		l.Unknown += route.Attributes(attr.AppendU32(nil, uapi.FRA_GOTO, 0)) // which the kernel refuses
	}
	return l.Rule, nil
}

// parsePriority takes the priority as a listing has it: 32765:
func parsePriority(w *iptext.Words, l *line) {
	s := w.Peek()
	if len(s) < 2 || s[len(s)-1] != ':' {
		return
	}
	if prio, ok := iptext.Uint[uint32](s[:len(s)-1], 32); ok {
		w.Take()
		l.Priority = Priority(prio)
	}
}

package rule

import (
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

// A line is a rule on its way to or from text.
type line struct {
	Rule
	names *rttables.Names
	// What the words have said so far.
	table, action bool
}

// String is r as "ip rule list" shows it, without the help of any file: its
// priority, if set, with a colon, then the words of ip-rule(8). [Parse] gives r
// back; what is unset in r and has a default there (Family, Action) is then
// set. Flags, which ip(8) shows in brackets, are left out.
func (r Rule) String() string { return r.Text(nil) }

// Text is String with the names that n, which may be nil, knows.
func (r Rule) Text(n *rttables.Names) string {
	var p iptext.Printer
	r.putFamily(&p)
	if prio, ok := r.Priority.Get(); ok {
		p.Put(iptext.Decimal(prio) + ":")
	}
	r.putWords(&p, n)
	return p.String()
}

// Args is r as the arguments of "ip -4 rule add" or "ip -6 rule add", with the
// names that n, which may be nil, knows.
func (r Rule) Args(n *rttables.Names) string {
	var p iptext.Printer
	r.putWords(&p, n)
	r.putPref(&p)
	return p.String()
}

// object is how errors call r.
func (r *Rule) object() string {
	var p iptext.Printer
	r.putFamily(&p)
	r.putWords(&p, nil)
	r.putPref(&p)
	return p.String()
}

// putFamily writes the family where no address tells.
func (r *Rule) putFamily(p *iptext.Printer) {
	if r.Family != 0 && r.Family != r.family() {
		p.Put(iptext.FamilyOption(r.Family)...)
	}
}

func (r *Rule) putPref(p *iptext.Printer) {
	if prio, ok := r.Priority.Get(); ok {
		p.Put("pref", iptext.Decimal(prio))
	}
}

func (r *Rule) putWords(p *iptext.Printer, n *rttables.Names) {
	words.Print(p, &line{Rule: *r, names: n})
}

// MarshalText returns what String does.
func (r Rule) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what String prints, as [Parse] does.
func (r *Rule) UnmarshalText(text []byte) error {
	got, err := Parse(string(text), nil)
	if err == nil {
		*r = got
	}
	return err
}

// Parse reads a rule in the words of ip-rule(8), as they follow "ip rule add",
// in any order; or as "ip rule list" shows it, with the priority and a colon at
// the beginning. What no word says is as ip(8) would send it: action lookup, in
// table main. -4, -6 or -f FAMILY may stand at the very beginning, and is
// needed for IPv6 only where no address tells. Keywords may be abbreviated where
// ip(8) allows it.
//
// Names come from n, which may be nil. An error names the word and its
// position, and the keyword that may have been meant:
//
//	rule: word 3 "dprot": not a selector or an action; did you mean dport?
func Parse(s string, n *rttables.Names) (Rule, error) {
	w := iptext.Split("rule", s)
	l := line{names: n}
	if err := iptext.ParseFamilyOption(w, &l.Family); err != nil {
		return Rule{}, err
	}
	if !w.More() {
		_, err := w.Arg("a rule")
		return Rule{}, err
	}
	parsePriority(w, &l)
	for w.More() {
		if err := words.Parse(w, &l, "a selector or an action"); err != nil {
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
	return l.Rule, nil
}

// parsePriority takes the priority as it stands in a list: 32765:
func parsePriority(w *iptext.Words, l *line) {
	s := w.Peek()
	if len(s) < 2 || s[len(s)-1] != ':' {
		return
	}
	if prio, ok := iptext.Uint[uint32](s[:len(s)-1], 32); ok {
		w.Take()
		l.Priority = Pref(prio)
	}
}

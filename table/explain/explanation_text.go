package explain

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
)

// String returns lines of text for people. There is a line for each rule that the packet
// matches, with the table that the rule looks up and the result. The last line is the
// decision.
func (e Explanation) String() string { return e.text(false) }

// Long returns the same text as String, and adds the rules that the packet does not match
// and the routes that the kernel did not use.
func (e Explanation) Long() string { return e.text(true) }

func (e *Explanation) text(long bool) string {
	var b strings.Builder
	var t textTable
	e.addSteps(&t, e.Steps, long)
	t.write(&b)
	if len(e.Back) > 0 && (long || e.Decision.Error != 0) {
		b.WriteString("the way back to the source:\n")
		var back textTable
		e.addSteps(&back, e.Back, long)
		back.write(&b)
	}
	b.WriteString(e.fib.sentence(&e.Packet, &e.Decision) + "\n")
	if depends := e.Decision.Depends.String(); depends != "" {
		b.WriteString("depends on " + depends + "\n")
	}
	if answer := e.answerText(); answer != "" {
		b.WriteString(answer + "\n")
	}
	return b.String()
}

// addSteps adds a line for each step.
func (e *Explanation) addSteps(t *textTable, steps []Step, long bool) {
	for i := range steps {
		s := &steps[i]
		if !long && s.isUsual() {
			continue
		}
		rule := ""
		if s.Merged {
			rule = "(no other rule yet)"
		} else if s.Rule >= 0 {
			rule = ruleText(&e.fib.world.Rules[s.Rule])
		}
		t.add(rule, s.tableText(), e.stepText(s))
		for _, p := range s.Passed {
			if long {
				t.add("", "", "passed over "+e.shortRoute(p.Route)+": "+p.Reason.String())
			}
		}
	}
}

// isUsual reports whether a step is left out of a short text.
func (s *Step) isUsual() bool {
	switch s.Result {
	case ResultNoMatch, ResultNop:
		return true
	case ResultNoRoute:
		return s.Table == rttables.Local && !s.Merged
	}
	return false
}

// ruleText returns the words of a rule, without who made it.
func ruleText(r *rule.Rule) string {
	c := *r
	c.Protocol = 0
	return c.String()
}

// tableText returns the name of the table of a step.
func (s *Step) tableText() string {
	switch {
	case s.Merged:
		return "local+main"
	case s.Table != 0:
		return s.Table.String()
	}
	return ""
}

// shortRoute returns the words of a route, without its table and who made it.
func (e *Explanation) shortRoute(place int) string {
	r := e.fib.world.Routes[place]
	r.Table, r.Protocol = 0, route.ProtoBoot
	return r.Text(e.fib.names)
}

// stepText returns what came of a step.
func (e *Explanation) stepText(s *Step) string {
	switch s.Result {
	case ResultNoMatch:
		return "no match: " + s.Selector
	case ResultDecided:
		return e.shortRoute(s.Route)
	case ResultSuppressed, ResultThrow, ResultSource:
		return e.shortRoute(s.Route) + ": " + s.Result.String()
	case ResultRefused:
		return ""
	}
	return s.Result.String()
}

// Sentence returns the decision as one line of text.
func (e *Explanation) Sentence() string { return e.fib.sentence(&e.Packet, &e.Decision) }

// sentence returns a packet and what becomes of it.
func (f *FIB) sentence(p *Packet, d *Decision) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", p, d.Verdict)
	switch {
	case d.Error != 0:
	case len(d.Candidates) > 0:
		b.WriteString(" by one of")
		for i, c := range d.Candidates {
			if i > 0 {
				b.WriteString(",")
			}
			fmt.Fprintf(&b, " %s weight %d", f.hopText(c.OIF, c), c.Weight)
		}
	case d.OIF != 0 && d.Verdict != Local:
		b.WriteString(" " + f.hopText(d.OIF, Candidate{Via: d.Via}))
	}
	if d.Error == 0 && d.Source.IsValid() && d.Source != p.From {
		fmt.Fprintf(&b, " src %s", d.Source)
	}
	if d.Error != 0 {
		fmt.Fprintf(&b, ", %s", d.Error)
	}
	if d.Refusal != 0 {
		fmt.Fprintf(&b, ": %s", d.Refusal)
	}
	return b.String()
}

// hopText returns the words of ip-route(8) for a next hop.
func (f *FIB) hopText(oif uint32, c Candidate) string {
	s := "dev " + f.name(oif)
	if c.Via.IsValid() {
		s = "via " + c.Via.String() + " " + s
	}
	return s
}

// name returns the name of an interface.
func (f *FIB) name(index uint32) string {
	if d := f.device(index); d != nil {
		return d.Name
	}
	return f.names.Links.Name(index)
}

// A textTable is lines whose columns are aligned.
type textTable struct {
	lines [][]string
	width []int
}

func (t *textTable) add(cells ...string) {
	for i, c := range cells {
		if i == len(t.width) {
			t.width = append(t.width, 0)
		}
		t.width[i] = max(t.width[i], utf8.RuneCountInString(c))
	}
	t.lines = append(t.lines, cells)
}

func (t *textTable) write(b *strings.Builder) {
	for _, line := range t.lines {
		var row strings.Builder
		for i, c := range line {
			row.WriteString(c)
			if i < len(line)-1 {
				row.WriteString(strings.Repeat(" ", t.width[i]-utf8.RuneCountInString(c)+2))
			}
		}
		b.WriteString(strings.TrimRight(row.String(), " ") + "\n")
	}
}

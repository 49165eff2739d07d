package explain

import (
	"fmt"
	"strings"

	"github.com/policyroute/policyroute/route"
)

// String returns the explanation for people, in lines: each rule that was asked, the
// table that it asked, and what came of it, and then the decision. Rules that the packet
// does not match are left out.
func (e Explanation) String() string { return e.text(false) }

// Long returns what String does, with all rules that were asked and the routes that the
// kernel passed over.
func (e Explanation) Long() string { return e.text(true) }

func (e *Explanation) text(long bool) string {
	var b strings.Builder
	t := textTable{}
	e.addSteps(&t, e.Steps, long)
	t.write(&b)
	if len(e.Back) > 0 {
		b.WriteString("the way back to the source:\n")
		var back textTable
		e.addSteps(&back, e.Back, long)
		back.write(&b)
	}
	fmt.Fprintf(&b, "%s\n", e.Sentence())
	return b.String()
}

// addSteps adds a line for each step.
func (e *Explanation) addSteps(t *textTable, steps []Step, long bool) {
	w := &e.fib.world
	names := w.names()
	for i := range steps {
		s := &steps[i]
		if s.Result == ResultNoMatch && !long {
			continue
		}
		t.add(e.ruleText(s), s.tableText(), e.stepText(s))
		for _, p := range s.Passed {
			if long {
				t.add("", "", "not "+w.Routes[p.Route].Text(names)+": "+p.Reason.String())
			}
		}
	}
}

func (e *Explanation) ruleText(s *Step) string {
	switch {
	case s.Merged:
		return "no rules yet"
	case s.Rule < 0:
		return ""
	}
	r := e.fib.world.Rules[s.Rule]
	r.Protocol = 0
	return r.String()
}

func (s *Step) tableText() string {
	switch {
	case s.Merged:
		return "local+main"
	case s.Table != 0:
		return s.Table.String()
	}
	return ""
}

// stepText returns what came of a step.
func (e *Explanation) stepText(s *Step) string {
	found := ""
	if s.Route >= 0 {
		r := e.fib.world.Routes[s.Route]
		r.Table, r.Protocol = 0, route.ProtoBoot
		found = r.Text(e.fib.world.names())
	}
	switch s.Result {
	case ResultNoMatch:
		return "does not match: " + s.Selector
	case ResultDecided:
		return found
	case ResultSuppressed, ResultThrow, ResultSource:
		return found + ": " + s.Result.String()
	}
	return s.Result.String()
}

// Sentence returns the decision in a line.
func (e *Explanation) Sentence() string {
	d := &e.Decision
	f := e.fib
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", e.Packet, d.Verdict)
	if len(d.Candidates) > 0 {
		b.WriteString(" by one of")
		for _, c := range d.Candidates {
			fmt.Fprintf(&b, " (%s weight %d)", f.hopText(c.OIF, c), c.Weight)
		}
	} else if d.OIF != 0 {
		b.WriteString(" " + f.hopText(d.OIF, Candidate{Via: d.Via}))
	}
	if d.Source.IsValid() && d.Source != e.Packet.From {
		fmt.Fprintf(&b, " src %s", d.Source)
	}
	if d.Refusal != 0 {
		fmt.Fprintf(&b, ", since %s", d.Refusal)
	}
	if d.Error != 0 {
		fmt.Fprintf(&b, " (%s)", d.Error)
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
	return fmt.Sprintf("if%d", index)
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
		t.width[i] = max(t.width[i], len([]rune(c)))
	}
	t.lines = append(t.lines, cells)
}

func (t *textTable) write(b *strings.Builder) {
	for _, line := range t.lines {
		var row strings.Builder
		for i, c := range line {
			row.WriteString(c)
			if i < len(line)-1 {
				row.WriteString(strings.Repeat(" ", t.width[i]-len([]rune(c))+2))
			}
		}
		b.WriteString(strings.TrimRight(row.String(), " ") + "\n")
	}
}

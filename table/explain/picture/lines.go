package picture

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// A Style says how a terminal is to show a text.
type Style uint8

// The styles.
const (
	Plain   Style = iota
	Heading       // the name of a family
	Path          // what the packet takes
	Faint         // what the packet does not match, and names of programs
	Refused       // where packets are refused
)

// A Span is a text in one style.
type Span struct {
	Text  string
	Style Style
}

// A Line is a line of a picture for a terminal.
type Line []Span

// String returns the text of the line, without styles.
func (l Line) String() string {
	var b strings.Builder
	for _, s := range l {
		b.WriteString(s.Text)
	}
	return strings.TrimRight(b.String(), " ")
}

// width returns the number of columns of the line so far.
func (l Line) width() int {
	n := 0
	for _, s := range l {
		n += width(s.Text)
	}
	return n
}

// fewestColumns is the width of the narrowest picture.
const fewestColumns = 60

// usualColumns is the width of a picture as a text.
const usualColumns = 80

// String returns the picture as lines of up to 80 columns, without styles.
func (p Picture) String() string {
	var b strings.Builder
	for _, l := range p.Lines(usualColumns) {
		b.WriteString(l.String() + "\n")
	}
	return b.String()
}

// Lines returns the picture as lines for a terminal of that many columns. Zero: 80. A picture
// is at least 60 columns wide.
//
// A rule is followed by the table that it looks up, and the rows of the table are below it. If
// there is a packet, heavy lines and a ● mark what it takes, and a ○ marks rules that it
// matches and that do not decide.
func (p Picture) Lines(columns int) []Line {
	if columns == 0 {
		columns = usualColumns
	}
	var all []Line
	for i := range p.families {
		if i > 0 {
			all = append(all, nil)
		}
		d := newDrawing(&p.families[i], max(columns, fewestColumns), p.sentence != "")
		all = append(all, d.draw()...)
	}
	if p.sentence != "" {
		for _, text := range fold(p.sentence, max(columns, fewestColumns)) {
			all = append(all, Line{{text, Plain}})
		}
	}
	return all
}

// A drawing is the lines of one family.
type drawing struct {
	family  *family
	columns int
	packet  bool // whether there is one
	lines   []Line
	// margin is the width of marks and priorities. The names of tables begin at column
	// target.
	margin, priority, target int
	// gateway and dev are the columns in which gateways and interfaces begin.
	gateway, dev int
}

func newDrawing(f *family, columns int, packet bool) *drawing {
	d := &drawing{family: f, columns: columns, packet: packet}
	words, devs, gateways, names := 0, len("this host"), 0, 0
	for i := range f.rules {
		r := &f.rules[i]
		d.priority = max(d.priority, width(r.priority))
		words = max(words, width(r.selector))
		names = max(names, width(f.targets(r)))
	}
	for i := range f.tables {
		for j := range f.tables[i].rows {
			row := &f.tables[i].rows[j]
			devs = max(devs, width(row.end))
			for k := range row.hops {
				devs, gateways = max(devs, width(row.hops[k].device())), max(gateways, width(row.hops[k].label()))
			}
		}
	}
	d.margin = 2 + d.priority + 2
	if !packet {
		d.margin -= 2
	}
	d.target = min(d.margin+words+4, max(columns-names-16, columns/2))
	d.dev = columns - min(devs, columns*3/8)
	d.gateway = d.dev
	if gateways > 0 {
		d.gateway = max(d.dev-4-gateways, d.margin+8)
	}
	return d
}

// targets returns the words for where a rule leads to.
func (f *family) targets(r *ruleNode) string {
	var names []string
	for _, at := range r.tables {
		names = append(names, f.tables[at].name)
	}
	s := strings.Join(names, ", ")
	if len(names) == 0 {
		s = r.action
	}
	if r.suppress != "" {
		s += " " + r.suppress
	}
	return s
}

// draw returns the lines.
func (d *drawing) draw() []Line {
	f := d.family
	d.lines = []Line{{{f.title(), Heading}}}
	drawn, places := make([]bool, len(f.tables)), f.places()
	for i := range f.rules {
		r := &f.rules[i]
		d.rule(r)
		if i+1 < len(f.rules) && slices.Equal(f.rules[i+1].tables, r.tables) {
			continue // the table is below the last of such rules
		}
		for _, at := range r.tables {
			switch {
			case places[at] != i:
			case len(r.tables) > 1:
				d.lines = append(d.lines, Line{{strings.Repeat(" ", d.margin) + f.tables[at].name + ":", d.faint(f.tables[at].taken)}})
				fallthrough
			default:
				d.table(&f.tables[at])
				drawn[at] = true
			}
		}
	}
	for i := range f.tables {
		if !drawn[i] && f.tables[i].orphan {
			d.lines = append(d.lines, Line{{strings.Repeat(" ", d.margin) + "no rule looks up " + f.tables[i].name, d.faint(false)}})
			d.table(&f.tables[i])
		}
	}
	return d.lines
}

// places returns the rule below which each table is drawn: the one by which the packet takes
// it, else the first of those that look it up. Of rules in a row that look up the same tables
// it is the last. It is -1 for a table that no rule looks up.
func (f *family) places() []int {
	last := make([]int, len(f.rules))
	for i := len(f.rules) - 1; i >= 0; i-- {
		last[i] = i
		if i+1 < len(f.rules) && slices.Equal(f.rules[i+1].tables, f.rules[i].tables) {
			last[i] = last[i+1]
		}
	}
	places, onPath := slices.Repeat([]int{-1}, len(f.tables)), make([]bool, len(f.tables))
	for i := range f.rules {
		r := &f.rules[i]
		for _, at := range r.tables {
			takes := r.mark == taken && f.tables[at].taken
			if places[at] < 0 || takes && !onPath[at] {
				places[at], onPath[at] = last[i], takes
			}
		}
	}
	return places
}

// faint returns the style of what is not on the packet's path.
func (d *drawing) faint(onPath bool) Style {
	switch {
	case onPath:
		return Path
	case d.packet:
		return Faint
	}
	return Plain
}

// rule draws a rule.
func (d *drawing) rule(r *ruleNode) {
	style := Plain
	sign := "  "
	switch r.mark {
	case taken:
		style, sign = Path, "● "
	case tried:
		sign = "○ "
	case missed, unasked:
		style = d.faint(false)
	}
	if !d.packet {
		sign = ""
	}
	head := sign + strings.Repeat(" ", d.priority-width(r.priority)) + r.priority + "  "
	for _, text := range fold(r.selector, d.target-4-d.margin) {
		if head != "" {
			d.lines = append(d.lines, Line{{head + text, style}})
			head = ""
			continue
		}
		d.lines = append(d.lines, Line{{strings.Repeat(" ", d.margin+2) + text, style}})
	}
	last := &d.lines[len(d.lines)-1]
	end := style
	if r.refuses && end != Faint {
		end = Refused
	}
	target := d.family.targets(r)
	note := r.owner
	if r.result != "" && r.mark == tried {
		note = strings.TrimSpace(r.result + "  " + r.owner)
	}
	*last = append(*last, Span{" " + arrow(d.target-last.width()-2, r.mark == taken) + " ", style}, Span{target, end})
	if note == "" {
		return
	}
	if at := d.columns - width(note); last.width()+2 <= at {
		*last = append(*last, Span{strings.Repeat(" ", at-last.width()) + note, Faint})
	} else {
		d.lines = append(d.lines, Line{{strings.Repeat(" ", max(0, at)) + note, Faint}})
	}
}

// table draws the rows of a table.
func (d *drawing) table(t *tableNode) {
	indent := strings.Repeat(" ", d.margin)
	for i := range t.rows {
		branch := "├"
		if i == len(t.rows)-1 && t.more == 0 {
			branch = "└"
		}
		d.row(&t.rows[i], indent, branch)
	}
	switch {
	case t.more > 0:
		d.lines = append(d.lines, Line{{fmt.Sprintf("%s└ and %d other ways", indent, t.more), d.faint(false)}})
	case len(t.rows) == 0 && !d.packet:
		d.lines = append(d.lines, Line{{indent + "└ no routes", Faint}})
	}
}

// row draws the routes that lead to one place.
func (d *drawing) row(r *row, indent, branch string) {
	text := strings.Join(r.destinations, ", ")
	if r.more > 0 {
		text += fmt.Sprintf(" and %d more", r.more)
	}
	style := d.faint(r.taken)
	first := d.dev
	if slices.ContainsFunc(r.hops, func(h hop) bool { return h.gateway != "" }) {
		first = d.gateway
	}
	below := "│ "
	if branch == "└" {
		below = "  "
	}
	head := branch + " "
	for _, s := range fold(text, first-4-d.margin-2) {
		d.lines = append(d.lines, Line{{indent + head + s, style}})
		head = below
	}
	last := len(d.lines) - 1
	if d.lines[last].width() > first-3 { // one word that is too long
		d.lines = append(d.lines, Line{{indent + below, style}})
		last++
	}
	if len(r.hops) == 0 {
		end := style
		if r.refuses && end != Faint {
			end = Refused
		}
		d.connect(&d.lines[last], d.dev, r.end, style, end)
	}
	for i := range r.hops {
		h := &r.hops[i]
		style := d.faint(h.taken)
		if i > 0 {
			d.lines = append(d.lines, Line{{indent + below + "or", style}})
			last = len(d.lines) - 1
		}
		if h.gateway != "" {
			d.connect(&d.lines[last], d.gateway, h.label(), style, style)
			if d.lines[last].width() > d.dev-3 {
				d.lines = append(d.lines, Line{{indent + below, style}})
				last++
			}
		}
		end := style
		if h.state != "" && !strings.HasPrefix(h.state, "vrf") && end != Faint {
			end = Refused
		}
		d.connect(&d.lines[last], d.dev, h.device(), style, end)
	}
}

// connect draws an arrow to a text that begins at a column.
func (d *drawing) connect(l *Line, column int, text string, style, end Style) {
	*l = append(*l, Span{" " + arrow(column-l.width()-2, style == Path) + " ", style}, Span{text, end})
}

// arrow returns an arrow that is n columns wide.
func arrow(n int, heavy bool) string {
	dash := "─"
	if heavy {
		dash = "━"
	}
	return strings.Repeat(dash, max(n-1, 0)) + "▶"
}

// width returns the number of columns of a text.
func width(s string) int { return utf8.RuneCountInString(s) }

// fold breaks a text at spaces into lines of a width, one at least. A word that is too long
// has its own.
func fold(text string, columns int) []string {
	var all []string
	line := ""
	for _, w := range strings.Fields(text) {
		if line != "" && width(line)+1+width(w) > columns {
			all = append(all, line)
			line = ""
		}
		line = strings.TrimSpace(line + " " + w)
	}
	return append(all, line)
}

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/policyroute/policyroute/table/maintain"
)

// writeStatus prints the status for people.
func (r *report) writeStatus(w io.Writer, t terminal) error {
	return writeLines(w, t, r.statusLines(t, time.Now(), shownEvents))
}

// shownEvents is how many of the last events status shows.
const shownEvents = 5

// statusLines returns a table with a line for each uplink, each with what is wrong below it,
// then the process that maintains the uplinks, and its last events.
func (r *report) statusLines(t terminal, now time.Time, events int) []line {
	lines := r.table(t, now)
	if r.Reply != nil {
		lines = append(lines, r.Reply.lines(t)...)
	}
	switch {
	case r.Maintainer != nil:
		lines = append(lines, r.Maintainer.lines(r.Uplinks, t, now)...)
		lines = append(lines, eventLines(r.Maintainer.Events, events, t, now)...)
	case r.Unknown != "":
		lines = append(lines, wrapped(yellow, whoIsUnknown+r.Unknown, t)...)
	default:
		lines = append(lines, wrapped(dim, notMaintained, t)...)
	}
	return lines
}

// whoIsUnknown begins the last line of a status if it is not known whether a process
// maintains the uplinks.
const whoIsUnknown = "cannot tell whether \"uplinks run\" is active: "

// notMaintained is the last line of a status if no process maintains the uplinks.
const notMaintained = "not monitored: no \"uplinks run\" in this network namespace"

// A column is a column of the table.
type column struct {
	title string
	right bool // the cells are aligned at the right
	// drop is the order in which columns are left out where the terminal is too narrow:
	// the greatest first. Columns with 0 always stay.
	drop  int
	cells []span
}

// table returns the table, with the details of each uplink below its line.
func (r *report) table(t terminal, now time.Time) []line {
	shown := r.columns(t, now)
	header := make(line, 0, 2*len(shown))
	for i, c := range shown {
		header = append(header, c.padded(span{c.title, bold}, i == len(shown)-1)...)
	}
	lines := []line{header}
	for row, e := range r.Uplinks {
		var l line
		for i, c := range shown {
			l = append(l, c.padded(c.cells[row], i == len(shown)-1)...)
		}
		lines = append(lines, l)
		for _, d := range e.details(r.Maintainer, now) {
			lines = append(lines, wrapped(d.style, "    "+oneLine(d.text), t)...)
		}
	}
	return lines
}

// columns returns the columns that are shown: those that have anything in them, and on a
// terminal those for which there is room.
func (r *report) columns(t terminal, now time.Time) []column {
	all := []column{
		{title: "NAME"}, {title: "FAMILY", drop: 2}, {title: "DEV", drop: 1}, {title: "STATE"},
		{title: "SINCE", drop: 4}, {title: "HEALTH", drop: 3},
		{title: "IN", right: true, drop: 5}, {title: "OUT", right: true, drop: 5}, {title: "TCP", right: true, drop: 6},
		{title: "TABLE", drop: 9}, {title: "VIA", drop: 8}, {title: "SOURCES", drop: 7},
	}
	for _, e := range r.Uplinks {
		for i, cell := range e.cells(r.Maintainer, now) {
			if t.is() && all[i].drop < 2 {
				cell.text = shorten(cell.text, 20)
			}
			all[i].cells = append(all[i].cells, cell)
		}
	}
	always := []string{"NAME", "FAMILY", "DEV", "STATE", "SOURCES"}
	all = slices.DeleteFunc(all, func(c column) bool {
		if onWide := c.title == "TABLE" || c.title == "VIA"; onWide && !t.is() {
			return true
		}
		isEmpty := !slices.ContainsFunc(c.cells, func(s span) bool { return s.text != "" })
		return isEmpty && !slices.Contains(always, c.title)
	})
	return r.fit(all, t)
}

// leastSources is the room that the column of sources needs at least.
const leastSources = 15

// fit leaves out columns until the table fits on the terminal, and shortens the sources.
func (r *report) fit(all []column, t terminal) []column {
	if !t.is() {
		return all // a program may look for a source, and lines can be of any length
	}
	sum := func() int {
		n := 0
		for _, c := range all {
			if c.title == "SOURCES" {
				n += min(c.width(), leastSources)
			} else {
				n += c.width()
			}
		}
		return n + 2*(len(all)-1)
	}
	for sum() > t.columns {
		i := 0
		for j := range all {
			if all[j].drop > all[i].drop {
				i = j
			}
		}
		if all[i].drop == 0 {
			break
		}
		all = slices.Delete(all, i, i+1)
	}
	last := &all[len(all)-1]
	if last.title != "SOURCES" {
		return all
	}
	rest := max(leastSources, t.columns-(sum()-min(last.width(), leastSources)))
	for i, e := range r.Uplinks {
		last.cells[i].text = orDash(listText(e.Sources, rest))
	}
	return all
}

// width returns the width of the column.
func (c *column) width() int {
	n := columns(c.title)
	for _, s := range c.cells {
		n = max(n, columns(s.text))
	}
	return n
}

// padded returns a cell with the spaces that align it, and the space between columns.
func (c *column) padded(s span, isLast bool) line {
	if s.text == "" {
		s.text = "-"
	}
	s.text = oneLine(s.text)
	space := strings.Repeat(" ", max(0, c.width()-columns(s.text)))
	between := "  "
	if isLast {
		between = ""
	}
	if c.right {
		return line{{space, plain}, s, {between, plain}}
	}
	return line{s, {space + between, plain}}
}

// listText joins words with commas. If they do not fit, it has the first ones, and how many
// more there are.
func listText(words []string, width int) string {
	text := strings.Join(words, ",")
	for n := len(words) - 1; n > 0 && columns(text) > width; n-- {
		text = fmt.Sprintf("%s and %d more", strings.Join(words[:n], ","), len(words)-n)
	}
	return text
}

// cells returns the cells of a line, in the order of the columns. An empty cell has nothing to
// show.
func (e *entry) cells(m *maintainer, now time.Time) []span {
	var since, health span
	if l := m.status(e); l != nil {
		since = span{ageText(now.Sub(l.Since)), plain}
		health = l.healthCell(now)
	}
	var in, out, connections string
	if e.Traffic != nil {
		in, out = rateText(e.Traffic.ReceivedRate), rateText(e.Traffic.SentRate)
	}
	if e.Connections != nil {
		connections = fmt.Sprint(*e.Connections)
		if e.MoreConnections {
			connections += "+"
		}
	}
	return []span{
		{e.Name, bold}, {e.Family, plain}, {e.Dev, plain}, {e.State, e.stateStyle()}, since, health,
		{in, plain}, {out, plain}, {connections, plain}, {tableText(e.Table), plain}, {e.Via, plain}, {orDash(strings.Join(e.Sources, ",")), plain},
	}
}

// tableText returns the number of a table, if it is known.
func tableText(id uint32) string {
	if id == 0 {
		return ""
	}
	return fmt.Sprint(id)
}

// stateStyle returns the style of the state.
func (e *entry) stateStyle() style {
	switch e.State {
	case stateComplete:
		return green
	case stateAbsent:
		return yellow
	}
	return red
}

// healthCell returns the verdict of the probes, with the time of the last one.
func (l *lineStatus) healthCell(now time.Time) span {
	if !l.Probed {
		return span{}
	}
	cell := span{"unknown", yellow}
	switch l.Health {
	case maintain.EventHealthy.String():
		cell = span{l.Health, green}
	case maintain.EventUnhealthy.String():
		cell = span{l.Health, red}
	}
	if !l.LastProbe.IsZero() {
		cell.text += ", " + ageText(now.Sub(l.LastProbe)) + " ago"
	}
	return cell
}

// details returns what is wrong with the uplink, and what else is worth knowing.
func (e *entry) details(m *maintainer, now time.Time) []span {
	var all []span
	add := func(s style, text string) { all = append(all, span{text, s}) }
	for _, x := range e.Missing {
		add(red, "missing: "+x)
	}
	for _, c := range e.Changed {
		add(red, "changed: "+c.Is+"; wanted: "+c.Wanted)
	}
	for _, x := range e.Extra {
		add(red, "extra: "+x)
	}
	for _, x := range e.Overruled {
		add(red, x)
	}
	if e.Problem != "" {
		add(red, e.Problem)
	}
	if e.Unnamed && e.State != stateAbsent {
		add(yellow, "not named in rt_tables")
	}
	for _, x := range e.Notes {
		add(plain, x)
	}
	if m != nil {
		for _, x := range m.remarks(e, now) {
			add(yellow, x)
		}
	}
	return all
}

// wrapped returns a text as lines that fit on the terminal.
func wrapped(s style, text string, t terminal) []line {
	var lines []line
	for _, part := range wrap(text, t.columns, 8) {
		lines = append(lines, textLine(s, part))
	}
	return lines
}

// eventLines returns the last events, the newest last.
func eventLines(events []loggedEvent, most int, t terminal, now time.Time) []line {
	events = events[max(0, len(events)-most):]
	if len(events) == 0 {
		return nil // most can be 0
	}
	lines := []line{textLine(bold, "last events:")}
	width := 0
	for _, e := range events {
		width = max(width, utf8.RuneCountInString(ageText(now.Sub(e.Time))))
	}
	for _, e := range events {
		age := ageText(now.Sub(e.Time))
		head := "    " + strings.Repeat(" ", width-utf8.RuneCountInString(age)) + age + " ago  "
		s := plain
		switch e.Level {
		case "warning":
			s = yellow
		case "error":
			s = red
		}
		room := 0
		if t.is() {
			room = max(1, t.columns-len(head))
		}
		for _, part := range wrap(oneLine(e.Text), room, 0) {
			lines = append(lines, line{{head, dim}, {part, s}})
			head = strings.Repeat(" ", len(head))
		}
	}
	return lines
}

// ageText returns a time that has passed in six characters at most, such as 5m or 2h10m.
func ageText(d time.Duration) string {
	d = max(0, d)
	minutes, hours := int(d.Minutes()), int(d.Hours())
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case hours == 0:
		return fmt.Sprintf("%dm", minutes)
	case hours < 24:
		return fmt.Sprintf("%dh%dm", hours, minutes%60)
	case hours < 24*100:
		return fmt.Sprintf("%dd%dh", hours/24, hours%24)
	}
	return fmt.Sprintf("%dd", hours/24)
}

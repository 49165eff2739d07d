package main

import (
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/policyroute/policyroute/internal/iptext"
)

// A terminal describes where the output goes. The zero terminal is a file or a pipe.
type terminal struct {
	columns, rows int
	color         bool
}

// usualColumns is the width of a terminal that does not say its own.
const usualColumns = 80

// usualRows is the height of a terminal that does not say its own.
const usualRows = 24

// terminalOf describes what w writes to.
func terminalOf(w io.Writer, getenv func(string) string) terminal {
	if p, ok := w.(*printer); ok {
		w = p.w
	}
	f, ok := w.(*os.File)
	if !ok {
		return terminal{}
	}
	columns, rows, ok := terminalSize(f)
	if !ok || getenv("TERM") == "dumb" {
		return terminal{}
	}
	t := terminal{columns: columns, rows: rows, color: getenv("NO_COLOR") == ""}
	if t.columns <= 0 {
		t.columns = usualColumns
	}
	if t.rows <= 0 {
		t.rows = usualRows
	}
	return t
}

// is reports whether there is a terminal.
func (t terminal) is() bool { return t.columns > 0 }

// A style is how a terminal shows a text: the parameters of the control sequence SGR.
type style string

// Styles.
const (
	plain  style = ""
	bold   style = "1"
	dim    style = "2"
	red    style = "31"
	green  style = "32"
	yellow style = "33"
)

// A span is a text with a style.
type span struct {
	text  string
	style style
}

// A line is a line of the output, without its end.
type line []span

// textLine returns a line in one style.
func textLine(s style, text string) line { return line{{text, s}} }

// render returns the line as it is written. Only the styles are control characters: the texts
// are filtered.
func (l line) render(color bool) string {
	var b strings.Builder
	for _, s := range l {
		text := iptext.Printable(s.text)
		if color && s.style != plain && strings.TrimSpace(text) != "" {
			text = "\x1b[" + string(s.style) + "m" + text + "\x1b[0m"
		}
		b.WriteString(text)
	}
	return b.String()
}

// writeLines writes lines past the filter of the printer, which would show styles as text.
func writeLines(w io.Writer, t terminal, lines []line) error {
	if p, ok := w.(*printer); ok {
		w = p.w
	}
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(strings.TrimRight(l.render(t.color), " "))
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// columns returns the width of a text, in characters, as it is shown.
func columns(text string) int { return utf8.RuneCountInString(iptext.Printable(text)) }

// shorten cuts a text to a width, with an ellipsis at its end.
func shorten(text string, width int) string {
	text = iptext.Printable(text)
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:max(0, width-1)]) + "…"
}

// wrap breaks a text at spaces into lines of a width. All lines but the first are indented.
// A word that is too long has a line of its own. With width 0 there is one line.
func wrap(text string, width, indent int) []string {
	text = iptext.Printable(text)
	if width <= 0 || utf8.RuneCountInString(text) <= width {
		return []string{text}
	}
	start := text[:len(text)-len(strings.TrimLeft(text, " "))]
	var all []string
	current := start
	for i, word := range strings.Fields(text) {
		if i > 0 && utf8.RuneCountInString(current)+1+utf8.RuneCountInString(word) > width {
			all = append(all, current)
			current = strings.Repeat(" ", indent) + word
			continue
		}
		if i > 0 {
			current += " "
		}
		current += word
	}
	return append(all, current)
}

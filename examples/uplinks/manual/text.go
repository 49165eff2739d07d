package manual

import (
	"strings"
)

// width is how many columns the help uses.
const width = 80

// termWidth is the widest term of a list that has its text on the same line.
const termWidth = 14

// A textPrinter prints blocks for a terminal.
type textPrinter struct{ strings.Builder }

// section prints a section, and an empty line before it unless it is the first.
func (p *textPrinter) section(s section) {
	if p.Len() > 0 {
		p.WriteByte('\n')
	}
	p.WriteString(s.title + "\n")
	p.blocks(s.blocks)
}

// blocks prints blocks with an empty line between them.
func (p *textPrinter) blocks(blocks []block) {
	for i, b := range blocks {
		if i > 0 {
			p.WriteByte('\n')
		}
		b.text(p, 4)
	}
}

// fill prints words in lines that fit, each indented.
func (p *textPrinter) fill(words string, indent int) {
	p.fillFrom(words, indent, 0)
}

// fillFrom is fill on a line that already has some columns. Zero: a new line.
func (p *textPrinter) fillFrom(words string, indent, column int) {
	for _, w := range split(plain(words)) {
		switch {
		case column == 0:
			p.WriteString(strings.Repeat(" ", indent))
			column = indent
		case column+1+len(w) > width:
			p.WriteString("\n" + strings.Repeat(" ", indent))
			column = indent
		case column > indent:
			p.WriteByte(' ')
			column++
		}
		p.WriteString(w)
		column += len([]rune(w))
	}
	p.WriteByte('\n')
}

func (t para) text(p *textPrinter, indent int) { p.fill(string(t), indent) }

func (t code) text(p *textPrinter, indent int) {
	for line := range strings.Lines(string(t)) {
		if line != "\n" {
			p.WriteString(strings.Repeat(" ", indent+4))
		}
		p.WriteString(line)
	}
	p.WriteByte('\n')
}

func (t list) text(p *textPrinter, indent int) {
	wide := 0
	for _, i := range t {
		if n := len(i.term); n <= termWidth {
			wide = max(wide, n)
		}
	}
	if wide == 0 {
		wide = 6
	}
	for _, i := range t {
		term := strings.Repeat(" ", indent) + i.term
		p.WriteString(term)
		column := indent + wide + 2
		if len(i.term) > wide {
			p.WriteByte('\n')
			p.fill(i.text, column)
			continue
		}
		p.WriteString(strings.Repeat(" ", column-len(term)))
		p.fillFrom(i.text, column, column)
	}
}

// plain returns text with quotation marks around literal words, instead of backquotes.
func plain(text string) string {
	var b strings.Builder
	for i, part := range strings.Split(text, "`") {
		if i%2 == 1 {
			part = `"` + part + `"`
		}
		b.WriteString(part)
	}
	return b.String()
}

// split returns the words of a text. Short text in quotation marks is not split, because
// a command is easier to copy from one line.
func split(text string) []string {
	var words []string
	open := -1
	for _, w := range strings.Fields(text) {
		if open >= 0 {
			words[open] += " " + w
		} else {
			words = append(words, w)
			if strings.HasPrefix(strings.TrimLeft(w, "("), `"`) {
				open = len(words) - 1
			}
		}
		if open >= 0 && strings.Count(words[open], `"`) != 1 {
			open = -1
		}
	}
	return words
}

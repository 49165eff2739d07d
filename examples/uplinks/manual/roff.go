package manual

import (
	"fmt"
	"strings"
)

// A roffPrinter prints blocks as a page of man(7).
type roffPrinter struct{ strings.Builder }

// title begins a page.
func (p *roffPrinter) title(name string, number int) {
	fmt.Fprintf(p, ".TH %s %d \"\" policyroute \"\"\n", strings.ToUpper(name), number)
}

// section prints a section.
func (p *roffPrinter) section(s section) {
	fmt.Fprintf(p, ".SH %s\n", escape(s.title))
	p.blocks(s.blocks)
}

// subsection prints blocks under a title of their own.
func (p *roffPrinter) subsection(title string, blocks []block) {
	fmt.Fprintf(p, ".SS %s\n", literals(title))
	p.blocks(blocks)
}

func (p *roffPrinter) blocks(blocks []block) {
	for i, b := range blocks {
		if _, isPara := b.(para); isPara && i > 0 {
			p.WriteString(".PP\n")
		}
		b.roff(p)
	}
}

// line prints a line of text. A period or an apostrophe at its begin would make it a request.
func (p *roffPrinter) line(text string) {
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	p.WriteString(text + "\n")
}

func (t para) roff(p *roffPrinter) { p.line(literals(string(t))) }

func (t code) roff(p *roffPrinter) {
	p.WriteString(".PP\n.RS 4\n.EX\n")
	for line := range strings.Lines(string(t) + "\n") {
		p.line(escape(strings.TrimSuffix(line, "\n")))
	}
	p.WriteString(".EE\n.RE\n")
}

func (t list) roff(p *roffPrinter) {
	for _, i := range t {
		p.WriteString(".TP\n")
		p.line(`\fB` + escape(i.term) + `\fP`)
		p.line(literals(i.text))
	}
}

// literals escapes a text, and prints its literal words in bold.
func literals(text string) string {
	var b strings.Builder
	for i, part := range strings.Split(text, "`") {
		if i%2 == 1 {
			b.WriteString(`\fB` + escape(part) + `\fP`)
		} else {
			b.WriteString(escape(part))
		}
	}
	return b.String()
}

var escapes = strings.NewReplacer(`\`, `\(rs`, "-", `\-`, "'", `\(aq`, "^", `\(ha`, "~", `\(ti`, "…", `\(el`)

// escape escapes what roff would read as something else.
func escape(text string) string { return escapes.Replace(text) }

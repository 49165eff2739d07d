package picture

import (
	"fmt"
	"strings"
)

// Mermaid returns the picture as a flowchart in the language Mermaid, which many sites draw
// in Markdown.
func (p Picture) Mermaid() string {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	var path []string
	links := 0
	var heavy []string
	for i := range p.families {
		g := p.families[i].graph()
		fmt.Fprintf(&b, "\tsubgraph %s[%s]\n\t\tdirection LR\n", g.prefix, mermaidText(g.title))
		for _, n := range g.nodes {
			shape := mermaidShapes[n.kind]
			fmt.Fprintf(&b, "\t\t%s%s%s%s\n", n.id, shape[0], mermaidText(n.lines...), shape[1])
			if n.taken {
				path = append(path, n.id)
			}
		}
		for _, e := range g.edges {
			arrow := " --> "
			switch {
			case e.order:
				arrow = " -.- "
			case e.taken:
				arrow = " ==> "
				heavy = append(heavy, fmt.Sprint(links))
			}
			if e.label != "" {
				arrow = strings.TrimRight(arrow, " ") + "|" + mermaidText(e.label) + "| "
			}
			fmt.Fprintf(&b, "\t\t%s%s%s\n", e.from, arrow, e.to)
			links++
		}
		b.WriteString("\tend\n")
	}
	if p.sentence != "" {
		fmt.Fprintf(&b, "\tpacket>%s]\n", mermaidText(p.sentence))
	}
	if len(path) > 0 {
		fmt.Fprintf(&b, "\tclassDef path stroke:#1a7f37,stroke-width:3px\n\tclass %s path\n", strings.Join(path, ","))
	}
	if len(heavy) > 0 {
		fmt.Fprintf(&b, "\tlinkStyle %s stroke:#1a7f37\n", strings.Join(heavy, ","))
	}
	return b.String()
}

// mermaidShapes are the brackets of nodes, by kind.
var mermaidShapes = [kinds][2]string{
	ofRule: {"[", "]"}, ofTable: {"[(", ")]"}, ofGateway: {"([", "])"}, ofDevice: {"[[", "]]"}, ofEnd: {"{{", "}}"},
}

// mermaidText returns a text of the language. Characters that could mean something are
// numbers.
func mermaidText(lines ...string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i, l := range lines {
		if i > 0 {
			b.WriteString("<br>")
		}
		for _, r := range l {
			switch {
			case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', strings.ContainsRune(" .,:/-_()", r):
				b.WriteRune(r)
			default:
				fmt.Fprintf(&b, "#%d;", r)
			}
		}
	}
	b.WriteByte('"')
	return b.String()
}

package picture

import (
	"fmt"
	"strings"
)

// DOT returns the picture in the language of Graphviz: dot -Tsvg draws it.
func (p Picture) DOT() string {
	var b strings.Builder
	b.WriteString("digraph picture {\n\trankdir=LR;\n\tnode [shape=box, fontname=\"monospace\"];\n\tedge [fontname=\"monospace\", fontsize=10];\n")
	if p.sentence != "" {
		fmt.Fprintf(&b, "\tlabel=%s;\n", dotText(p.sentence))
	}
	for i := range p.families {
		g := p.families[i].graph()
		fmt.Fprintf(&b, "\tsubgraph cluster_%s {\n\t\tlabel=%s;\n", g.prefix, dotText(g.title))
		b.WriteString("\t\tsubgraph { rank=same;")
		for _, n := range g.nodes {
			if n.kind == ofRule {
				b.WriteString(" " + n.id + ";")
			}
		}
		b.WriteString(" }\n")
		for _, n := range g.nodes {
			fmt.Fprintf(&b, "\t\t%s [label=%s, shape=%s%s];\n", n.id, dotText(n.lines...), dotShapes[n.kind], dotPath(n.taken))
		}
		for _, e := range g.edges {
			fmt.Fprintf(&b, "\t\t%s -> %s", e.from, e.to)
			switch {
			case e.order:
				b.WriteString(" [style=dotted, arrowhead=none]")
			default:
				fmt.Fprintf(&b, " [label=%s%s]", dotText(e.label), dotPath(e.taken))
			}
			b.WriteString(";\n")
		}
		b.WriteString("\t}\n")
	}
	b.WriteString("}\n")
	return b.String()
}

// dotShapes are the shapes of nodes, by kind.
var dotShapes = [kinds]string{ofRule: "box", ofTable: "cylinder", ofGateway: "ellipse", ofDevice: "cds", ofEnd: "octagon"}

// dotPath returns the attributes of what the packet takes.
func dotPath(onPath bool) string {
	if onPath {
		return ", penwidth=3, color=\"#1a7f37\""
	}
	return ""
}

// dotText returns a string of the language, with lines that are centered.
func dotText(lines ...string) string {
	var all []string
	for _, l := range lines {
		all = append(all, strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(l))
	}
	return `"` + strings.Join(all, `\n`) + `"`
}

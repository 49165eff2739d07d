package picture

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// Sizes of an SVG picture, in pixels.
const (
	svgRow    = 20  // the height of a line of text
	svgGap    = 14  // between boxes
	svgChar   = 7.3 // the width of a character
	svgMargin = 20
	svgFamily = 40 // between families
)

// The columns of an SVG picture: where they begin, and how wide their boxes are.
const (
	svgRules, svgRulesWidth       = 20, 330
	svgTables, svgTablesWidth     = 420, 330
	svgGateways, svgGatewaysWidth = 840, 240
	svgDevices, svgDevicesWidth   = 1150, 170
	svgWidth                      = svgDevices + svgDevicesWidth + svgMargin
)

// SVG returns the picture as a document of SVG.
func (p Picture) SVG() string {
	d := svgDrawing{y: svgMargin}
	if p.sentence != "" {
		d.text(&d.boxes, svgRules, d.y, "sentence", p.sentence, svgWidth-2*svgMargin)
		d.y += svgFamily
	}
	for i := range p.families {
		d.family(&p.families[i])
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="monospace" font-size="12">
`, svgWidth, d.y, svgWidth, d.y) + svgStyle + d.edges.String() + d.boxes.String() + "</svg>\n"
}

const svgStyle = `<style>
svg { background: #fff }
text { fill: #1f2328 }
.title { font-size: 16px; font-weight: bold }
.owner { fill: #656d76; font-style: italic }
rect { fill: #f6f8fa; stroke: #8c959f }
rect.device { fill: #ddf4ff }
rect.end { fill: #ffebe9 }
path { fill: none; stroke: #8c959f }
rect.path { stroke: #1a7f37; stroke-width: 3 }
path.path { stroke: #1a7f37; stroke-width: 3 }
</style>
`

// An svgDrawing is a document that is being drawn, from top to bottom.
type svgDrawing struct {
	y            int
	boxes, edges strings.Builder
}

// A port is where edges begin and end: the middle of a box's left or right side.
type port struct{ x, y int }

// family draws a family below what there is.
func (d *svgDrawing) family(f *family) {
	d.text(&d.boxes, svgRules, d.y, "title", f.title(), svgRulesWidth)
	top := d.y + svgRow + svgGap
	outs, ends := d.rules(f, top)
	ins, tables := d.tables(f, top)
	s := &svgStack{d: d, gateways: make(map[[2]string]port), boxes: make(map[string]port), gatewayTop: top, deviceTop: top}
	d.ways(f, s, tables)
	for i := range f.rules {
		r := &f.rules[i]
		for _, at := range r.tables {
			d.edge(outs[i], ins[at], r.mark == taken && f.tables[at].taken)
		}
		if len(r.tables) == 0 {
			d.edge(outs[i], s.end(r.action, r.refuses, r.mark == taken), r.mark == taken)
		}
	}
	d.y = max(ends, s.gatewayTop, s.deviceTop)
	for _, p := range tables {
		d.y = max(d.y, p.bottom)
	}
	d.y += svgFamily
}

// rules draws the rules, and returns where their edges begin and where the column ends.
func (d *svgDrawing) rules(f *family, y int) (outs []port, bottom int) {
	for i := range f.rules {
		r := &f.rules[i]
		lines := 1
		if r.owner != "" {
			lines = 2
		}
		d.box(svgRules, y, svgRulesWidth, lines, "rule", r.mark == taken)
		words := r.priority + "  " + r.selector
		if r.suppress != "" {
			words += "  " + r.suppress
		}
		d.text(&d.boxes, svgRules+8, y, "", words, svgRulesWidth-16)
		if r.owner != "" {
			d.text(&d.boxes, svgRules+8, y+svgRow, "owner", r.owner, svgRulesWidth-16)
		}
		outs = append(outs, port{svgRules + svgRulesWidth, y + svgRow/2 + 2})
		y += lines*svgRow + svgGap
	}
	return outs, y
}

// An svgTable is where a table is drawn.
type svgTable struct {
	rows   []port
	bottom int
}

// tables draws the tables, and returns where edges to them end and those of their rows
// begin.
func (d *svgDrawing) tables(f *family, y int) (ins []port, tables []svgTable) {
	for i := range f.tables {
		t := &f.tables[i]
		lines := 1 + len(t.rows)
		if t.more > 0 {
			lines++
		}
		d.box(svgTables, y, svgTablesWidth, lines, "table", t.taken)
		d.text(&d.boxes, svgTables+8, y, "", "table "+t.name, svgTablesWidth-16)
		ins = append(ins, port{svgTables, y + svgRow/2 + 2})
		var s svgTable
		for j := range t.rows {
			row := &t.rows[j]
			words := strings.Join(row.destinations, ", ")
			if row.more > 0 {
				words += fmt.Sprintf(" and %d more", row.more)
			}
			at := y + (j+1)*svgRow
			d.text(&d.boxes, svgTables+20, at, "", words, svgTablesWidth-28)
			s.rows = append(s.rows, port{svgTables + svgTablesWidth, at + svgRow/2 + 2})
		}
		if t.more > 0 {
			d.text(&d.boxes, svgTables+20, y+(lines-1)*svgRow, "owner", fmt.Sprintf("and %d other ways", t.more), svgTablesWidth-28)
		}
		y += lines*svgRow + svgGap
		s.bottom = y
		tables = append(tables, s)
	}
	return ins, tables
}

// ways draws the gateways and interfaces, and the edges of the tables' rows.
func (d *svgDrawing) ways(f *family, s *svgStack, tables []svgTable) {
	for i := range f.tables {
		for j := range f.tables[i].rows {
			row, from := &f.tables[i].rows[j], tables[i].rows[j]
			if len(row.hops) == 0 {
				d.edge(from, s.end(row.end, row.refuses, row.taken), row.taken)
			}
			for k := range row.hops {
				h := &row.hops[k]
				onPath := row.taken && h.taken
				to := s.device(h, onPath)
				if h.gateway != "" {
					to = s.gateway(h, to, onPath)
				}
				d.edge(from, to, onPath)
			}
		}
	}
}

// An svgStack is the columns of gateways and of interfaces. Each is drawn when the first
// edge to it is.
type svgStack struct {
	d                     *svgDrawing
	gateways              map[[2]string]port
	boxes                 map[string]port // interfaces and ends
	gatewayTop, deviceTop int
}

// gateway returns where edges to a gateway end. It draws the gateway's edge to its interface.
func (s *svgStack) gateway(h *hop, dev port, onPath bool) port {
	key := [2]string{h.gateway, h.dev}
	p, ok := s.gateways[key]
	if !ok {
		p = port{svgGateways, s.gatewayTop + svgRow/2 + 2}
		s.gateways[key] = p
		s.gatewayTop += svgRow + svgGap
		s.d.box(p.x, p.y-svgRow/2-2, svgGatewaysWidth, 1, "gateway", onPath)
		s.d.text(&s.d.boxes, p.x+8, p.y-svgRow/2-2, "", h.label(), svgGatewaysWidth-16)
	} else if onPath {
		s.d.frame(p.x, p.y-svgRow/2-2, svgGatewaysWidth)
	}
	if !ok || onPath {
		s.d.edge(port{svgGateways + svgGatewaysWidth, p.y}, dev, onPath)
	}
	return p
}

// device returns where edges to an interface end.
func (s *svgStack) device(h *hop, onPath bool) port {
	return s.box(h.device(), "device", onPath)
}

// end returns where edges to a verdict end.
func (s *svgStack) end(text string, refuses, onPath bool) port {
	class := "device"
	if refuses {
		class = "end"
	}
	return s.box(text, class, onPath)
}

func (s *svgStack) box(text, class string, onPath bool) port {
	p, ok := s.boxes[text]
	if !ok {
		p = port{svgDevices, s.deviceTop + svgRow/2 + 2}
		s.boxes[text] = p
		s.deviceTop += svgRow + svgGap
		s.d.box(p.x, p.y-svgRow/2-2, svgDevicesWidth, 1, class, onPath)
		s.d.text(&s.d.boxes, p.x+8, p.y-svgRow/2-2, "", text, svgDevicesWidth-16)
	} else if onPath {
		s.d.frame(p.x, p.y-svgRow/2-2, svgDevicesWidth)
	}
	return p
}

// box draws a box for some lines of text.
func (d *svgDrawing) box(x, y, w, lines int, class string, onPath bool) {
	if onPath {
		class += " path"
	}
	fmt.Fprintf(&d.boxes, "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"4\"/>\n", class, x, y, w, lines*svgRow+4)
}

// frame marks a box of one line that was drawn before as part of the path.
func (d *svgDrawing) frame(x, y, w int) {
	fmt.Fprintf(&d.boxes, "<rect class=\"path\" style=\"fill:none\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"4\"/>\n", x, y, w, svgRow+4)
}

// text draws a line of text into the box whose top is y. If it is too wide, it is cut, and
// the whole text is its title.
func (d *svgDrawing) text(b *strings.Builder, x, y int, class, text string, w int) {
	attr := ""
	if class != "" {
		attr = ` class="` + class + `"`
	}
	fmt.Fprintf(b, "<text%s x=\"%d\" y=\"%d\">", attr, x, y+svgRow-4)
	shown := []rune(text)
	if most := int(float64(w) / svgChar); len(shown) > most {
		shown = append(shown[:most-1:most-1], '…')
		b.WriteString("<title>" + xmlText(text) + "</title>")
	}
	b.WriteString(xmlText(string(shown)) + "</text>\n")
}

// edge draws a curve from one port to another.
func (d *svgDrawing) edge(from, to port, onPath bool) {
	class := ""
	if onPath {
		class = ` class="path"`
	}
	bend := (to.x - from.x) / 2
	fmt.Fprintf(&d.edges, "<path%s d=\"M%d %d C%d %d %d %d %d %d\"/>\n", class, from.x, from.y, from.x+bend, from.y, to.x-bend, to.y, to.x, to.y)
}

// xmlText escapes a text.
func xmlText(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a strings.Builder takes everything
	return b.String()
}

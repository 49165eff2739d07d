package picture

import (
	"fmt"
	"strconv"
	"strings"
)

// A kind is the kind of a node: its column in a picture.
type kind uint8

const (
	ofRule kind = iota
	ofTable
	ofGateway
	ofDevice
	ofEnd // where packets end: this host, unreachable
	kinds
)

// A node is a node of a graph.
type node struct {
	id    string
	lines []string
	kind  kind
	taken bool
}

// An edge leads from one node to another.
type edge struct {
	from, to string
	label    string
	taken    bool
	order    bool // from a rule to the next one
}

// A graph is the nodes and edges of a family.
type graph struct {
	title string
	nodes []node
	edges []edge

	prefix string            // of IDs
	at     map[string]int    // nodes by kind and text
	edgeAt map[[2]string]int // edges by their ends
}

// graph returns the family as a graph.
func (f *family) graph() *graph {
	g := &graph{title: f.title(), prefix: strings.ToLower(f.title()), at: make(map[string]int), edgeAt: make(map[[2]string]int)}
	last := ""
	for i := range f.rules {
		id := g.rule(f, i)
		if last != "" {
			g.edges = append(g.edges, edge{from: last, to: id, order: true})
		}
		last = id
	}
	for i := range f.tables {
		t := &f.tables[i]
		id := g.table(f, i)
		for j := range t.rows {
			g.row(id, &t.rows[j])
		}
		if t.more > 0 {
			g.connect(id, g.node(ofEnd, fmt.Sprintf("and %d other ways of %s", t.more, t.name), false), "", false)
		}
	}
	return g
}

// rule adds a rule and its edges.
func (g *graph) rule(f *family, i int) string {
	r := &f.rules[i]
	id := fmt.Sprintf("%s_rule_%d", g.prefix, i)
	n := node{id: id, lines: []string{r.priority + ": " + r.selector}, kind: ofRule, taken: r.mark == taken}
	if r.owner != "" {
		n.lines = append(n.lines, r.owner)
	}
	if r.mark == tried {
		n.lines = append(n.lines, r.result)
	}
	g.nodes = append(g.nodes, n)
	for _, at := range r.tables {
		g.edges = append(g.edges, edge{from: id, to: g.table(f, at), label: r.suppress, taken: n.taken && f.tables[at].taken})
	}
	if len(r.tables) == 0 {
		g.connect(id, g.node(ofEnd, r.action, n.taken), "", n.taken)
	}
	return id
}

// table returns the node of a table, and adds it if it is new.
func (g *graph) table(f *family, i int) string {
	t := &f.tables[i]
	return g.node(ofTable, "table "+t.name, t.taken)
}

// row adds the edges of a row.
func (g *graph) row(from string, r *row) {
	label := strings.Join(r.destinations, ", ")
	if r.more > 0 {
		label += fmt.Sprintf(" and %d more", r.more)
	}
	if len(r.hops) == 0 {
		g.connect(from, g.node(ofEnd, r.end, r.taken), label, r.taken)
	}
	for i := range r.hops {
		h := &r.hops[i]
		onPath := r.taken && h.taken
		dev := g.node(ofDevice, h.device(), onPath)
		to, words := dev, label
		if h.weight != "" {
			words += " weight " + h.weight
		}
		if h.gateway != "" {
			// One address on two links is two routers.
			to = g.nodeOf(ofGateway, h.gateway+"\x00"+h.dev, h.gateway, onPath)
			g.link(to, dev, onPath)
		}
		g.connect(from, to, words, onPath)
	}
}

// node returns the node with a text, and adds it if it is new.
func (g *graph) node(k kind, text string, onPath bool) string { return g.nodeOf(k, text, text, onPath) }

func (g *graph) nodeOf(k kind, key, text string, onPath bool) string {
	key = strconv.Itoa(int(k)) + key
	i, ok := g.at[key]
	if !ok {
		i = len(g.nodes)
		g.at[key] = i
		g.nodes = append(g.nodes, node{id: fmt.Sprintf("%s_%d", g.prefix, i), lines: []string{text}, kind: k})
	}
	g.nodes[i].taken = g.nodes[i].taken || onPath
	return g.nodes[i].id
}

// connect adds an edge.
func (g *graph) connect(from, to, label string, onPath bool) {
	g.edges = append(g.edges, edge{from: from, to: to, label: label, taken: onPath})
}

// link adds an edge from a gateway to its interface once.
func (g *graph) link(from, to string, onPath bool) {
	ends := [2]string{from, to}
	i, ok := g.edgeAt[ends]
	if !ok {
		i = len(g.edges)
		g.edgeAt[ends] = i
		g.edges = append(g.edges, edge{from: from, to: to})
	}
	g.edges[i].taken = g.edges[i].taken || onPath
}

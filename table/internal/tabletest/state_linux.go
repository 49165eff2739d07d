package tabletest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
)

// Snapshot returns the state of the kernel, and the bytes of rt_tables.
func (n *Network) Snapshot() string {
	n.T.Helper()
	b, err := os.ReadFile(n.RTTablesFile())
	return n.Kernel() + fmt.Sprintf("\n%s%v", b, err)
}

// Kernel returns every rule and route of the server, as the arguments that would add
// them. Rules of ours with the same priority are of different sources: their
// order means nothing.
func (n *Network) Kernel() string {
	n.T.Helper()
	links, err := route.ListLinks(context.Background(), n.Conn)
	if err != nil {
		n.T.Fatal(err)
	}
	names := &route.Names{Links: links}
	var lines []string
	for r, err := range rule.All(context.Background(), n.Conn, rule.Filter{}) {
		if err != nil {
			n.T.Fatal(err)
		}
		line := fmt.Sprintf("%s rule %s", r.Family, r)
		i := len(lines)
		for i > 0 && r.Protocol == table.Protocol && r.From.IsSingleIP() && line < lines[i-1] &&
			strings.HasPrefix(lines[i-1], fmt.Sprintf("%s rule %d: from ", r.Family, r.Priority.Or(0))) {
			i--
		}
		lines = slices.Insert(lines, i, line)
	}
	var routes []string
	for r, err := range route.All(context.Background(), n.Conn, route.Filter{}) {
		if err != nil {
			n.T.Fatal(err)
		}
		r.CacheInfo = route.CacheInfo{}
		routes = append(routes, fmt.Sprintf("%s route %s", r.Family, r.Text(names)))
	}
	slices.Sort(routes)
	return strings.Join(append(lines, routes...), "\n")
}

// WantSnapshot fails the test unless [Network.Snapshot] still returns want.
func (n *Network) WantSnapshot(what, want string) {
	n.T.Helper()
	WantText(n.T, what+": the state is not as before", want, n.Snapshot())
}

// WantKernel fails the test unless [Network.Kernel] still returns want.
func (n *Network) WantKernel(what, want string) {
	n.T.Helper()
	WantText(n.T, what+": the kernel's state is not as before", want, n.Kernel())
}

// Table returns the rules and routes of a table, as ip(8) commands, with names.
func (n *Network) Table(id rttables.ID) string {
	n.T.Helper()
	links, err := route.ListLinks(context.Background(), n.Conn)
	if err != nil {
		n.T.Fatal(err)
	}
	var b bytes.Buffer
	for r, err := range rule.All(context.Background(), n.Conn, rule.Filter{Table: id}) {
		if err != nil {
			n.T.Fatal(err)
		}
		fmt.Fprintln(&b, "rule", r)
	}
	var routes []string
	for r, err := range route.All(context.Background(), n.Conn, route.Filter{Table: id}) {
		if err != nil {
			n.T.Fatal(err)
		}
		routes = append(routes, fmt.Sprintln("route", r.Canonical().Text(&route.Names{Links: links})))
	}
	slices.Sort(routes)
	b.WriteString(strings.Join(routes, ""))
	return b.String()
}

// WantTable fails the test unless [Network.Table] returns want.
func (n *Network) WantTable(what string, id rttables.ID, want string) {
	n.T.Helper()
	WantText(n.T, fmt.Sprintf("%s: table %d", what, id), want, n.Table(id))
}

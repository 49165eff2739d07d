package explain_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/table/explain"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// The routes that Parse makes for the addresses of a text are those that the kernel makes.
func TestKernelImplied(t *testing.T) {
	ns := lab.Test(t).NS("host")
	ns.Link("d1", ns, "p1")
	ns.Link("d2", ns, "p2")
	ns.Addr("d1", "10.1.0.2/24", "10.1.0.3/24", "10.1.1.2/16", "2001:db8:1::2/64", "2001:db8:1::3/128")
	ns.Addr("d2", "10.2.0.2/31", "10.2.1.2/32", "10.2.2.2/30", "2001:db8:2::2/127")
	w := take(t, ns)
	var short []string
	for line := range strings.Lines(w.String()) {
		if strings.HasPrefix(line, "# ip link") || strings.HasPrefix(line, "# ip address") {
			short = append(short, line)
		}
	}
	got := parse(t, strings.Join(short, ""))
	tabletest.WantText(t, "the routes", routesOf(w), routesOf(got))
}

// routesOf returns the routes of a World in order.
func routesOf(w explain.World) string {
	var lines []string
	for line := range strings.Lines(w.String()) {
		if strings.Contains(line, " route ") {
			lines = append(lines, strings.Replace(line, " append ", " add ", 1))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// A text without addresses, such as that of a snapshot, has those of its local routes.
func TestKernelDerivedAddresses(t *testing.T) {
	ns := lab.Test(t).NS("host")
	ns.Link("d1", ns, "p1")
	ns.Addr("d1", "10.1.0.2/24", "10.1.0.3/24", "2001:db8:1::2/64")
	w := take(t, ns)
	var short []string
	for line := range strings.Lines(w.String()) {
		if !strings.HasPrefix(line, "# ip address") {
			short = append(short, line)
		}
	}
	got := parse(t, strings.Join(short, ""))
	addresses := func(w explain.World) string {
		var lines []string
		for line := range strings.Lines(w.String()) {
			if strings.HasPrefix(line, "# ip address") {
				lines = append(lines, line)
			}
		}
		slices.Sort(lines)
		return strings.Join(lines, "")
	}
	tabletest.WantText(t, "the addresses", addresses(w), addresses(got))
}

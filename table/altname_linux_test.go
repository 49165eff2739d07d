package table_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// An uplink by an alternative name of its interface is the uplink by its name: the kernel
// and the text of a plan have the name, rules by the interface as well. It follows the
// interface when that gets another name.
func TestAlternativeNames(t *testing.T) {
	const long = "enx001122334455-the-port-at-the-very-left"
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		n.Server.AltName("u2", long)
		n.Server.AltName("u2", "enp0s6")
		n.Server.AltName("u1", "enp0s5")
		before := n.Snapshot()
		u := n.Uplink2(f)
		u.Also = []rule.Rule{{OIF: "u2"}, {IIF: "u1", IPProto: route.UDP}}
		byName := planOf(t, n, u)
		n.Install(u)
		installed := n.Kernel()
		for _, dev := range []string{long, "enp0s6"} {
			u.Interface, u.Also = dev, []rule.Rule{{OIF: "enp0s6"}, {IIF: "enp0s5", IPProto: route.UDP}}
			n.WantNothingToDo(u)
			n.Remove(u)
			n.WantSnapshot("Remove", before)
			if got := planOf(t, n, u); got != byName {
				t.Errorf("by %s the plan is\n%s\nand by u2\n%s", dev, got, byName)
			}
			n.Install(u)
			n.WantKernel(dev, installed)
			n.WantNothingToDo(u)
		}
		of20 := n.Table(20)
		n.Server.Down("u2")
		n.Server.Rename("u2", "wan0")
		n.Server.Up("wan0")
		if f.A2 == tabletest.IPv6.A2 {
			n.Server.Addr("wan0", f.A2+"/64") // the kernel has taken it away
		}
		n.Install(u)
		withoutPriority := func(s string) string { return priority.ReplaceAllString(s, "") }
		want := withoutPriority(strings.ReplaceAll(of20, " u2 ", " wan0 "))
		lines := strings.Split(withoutPriority(n.Table(20)), "\n") // the rule by the interface comes last
		slices.Sort(lines)
		wantLines := strings.Split(want, "\n")
		slices.Sort(wantLines)
		tabletest.WantText(t, "the table after the interface was renamed", strings.Join(wantLines, "\n"), strings.Join(lines, "\n"))
		n.WantNothingToDo(u)
		n.Remove(u)
		if got := n.Table(20); got != "" {
			t.Errorf("Remove leaves\n%s", got)
		}
	})
}

var priority = regexp.MustCompile(`\b[0-9]+: `)

// planOf returns the steps that install an uplink.
func planOf(t *testing.T, n *tabletest.Network, u table.SourceRoutedUplink) string {
	t.Helper()
	p, err := u.Plan(t.Context(), n.Conn)
	if err != nil {
		t.Fatal(err)
	}
	var steps []string
	for i := range p.Steps {
		steps = append(steps, p.Command(&p.Steps[i]))
	}
	return strings.Join(steps, "\n")
}

// The uplink's own interface is none of its SourceInterfaces by another name either.
func TestOwnInterfaceByAlternativeName(t *testing.T) {
	n := tabletest.NewNetwork(t)
	n.Server.AltName("u2", "enp0s6")
	before := n.Snapshot()
	for _, devs := range [][2]string{{"u2", "enp0s6"}, {"enp0s6", "u2"}} {
		u := n.Uplink2(tabletest.IPv4)
		u.Interface, u.SourceInterfaces = devs[0], devs[1:]
		err := u.Install(t.Context(), n.Conn)
		if err == nil || !strings.Contains(err.Error(), "SourceInterfaces: "+devs[1]+" is the uplink's own interface, "+devs[0]+":") {
			t.Errorf("%s: %v", devs, err)
		}
	}
	n.WantSnapshot("refused", before)
}

package table_test

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/plan"
)

// Two uplinks without a name have the same label if they have the same interface and
// gateway. Their steps have different owners.
func TestOwner(t *testing.T) {
	n := tabletest.NewNetwork(t)
	n.Server.Addr("u2", "10.2.0.3/24")
	one, two := n.Uplink2(tabletest.IPv4), n.Uplink2(tabletest.IPv4)
	one.Name, two.Name = "", ""
	one.Table, two.Table = 30, 31
	one.Sources, two.Sources = []netip.Addr{netip.MustParseAddr("10.2.0.2")}, []netip.Addr{netip.MustParseAddr("10.2.0.3")}
	if one.String() != two.String() {
		t.Fatalf("%s and %s: want one label", one, two)
	}
	p, err := table.PlanInstall(t.Context(), n.Conn, one, two)
	if err != nil {
		t.Fatal(err)
	}
	owners := make(map[int]int)
	for _, s := range p.Steps {
		owners[s.Owner]++
		if s.Op.IsRoute() && int(s.Route.Table) != 30+s.Owner {
			t.Errorf("step %q belongs to uplink %d", p.Command(&s), s.Owner)
		}
	}
	// END and the gate for all belong to the first.
	if len(owners) != 2 || owners[0] != owners[1]+4 {
		t.Errorf("steps by owner: %v", owners)
	}
}

// The names of all tables of a call are written to one directory: uplinks that disagree
// about it are refused.
func TestDifferentEtc(t *testing.T) {
	n := tabletest.NewNetwork(t)
	one, two := n.Uplink1(tabletest.IPv4), n.Uplink2(tabletest.IPv4)
	two.Etc = t.TempDir()
	before := n.Snapshot()
	err := table.Install(t.Context(), n.Conn, one, two)
	var field *plan.FieldError
	if !errors.As(err, &field) || field.Field != "Etc" || field.Uplink != two.String() {
		t.Errorf("uplinks with different directories: %v", err)
	}
	n.WantSnapshot("refused", before)
}

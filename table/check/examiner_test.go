package check

import (
	"slices"
	"testing"

	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/internal/uplink"
)

// examine returns the examiner of a host without interfaces, rules and routes.
func examine(f *facts) *examiner {
	f.now = host.Make(nil, nil, nil, nil, nil)
	return newExaminer(f, newPaths(f))
}

// What could not be read is found, last, and an uplink that would be refused
// for a reason that is another finding is not found twice.
func TestFindingsOrder(t *testing.T) {
	u := uplink.Spec{Name: "lan2", Interface: "eth9"}
	e := examine(&facts{
		uplinks: []uplinkFacts{{spec: &u, refused: u.FieldError("Interface", "the interface %q does not exist", "eth9")}},
		unread:  []string{"net.ipv4.conf could not be read: no"},
		system:  systemFacts{networkd: networkdState{running: true, rules: true}},
	})
	var got []Code
	for _, f := range e.findings() {
		got = append(got, f.Code)
	}
	want := []Code{CodeInterfaceMissing, CodeAbsent, CodeForeignRules, CodeNotRead}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	text := e.findings()[0].String()
	if want := "uplink lan2: fault (interface-missing): the interface eth9 does not exist"; text != want {
		t.Errorf("got %q, want %q", text, want)
	}
}

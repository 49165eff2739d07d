package maintain_test

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/maintain"
	"github.com/policyroute/policyroute/table/plan"
)

// An event has the steps that were done: a name that could not be written is none of
// them, and its error is that of the event.
func TestNameThatCannotBeWritten(t *testing.T) {
	n := tabletest.NewNetwork(t)
	u := n.Uplink2(tabletest.IPv4)
	u.Etc = filepath.Join(n.RTTablesFile(), "etc")
	k := newKeeper(n, maintain.Config{}, maintain.Uplink{SourceRoutedUplink: u})
	events := k.log()
	i := slices.IndexFunc(events, func(e maintain.Event) bool { return e.Kind == maintain.EventInstalled })
	if i < 0 {
		t.Fatalf("it is not installed:\n%s", k.text())
	}
	e := events[i]
	var name *plan.NameError
	if !errors.As(e.Err, &name) || name.Table != 20 || name.Name != "lan2" {
		t.Errorf("got the error %v, want a *NameError", e.Err)
	}
	if len(e.Plan.Steps) == 0 || slices.ContainsFunc(e.Plan.Steps, func(s plan.Step) bool { return s.Op.IsName() }) {
		t.Errorf("got the steps\n%swant them without a name", e.Plan)
	}
}

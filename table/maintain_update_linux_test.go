package table_test

import (
	"runtime"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table"
)

// Update changes what differs and removes what is gone. At the end everything goes
// if it is asked for, and nothing that Maintain has opened or begun is left.
func TestMaintainUpdateAndEnd(t *testing.T) {
	n := newNetwork(t)
	before := n.snapshot()
	goroutines := runtime.NumGoroutine()
	update := make(chan []table.MaintainedUplink)
	k := n.maintain(table.MaintainConfig{Remove: true, Update: update},
		maintained(n.uplink1(ip4), n.uplink2(ip4), n.uplink2(ip6))...)
	changed := n.uplink2(ip4)
	changed.MainFirst = true
	from := len(k.log())
	update <- maintained(changed)
	k.awaitKind(from, table.EventReady)
	n.wantPlan("update", "\n", changed)
	if got := n.ours(10); got != "" {
		t.Errorf("an uplink that is gone is not removed:\n%s", got)
	}
	if got := n.ours(20); strings.Contains(got, "2001:db8") {
		t.Errorf("a family that is gone is not removed:\n%s", got)
	}
	// What cannot be is refused.
	from = len(k.log())
	update <- maintained(table.SourceRoutedUplink{Name: "x"})
	k.awaitKind(from, table.EventFailed)
	n.wantPlan("a refused update", "\n", changed)
	k.stop()
	n.unchanged("the end", before)
	k.until("goroutines end", func() bool { return runtime.NumGoroutine() <= goroutines })

	// Without Remove they stay.
	k = n.maintain(table.MaintainConfig{}, maintained(changed)...)
	k.stop()
	n.wantPlan("the end without Remove", "\n", changed)
}

// What cannot be is refused at once.
func TestMaintainRefuses(t *testing.T) {
	n := newNetwork(t)
	u := n.uplink2(ip4)
	for name, uplinks := range map[string][]table.MaintainedUplink{
		"Interface": maintained(table.SourceRoutedUplink{}),
		"Name":      maintained(u, u),
		"Table":     maintained(u, func() table.SourceRoutedUplink { o := n.uplink1(ip4); o.Table = u.Table; return o }()),
		"Sources":   maintained(u, func() table.SourceRoutedUplink { o := u; o.Name, o.Table = "x", 9; return o }()),
		"Learn":     {{SourceRoutedUplink: u, Learn: route.IPv4}},
	} {
		err := table.Maintain(t.Context(), nil, nil, uplinks...)
		if e, ok := err.(*table.FieldError); !ok || e.Field != name {
			t.Errorf("%s: %v", name, err)
		}
	}
}

package table_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/plan"
)

// Sync leaves the uplinks that it is given, takes others away, and does not touch
// what has another protocol; after a failure at any request, all is as before.
func TestSync(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		n.AddLAN()
		foreign := n.Uplink2(f)
		foreign.Name, foreign.Table, foreign.Protocol = "", 77, 211
		foreign.Sources = []netip.Addr{netip.MustParseAddr(f.A1)}
		n.Install(foreign)
		before := n.Snapshot()
		u1, u2 := n.Uplink1(f), n.FullUplink(f)
		n.Install(u1, u2)
		both := n.Snapshot()
		for k := 1; ; k++ {
			rec := &tabletest.Recorder{Conn: n.Conn, Fail: func(seen int, _ netlink.Message) error {
				if seen == k {
					return tabletest.ErrInjected
				}
				return nil
			}}
			err := table.Sync(t.Context(), rec, u1)
			if err == nil {
				break
			}
			if !errors.Is(err, tabletest.ErrInjected) {
				t.Fatal(err)
			}
			n.WantSnapshot(err.Error(), both)
		}
		n.WantNothingToDo(u1)
		if n.Table(20) != "" {
			t.Errorf("the other uplink is still there:\n%s", n.Kernel())
		}
		// The interface of an address is another now, and the old uplink is gone
		// in the same call.
		u1.Sources = []netip.Addr{netip.MustParseAddr(f.A2)}
		n.Install(u2) // u1 is still installed
		before2 := n.Matrix(f, f.A2)
		w := &tabletest.Watcher{Socket: n.Conn, Look: func() string { return n.Matrix(f, f.A2) }}
		if err := table.Sync(t.Context(), w, u1); err != nil {
			t.Fatal(err)
		}
		steps, last := 0, before2
		for _, s := range w.States {
			if s != last {
				steps, last = steps+1, s
			}
		}
		if steps != 1 {
			t.Errorf("%d requests change where packets go, want 1", steps)
		}
		n.Remove(u1)
		n.WantSnapshot("Remove", before)
	})
}

// SyncIn without uplinks removes the names in the directory that is given. Uplinks have to
// agree with it.
func TestSyncIn(t *testing.T) {
	n := tabletest.NewNetwork(t)
	before := n.Snapshot()
	n.Install(n.BothFamilies()...)
	installed := n.Snapshot()
	err := table.SyncIn(t.Context(), n.Conn, "/elsewhere", n.Uplink1(tabletest.IPv4))
	var field *plan.FieldError
	if !errors.As(err, &field) || field.Field != "Etc" {
		t.Errorf("another directory: %v, want a *FieldError of Etc", err)
	}
	n.WantSnapshot("SyncIn with another directory", installed)
	if err := table.SyncIn(t.Context(), n.Conn, n.Etc); err != nil {
		t.Error(err)
	}
	n.WantSnapshot("SyncIn without uplinks", before)
}

// Sync removes what leads to a table of ours, and what belongs to that. Rules and routes
// of our protocol that lead to no table of ours stay.
func TestSyncByTable(t *testing.T) {
	n := tabletest.NewNetwork(t)
	stays, goes := []string{
		"inet rule 101: from 10.9.0.2 lookup main suppress_prefixlength 0 proto 210",
		"inet rule 102: from 10.9.0.3 unreachable proto 210",
		"inet rule 103: from all fwmark 0x5 lookup main suppress_prefixlength 1 proto 210",
		"inet rule 104: from all fwmark 0x6 prohibit proto 210",
		"inet rule 105: from 10.8.0.0/16 lookup 77 proto 211",
		"inet route unreachable 10.6.0.0/16 proto 210",
		"inet route unreachable 10.7.0.0/16 table 77 proto static",
	}, []string{
		"inet rule 100: from 10.9.0.1 lookup main suppress_prefixlength 0 proto 210",
		"inet rule 101: from 10.9.0.1 lookup 77 proto 210",
		"inet rule 102: from 10.9.0.1 unreachable proto 210",
		"inet rule 106: from all fwmark 0x7 lookup main suppress_prefixlength 1 proto 210",
		"inet rule 107: from all fwmark 0x7 lookup 77 proto 210",
		"inet rule 108: from 10.8.0.0/16 lookup 78 proto 210",
		"inet route unreachable 10.5.0.0/16 table 77 proto 210",
		"inet route unreachable 10.5.0.0/16 table 79 proto 210",
	}
	for _, line := range append(stays, goes...) {
		object, words, _ := strings.Cut(strings.TrimPrefix(line, "inet "), " ")
		add := n.AddRule
		if object == "route" {
			add = n.AddRoute
		}
		if err := add(words); err != nil {
			t.Fatal(err)
		}
	}
	if err := table.Sync(t.Context(), n.Conn); err != nil {
		t.Fatal(err)
	}
	after := strings.Split(n.Kernel(), "\n")
	for _, line := range stays {
		if !slices.Contains(after, line) {
			t.Errorf("%s is gone", line)
		}
	}
	for _, line := range goes {
		if slices.Contains(after, line) {
			t.Errorf("%s is still there", line)
		}
	}
}

package maintain_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/maintain"
	"github.com/policyroute/policyroute/table/plan"
)

// sharedRoute is the shared default over the second uplink.
func sharedRoute(f tabletest.Family, where string) string {
	return "default via " + f.G2 + " dev u2 " + where
}

// An update can ask for a shared default, for one in another place, and for none. There is
// always one in between, and at the end exactly one, in the right place.
func TestSharedDefaultUpdate(t *testing.T) {
	t.Parallel()
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		deleteDefault(n, f)
		id := route.FamilyOf(netip.MustParseAddr(f.A1))
		ctx, cancel := context.WithTimeout(t.Context(), 5*tabletest.Patience)
		defer cancel()
		events, err := route.Watch(ctx, n.Server.Config(), route.Filter{Family: id, Protocol: table.Protocol})
		if err != nil {
			t.Fatal(err)
		}
		update := make(chan maintain.Update)
		u := weighted(maintained(n.Uplink2(f))[0], 1)
		k := newKeeper(n, maintain.Config{Update: update, Remove: true, Rate: 1000}, u)
		ask := func(what string, d *maintain.Default, want map[rttables.ID]string) {
			t.Helper()
			from := len(k.log())
			update <- maintain.Update{Uplinks: []maintain.Uplink{u}, Default: d}
			k.awaitKind(from, maintain.EventReady)
			for _, id := range []rttables.ID{rttables.Main, 5} {
				if diff := tabletest.Diff(want[id], sharedDefault(n, f, id)); diff != "" {
					t.Fatalf("%s: in table %v (-want +got):\n%s\n%s", what, id, diff, k.text())
				}
			}
		}
		type in = map[rttables.ID]string
		ask("none", nil, nil)
		ask("asked for", new(maintain.Default), in{rttables.Main: sharedRoute(f, "proto 210 metric 50")})
		ask("another metric", &maintain.Default{Metric: 7}, in{rttables.Main: sharedRoute(f, "proto 210 metric 7")})
		ask("another table", &maintain.Default{Table: 5}, in{5: sharedRoute(f, "table 5 proto 210 metric 50")})
		ask("back", &maintain.Default{Metric: 7}, in{rttables.Main: sharedRoute(f, "proto 210 metric 7")})

		// Its table becomes an uplink's.
		ask("another table", &maintain.Default{Table: 5}, in{5: sharedRoute(f, "table 5 proto 210 metric 50")})
		u.Table = 5
		from := len(k.log())
		update <- sharing(u)
		k.awaitKind(from, maintain.EventReady)
		if got := sharedDefault(n, f, rttables.Main); got != sharedRoute(f, "proto 210 metric 50") {
			t.Errorf("in main there is %q", got)
		}
		k.settles(u.SourceRoutedUplink)
		u.Table = 20
		ask("the uplink as before", &maintain.Default{Metric: 7}, in{rttables.Main: sharedRoute(f, "proto 210 metric 7")})

		ask("none again", nil, nil)
		k.settles(u.SourceRoutedUplink)
		k.stop()
		if strings.Contains(n.Kernel(), "proto 210") {
			t.Errorf("something is left:\n%s", n.Kernel())
		}

		// Where it moves, the new one comes first.
		var story []string
		for e, err := range events {
			if err != nil {
				t.Fatalf("it went %q: %v", story, err)
			}
			switch {
			case e.Route.Priority == 7:
				story = append(story, e.Kind.String()+" 7")
			case e.Route.Priority == 50:
				story = append(story, e.Kind.String()+" 50 in "+e.Route.Table.String())
			}
			if len(story) == 14 {
				break
			}
		}
		if want := []string{
			"added 50 in main", "added 7", "deleted 50 in main", "added 50 in 5", "deleted 7", "added 7", "deleted 50 in 5",
			"added 50 in 5", "deleted 7", "deleted 50 in 5", "added 50 in main", "added 7", "deleted 50 in main", "deleted 7",
		}; !slices.Equal(story, want) {
			t.Errorf("it went %q, want %q", story, want)
		}
	})
}

// Another process finds the shared default in a table that no rule leads to, and leaves it
// alone.
func TestSharedDefaultAgain(t *testing.T) {
	t.Parallel()
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		config := maintain.Config{Default: &maintain.Default{Table: 5}}
		u := weighted(maintained(n.Uplink2(f))[0], 1)
		newKeeper(n, config, u).stop()
		k := newKeeper(n, config, u)
		if got := sharedDefault(n, f, 5); k.counters.Steps.Load() != 0 || got != sharedRoute(f, "table 5 proto 210 metric 50") {
			t.Errorf("in table 5 there is %q\n%s", got, k.text())
		}
	})
}

// The old default stays while the new one is in conflict with another route. A default
// that is refused changes nothing.
func TestSharedDefaultUpdateRefused(t *testing.T) {
	t.Parallel()
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		deleteDefault(n, f)
		inTheWay := route.Route{Gateway: netip.MustParseAddr(f.G1), Priority: 9, Protocol: 99}
		if err := route.Add(t.Context(), n.Conn, inTheWay); err != nil {
			t.Fatal(err)
		}
		update := make(chan maintain.Update)
		all := []maintain.Uplink{weighted(maintained(n.Uplink2(f))[0], 1)}
		old := &maintain.Default{Table: 1}
		k := newKeeper(n, maintain.Config{Update: update, Remove: true, Rate: 1000, Default: old}, all...)
		there := sharedRoute(f, "table 1 proto 210 metric 50")
		from := len(k.log())
		for _, d := range []maintain.Default{{Table: 20}, {Protocol: 99}, {Table: rttables.Local}} {
			update <- maintain.Update{Uplinks: all, Default: &d}
			from = k.await(from, "refused", func(e maintain.Event) bool {
				var field *plan.FieldError
				return e.Kind == maintain.EventUpdateRefused && errors.As(e.Err, &field)
			})
		}
		// An uplink without a table does not take that of the old one.
		anywhere := n.Uplink1(f)
		anywhere.Name, anywhere.Table = "", 0
		all = append(all, maintained(anywhere)...)
		update <- maintain.Update{Uplinks: all, Default: &maintain.Default{Metric: 9}}
		from = k.await(from, "a conflict", func(e maintain.Event) bool {
			var conflict *plan.ConflictError
			return e.Kind == maintain.EventFailed && errors.As(e.Err, &conflict)
		})
		from = k.awaitKind(from, maintain.EventReady)
		if got := sharedDefault(n, f, 1); got != there {
			t.Errorf("in table 1 there is %q, want %q", got, there)
		}
		// It is asked for again.
		update <- maintain.Update{Uplinks: all, Default: old}
		k.awaitKind(from, maintain.EventReady)
		if strings.Contains(k.text(), "route del default") || sharedDefault(n, f, 1) != there {
			t.Errorf("in table 1 there is %q\n%s", sharedDefault(n, f, 1), k.text())
		}
		update <- maintain.Update{Uplinks: all, Default: &maintain.Default{Metric: 9}}
		if got := n.Table(2); strings.Count(got, "route default") != 1 {
			t.Errorf("in table 2 there is\n%s", got)
		}
		if err := route.Delete(t.Context(), n.Conn, inTheWay); err != nil {
			t.Fatal(err)
		}
		k.awaitDefault(f, "nothing is in the way", sharedRoute(f, "proto 210 metric 9"))
		k.until("the old one is gone", func() bool { return sharedDefault(n, f, 1) == "" })
		k.await(from, "it is told", func(e maintain.Event) bool {
			return e.Kind == maintain.EventRepaired && strings.Contains(e.String(), "route del default via "+f.G2+" dev u2 table 1")
		})
		// The end takes away the old one as well.
		inTheWay.Priority = 10
		if err := route.Add(t.Context(), n.Conn, inTheWay); err != nil {
			t.Fatal(err)
		}
		from = len(k.log())
		update <- maintain.Update{Uplinks: all, Default: &maintain.Default{Metric: 10}}
		from = k.await(from, "another conflict", func(e maintain.Event) bool { return e.Kind == maintain.EventFailed })
		k.awaitKind(from, maintain.EventReady)
		if got := sharedDefault(n, f, rttables.Main); got != sharedRoute(f, "proto 210 metric 9") {
			t.Errorf("in main there is %q", got)
		}
		// None at all, then: that is told once, though there were two.
		from = len(k.log())
		update <- maintain.Update{Uplinks: all}
		k.awaitKind(from, maintain.EventReady)
		told := slices.DeleteFunc(k.log()[from:], func(e maintain.Event) bool { return e.Uplink != "(default)" })
		if len(told) != 1 || told[0].Kind != maintain.EventRemoved {
			t.Errorf("it tells %v", told)
		}
		k.stop()
		if strings.Contains(n.Kernel(), "proto 210") {
			t.Errorf("something is left:\n%s", n.Kernel())
		}
	})
}

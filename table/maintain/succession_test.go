package maintain

import (
	"fmt"
	"slices"
	"testing"

	"github.com/policyroute/policyroute/rttables"
)

// Which new uplinks succeed which old ones, and what they know then: the table that they
// are in, and the one that they are to be moved from.
func TestSuccession(t *testing.T) {
	type spec struct {
		name, dev string
		table     rttables.ID
	}
	uplinks := func(specs []spec) (all []*maintainedUplink) {
		for _, s := range specs {
			k := new(maintainedUplink)
			k.Name, k.Interface, k.Table = s.name, s.dev, s.table
			all = append(all, k)
		}
		return all
	}
	for _, tt := range []struct {
		name          string
		old, declared []spec
		left          []int    // of old
		want          []string // of declared: in a table, from a table
	}{
		{"the same in another order", []spec{{"a", "x", 1}, {"b", "y", 2}}, []spec{{"b", "y", 2}, {"a", "x", 1}}, nil, []string{"2 0", "1 0"}},
		{"another table", []spec{{"a", "x", 1}}, []spec{{"a", "x", 3}}, nil, []string{"0 1"}},
		{"any table", []spec{{"a", "x", 1}}, []spec{{"a", "x", 0}}, nil, []string{"1 0"}},
		{"another interface", []spec{{"a", "x", 1}}, []spec{{"a", "y", 1}}, nil, []string{"0 0"}},
		{"another interface and table", []spec{{"a", "x", 1}}, []spec{{"a", "y", 3}}, []int{0}, []string{"0 0"}},
		{"another name", []spec{{"a", "x", 1}}, []spec{{"b", "x", 1}}, []int{0}, []string{"0 0"}},
		{"no name", []spec{{"", "x", 1}}, []spec{{"", "x", 5}}, nil, []string{"0 1"}},
		{"one goes", []spec{{"a", "x", 1}, {"b", "y", 2}}, []spec{{"b", "y", 2}}, []int{0}, []string{"2 0"}},
		{"one comes", []spec{{"b", "y", 2}}, []spec{{"a", "x", 1}, {"b", "y", 2}}, nil, []string{"0 0", "2 0"}},
	} {
		old, declared := uplinks(tt.old), uplinks(tt.declared)
		for _, k := range old {
			k.memory.table = k.Table
		}
		left := succession(old, declared)
		var want []*maintainedUplink
		for _, i := range tt.left {
			want = append(want, old[i])
		}
		if !slices.Equal(left, want) {
			t.Errorf("%s: %d are left, want %d", tt.name, len(left), len(want))
		}
		for i, k := range declared {
			if got := fmt.Sprintf("%d %d", uint32(k.memory.table), uint32(k.memory.oldTable)); got != tt.want[i] {
				t.Errorf("%s: uplink %d is in, and from, the tables %s, want %s", tt.name, i, got, tt.want[i])
			}
		}
	}
}

//go:build linux

package route

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/rttables"
)

func TestKernelFilter(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	ns, c := kernel(t)
	add(t, c, "default via 192.168.1.1 dev if3 table 10", "10.0.0.0/8 via 192.168.2.1 dev if5 table 10 proto 99",
		"unreachable 10.1.0.0/16 table 10 proto 99", "default table 300 proto 99 nexthop dev if3 nexthop dev if5",
		"-6 default via fe80::9 dev if5 table 10", "2001:db8:aa::/48 via 2001:db8:1::1 table 300 proto 99",
		"unreachable 2001:db8:bb::/48 table 300", "throw 10.2.0.0/16 table 4294967295")
	all, err := List(t.Context(), c, Filter{})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, f := range filters() {
		var want []string
		for _, r := range all {
			if selects(f, r) {
				want = append(want, r.String())
			}
		}
		if len(want) > 0 {
			n++
		}
		for name, c := range conns(t, ns) {
			routes, err := List(t.Context(), c, f)
			if err != nil {
				report.Errorf("%s %+v: %v", name, f, err)
			}
			var got []string
			for _, r := range routes {
				got = append(got, r.String())
			}
			slices.Sort(got) // a table's order is not the order within all
			slices.Sort(want)
			if diff := testrun.Cut(cmp.Diff(want, got)); diff != "" {
				report.Errorf("%s %+v (-want +got):\n%s", name, f, diff)
			}
		}
	}
	if n < 50 {
		report.Errorf("only %d filters select something", n)
	}
}

// filters are all combinations of some values, and none, for each field.
func filters() (all []Filter) {
	for _, family := range []Family{0, IPv4, IPv6} {
		for _, table := range []rttables.ID{0, 10, 300, rttables.Main, 77} {
			for _, proto := range []Protocol{0, 99, ProtoKernel} {
				for _, typ := range []Type{0, TypeUnicast, TypeUnreachable} {
					for _, oif := range []uint32{0, eth0, eth1} {
						all = append(all, Filter{Family: family, Table: table, Protocol: proto, Type: typ, OIF: oif})
					}
				}
			}
		}
	}
	return all
}

// selects says again what a Filter means.
func selects(f Filter, r Route) bool {
	if f.Family != 0 && r.Family != f.Family || f.Table != 0 && r.Table != f.Table {
		return false
	}
	if f.Protocol != 0 && r.Protocol != f.Protocol || f.Type != 0 && r.Type != f.Type {
		return false
	}
	out := []uint32{r.OIF}
	for _, nh := range r.Multipath {
		out = append(out, nh.OIF)
	}
	return f.OIF == 0 || slices.Contains(out, f.OIF)
}

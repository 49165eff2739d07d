package nexthop_test

import (
	"testing"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/nexthop"
)

// FuzzUnmarshal: whatever is decoded comes back from bytes and from
// text.
func FuzzUnmarshal(f *testing.F) {
	for _, tt := range sent {
		f.Add(unhex(f, tt.payload))
	}
	for _, tt := range reported {
		f.Add(unhex(f, tt.payload))
	}
	for num := range uint16(uapi.NHA_HW_STATS_USED) + 1 {
		header := []byte{uapi.AF_INET, 7: 0}
		f.Add(attr.Append(header, num, nil))
		f.Add(attr.Append(header, num, []byte{1, 2, 3, 4}))
		f.Add(attr.Append(header, num, []byte{8, 0, 99, 0, 1, 2, 3, 4}))
	}
	var seeds testrun.Seeds
	f.Fuzz(func(t *testing.T, b []byte) {
		seeds.Next(t)
		var n nexthop.Object
		if err := n.UnmarshalBinary(b); err != nil {
			if !n.Equal(nexthop.Object{}) {
				t.Fatalf("%v, and %+v", err, n)
			}
			return
		}
		fuzzNextHop(t, n)
	})
}

// FuzzParse: whatever is parsed comes back from text and, if it can be
// sent, from bytes.
func FuzzParse(f *testing.F) {
	for _, tt := range sent {
		f.Add(tt.words)
	}
	for _, tt := range reported {
		f.Add(tt.words)
	}
	f.Add("-f 99 id 5 scope 3 dead flags 0x40 resilient_attribute 99 00 attribute 60 0102 unbalanced_time 0.01")
	var seeds testrun.Seeds
	f.Fuzz(func(t *testing.T, s string) {
		seeds.Next(t)
		n, err := nexthop.Parse(s, nil)
		if err != nil {
			if !n.Equal(nexthop.Object{}) {
				t.Fatalf("%v, and %+v", err, n)
			}
			return
		}
		if _, err := n.MarshalBinary(); err == nil {
			fuzzNextHop(t, n)
			return
		}
		if back := parseNextHop(t, n.String()); !back.Equal(n) {
			t.Fatalf("%q is\n%+v, want\n%+v", n, back, n)
		}
	})
}

// fuzzNextHop is checkNextHop without what is not written, and with what is
// unset as the verbs and text have it.
func fuzzNextHop(t *testing.T, n nexthop.Object) {
	b, err := n.MarshalBinary()
	if err != nil {
		t.Fatalf("%+v: %v", n, err)
	}
	n.Flags &= route.FlagOnLink | route.FlagPervasive
	var back nexthop.Object
	if err := back.UnmarshalBinary(b); err != nil || !back.Equal(n) {
		t.Fatalf("%x: %v\n got %+v\nwant %+v", b, err, back, n)
	}
	c := n.Canonical()
	n.Family, n.Group = c.Family, c.Group
	checkNextHop(t, n)
}

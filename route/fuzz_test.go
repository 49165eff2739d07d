package route

import (
	"testing"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/corpus"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
)

// FuzzUnmarshalRoute: whatever is decoded comes back from bytes and from text.
func FuzzUnmarshalRoute(f *testing.F) {
	for _, c := range readCorpus(f) {
		for _, payload := range c.Kernel {
			f.Add([]byte(payload))
		}
		if len(c.Request) > 0 {
			f.Add([]byte(c.Request[corpus.Header:]))
		}
	}
	for num := range uint16(uapi.RTA_FLOWLABEL) + 1 {
		for _, family := range []byte{uapi.AF_INET, uapi.AF_INET6, uapi.AF_MPLS} {
			header := []byte{family, 11: 0}
			f.Add(attr.Append(header, num, []byte{1, 2, 3, 4}))
			f.Add(attr.Append(header, num, make([]byte, 32)))
		}
	}
	var seeds testrun.Seeds
	f.Fuzz(func(t *testing.T, b []byte) {
		seeds.Next(t)
		checkFast(t, b)
		var r Route
		if err := r.UnmarshalBinary(b); err != nil {
			if !r.Equal(Route{}) {
				t.Fatalf("%v, and %+v", err, r)
			}
			return
		}
		r.Canonical()
		if r.Family != 0 { // no message has that
			text := r
			if text.Type == 0 {
				text.Type = TypeUnicast
				if text.Scope == ScopeGlobal {
					text.Scope = text.defaultScope()
				}
			}
			if text.Table == 0 {
				text.Table = defaultTable(text.Type)
			}
			checkText(t, text)
			if back := parse(t, r.String()); !back.Equal(text) {
				t.Fatalf("%q is %q, want %q", r, back, text)
			}
		}
		r.Flags &= sentFlags // the others are not written
		for i := range r.Multipath {
			r.Multipath[i].Flags &= sentFlags
		}
		checkBytes(t, r)
	})
}

// FuzzParseRoute: whatever is parsed comes back from text and, if it can be
// sent, from bytes.
func FuzzParseRoute(f *testing.F) {
	for _, c := range readCorpus(f) {
		f.Add(c.Words())
		if r, err := Parse(c.Words(), names); err == nil {
			f.Add(r.String())
		}
	}
	f.Add("-f mpls default via inet 10.0.0.1 dev if5 attribute 1 00064140 nexthop dev if1 attribute 60 01")
	var seeds testrun.Seeds
	f.Fuzz(func(t *testing.T, s string) {
		seeds.Next(t)
		r, err := Parse(s, nil)
		if err != nil {
			if !r.Equal(Route{}) {
				t.Fatalf("%v, and %+v", err, r)
			}
			return
		}
		if r.Family == 0 {
			r.Family = r.family()
		}
		if r.Type == 0 {
			r = parse(t, r.String()) // "type none" is unset, and unset prints as unicast
		}
		if r.Table == 0 {
			r.Table = defaultTable(r.Type)
		}
		checkText(t, r)
		r.Flags &= sentFlags
		for i := range r.Multipath {
			r.Multipath[i].Flags &= sentFlags
		}
		if _, err := r.MarshalBinary(); err == nil {
			checkBytes(t, r)
		}
	})
}

func checkBytes(t *testing.T, r Route) {
	t.Helper()
	b, err := r.MarshalBinary()
	if err != nil {
		t.Fatalf("%s: %v", r, err)
	}
	var back Route
	if err := back.UnmarshalBinary(b); err != nil || !back.Equal(r) {
		t.Fatalf("%x: %v\n got %+v\nwant %+v", b, err, back, r)
	}
}

func checkText(t *testing.T, r Route) {
	t.Helper()
	back, err := Parse(r.String(), nil)
	if err != nil || !back.Equal(r) {
		t.Fatalf("%q: %v\n got %+v\nwant %+v", r, err, back, r)
	}
}

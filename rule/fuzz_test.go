package rule

import (
	"testing"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/corpus"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// FuzzUnmarshalRule: whatever is decoded comes back from bytes and from text.
func FuzzUnmarshalRule(f *testing.F) {
	for _, c := range readCorpus(f) {
		for _, payload := range c.Kernel {
			f.Add([]byte(payload))
		}
		if len(c.Request) > 0 {
			f.Add([]byte(c.Request[corpus.Header:]))
		}
	}
	for num := range uint16(uapi.FRA_DSCP_MASK) + 1 {
		header := []byte{uapi.AF_INET, 11: 0}
		f.Add(attr.Append(header, num, []byte{1, 2, 3, 4}))
		f.Add(attr.Append(header, num, []byte{1, 2, 3, 4, 5, 6, 7, 8}))
	}
	var seeds testrun.Seeds
	f.Fuzz(func(t *testing.T, b []byte) {
		seeds.Next(t)
		checkFastPath(t, b)
		var r Rule
		if err := r.UnmarshalBinary(b); err != nil {
			if r != (Rule{}) {
				t.Fatalf("%v, and %+v", err, r)
			}
			return
		}
		r.Flags = 0 // neither written nor printed
		checkBytes(t, r)
		// What is unset prints as what the verbs make of it.
		if r.Family == 0 {
			r.Family = route.IPv4
		}
		if r.Action == 0 {
			r.setDefaults()
		}
		checkText(t, r)
		r.Canonical()
	})
}

// FuzzParseRule: whatever is parsed comes back from text and, if it can be
// sent, from bytes.
func FuzzParseRule(f *testing.F) {
	for _, c := range readCorpus(f) {
		f.Add(c.Words())
		if r, err := Parse(c.Words(), nil); err == nil {
			f.Add(r.String())
		}
	}
	f.Add("-f 99 5: not from 10/255.0.0.0 attribute 60 0102 type none")
	var seeds testrun.Seeds
	f.Fuzz(func(t *testing.T, s string) {
		seeds.Next(t)
		r, err := Parse(s, nil)
		if err != nil {
			if r != (Rule{}) {
				t.Fatalf("%v, and %+v", err, r)
			}
			return
		}
		if r.Action == 0 {
			r.setDefaults()
		}
		checkText(t, r)
		if _, err := r.MarshalBinary(); err == nil {
			if r.Action == ActionNone { // in a message it is the same as an unset one
				r.Action = 0
			}
			checkBytes(t, r)
		}
	})
}

func checkBytes(t *testing.T, r Rule) {
	t.Helper()
	b, err := r.MarshalBinary()
	if err != nil {
		t.Fatalf("%+v: %v", r, err)
	}
	var back Rule
	if err := back.UnmarshalBinary(b); err != nil || back != r {
		t.Fatalf("%x: %v\n got %+v\nwant %+v", b, err, back, r)
	}
}

func checkText(t *testing.T, r Rule) {
	t.Helper()
	back, err := Parse(r.String(), nil)
	if err != nil || back != r {
		t.Fatalf("%q: %v\n got %+v\nwant %+v", r, err, back, r)
	}
}

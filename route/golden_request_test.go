package route

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/corpus"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
)

// TestGoldenRequests has every metric and every kind of encapsulation as ip(8)
// sends it. It is decoded to what the words say, and encoded from it.
func TestGoldenRequests(t *testing.T) {
	report := testrun.Limit(t)
	if !littleEndian {
		return // the bytes are of a little-endian machine; TestGolden is of any
	}
	file, err := os.ReadFile("testdata/requests.txt")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(file)) {
		words, hex, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if !ok {
			continue // a comment
		}
		n++
		want := unhex(t, hex)
		r, err := Parse(words, names)
		if err != nil {
			report.Errorf("%s: %v", words, err)
			continue
		}
		b, err := r.MarshalBinary()
		if err != nil {
			report.Errorf("%s: %v", words, err)
			continue
		}
		if got, want := inOrder(b), inOrder(want); !corpus.Same(got, want, uapi.SizeofRtMsg) {
			report.Errorf("%s: request (-ip +this):\n%s", words,
				cmp.Diff(corpus.Comparable(want, uapi.SizeofRtMsg), corpus.Comparable(got, uapi.SizeofRtMsg)))
		}
		var back Route
		if err := back.UnmarshalBinary(want); err != nil || !back.Equal(r) {
			if _, raw := r.Encap.(EncapRaw); !raw { // of which the order of attributes counts
				report.Errorf("%s: decoded: %s, %v", words, back, err)
			}
		}
	}
	if n < 60 {
		report.Errorf("%d requests", n)
	}
}

package rule

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/corpus"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

// readCorpus returns the recorded rules.
func readCorpus(t testing.TB) []corpus.Case {
	t.Helper()
	cases, err := corpus.Read("testdata/corpus.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) < 300 {
		t.Fatalf("%d recorded cases: some are missing", len(cases))
	}
	return cases
}

// littleEndian is what the recorded bytes are. On other machines the tests
// compare text, and leave bytes to golden_test.go, which knows both orders.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// names are iproute2's for the values of the DS field, which it has in a file.
func names(t testing.TB) *route.Names {
	t.Helper()
	var file strings.Builder
	for class := range 8 {
		fmt.Fprintf(&file, "%#x CS%d\n", class<<5, class)
		for drop := 1; 1 <= class && class <= 4 && drop <= 3; drop++ {
			fmt.Fprintf(&file, "%#x AF%d%d\n", (8*class+2*drop)<<2, class, drop)
		}
	}
	file.WriteString("0xb8 EF\n")
	n, err := rttables.Load(fstest.MapFS{
		"usr/share/iproute2/rt_dsfield": {Data: []byte(file.String())},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &route.Names{Files: n}
}

// knownDifferences are the words that give another request than ip(8)'s, or none.
var knownDifferences = map[string]string{
	"-4 to all table 10":     "ip sends an empty FRA_DST, which says nothing",
	"-6 from all table 10":   "ip sends an empty FRA_SRC, which says nothing",
	"-6 protocol 0 table 10": "ip sends a FRA_PROTOCOL of 0, which is what a rule without one has",
}

// Parse and AppendBinary make of words what ip(8) sent for them.
func TestCorpusRequest(t *testing.T) {
	report := testrun.Limit(t)
	names := names(t)
	differed := map[string]string{}
	n := 0
	for _, c := range readCorpus(t) {
		if len(c.Request) == 0 {
			continue
		}
		n++
		got, err := request(c, names)
		switch {
		case knownDifferences[c.Words()] != "" && (got != "" || err != nil):
			differed[c.Words()] = knownDifferences[c.Words()]
		case err != nil:
			report.Errorf("%s: %v", c.Words(), err)
		case got != "":
			report.Errorf("%s: request (-ip +this):\n%s", c.Words(), got)
		}
	}
	t.Logf("words → request: %d cases, %d of them differ as listed", n, len(differed))
	if littleEndian && !maps.Equal(differed, knownDifferences) {
		report.Errorf("these no longer differ; take them out:\n%s", cmp.Diff(knownDifferences, differed))
	}
}

// request returns how what is made of a case's words differs from what ip(8)
// sent.
func request(c corpus.Case, n *route.Names) (diff string, _ error) {
	r, err := Parse(c.Words(), n)
	if err != nil {
		return "", err
	}
	got, err := r.MarshalBinary()
	if err != nil {
		return "", err
	}
	want := c.Request[corpus.Header:]
	if !littleEndian || corpus.Same(got, want, uapi.SizeofFibRuleHdr) {
		return "", nil
	}
	return cmp.Diff(corpus.Comparable(want, uapi.SizeofFibRuleHdr), corpus.Comparable(got, uapi.SizeofFibRuleHdr)), nil
}

// What ip(8) refuses without asking the kernel, Parse refuses.
func TestCorpusRefused(t *testing.T) {
	report := testrun.Limit(t)
	n := 0
	for _, c := range readCorpus(t) {
		if c.Exit == 0 || c.Exit == 2 {
			continue
		}
		n++
		if r, err := Parse(c.Words(), names(t)); err == nil {
			report.Errorf("%s is %s; ip: %s", c.Words(), r, c.Stderr)
		}
	}
	t.Logf("words refused: %d cases", n)
	if n < 20 {
		report.Errorf("%d refusals of words", n)
	}
}

// The text of a parsed rule, with and without names, gives it back, and its
// arguments do.
func TestCorpusText(t *testing.T) {
	report := testrun.Limit(t)
	n, count := names(t), 0
	for _, c := range readCorpus(t) {
		r, err := Parse(c.Words(), n)
		if err != nil {
			continue
		}
		count++
		for _, s := range []string{r.String(), r.Text(n), fmt.Sprintf("-%d %s", c.Family, r.Args(n))} {
			if back, err := Parse(s, n); err != nil || back != r {
				report.Errorf("%s: %q: %v", c.Words(), s, err)
			}
		}
	}
	t.Logf("words → text → words: %d cases", count)
}

// What the kernel reports survives decoding and encoding, but for what
// UnmarshalBinary and AppendBinary say, and survives text as it is.
func TestCorpusKernel(t *testing.T) {
	report := testrun.Limit(t)
	if !littleEndian {
		return // the payloads are of a little-endian machine
	}
	n := 0
	for _, c := range readCorpus(t) {
		for _, payload := range c.Kernel {
			n++
			var r Rule
			if err := r.UnmarshalBinary(payload); err != nil {
				report.Errorf("%s: %v", c.Words(), err)
				continue
			}
			got, err := r.MarshalBinary()
			if err != nil {
				report.Errorf("%s: %v", c.Words(), err)
				continue
			}
			want := corpus.Comparable(written(payload), uapi.SizeofFibRuleHdr)
			if diff := cmp.Diff(want, corpus.Comparable(got, uapi.SizeofFibRuleHdr)); diff != "" {
				report.Errorf("%s: payload (-kernel +this):\n%s", c.Words(), diff)
			}
			r.Flags = 0 // which text leaves out
			if back, err := Parse(r.String(), nil); err != nil || back != r {
				report.Errorf("%s: %q: %v", c.Words(), r, err)
			}
		}
	}
	t.Logf("kernel → message and text, and back: %d payloads", n)
	if n < 300 {
		report.Errorf("%d payloads", n)
	}
}

// written is a payload of the kernel's without what is not written: flags of
// the kernel's own, and a table said twice.
func written(payload []byte) []byte {
	b := slices.Clone(payload[:uapi.SizeofFibRuleHdr])
	flags := binary.NativeEndian.Uint32(b[uapi.FibRuleHdrFlags:])
	binary.NativeEndian.PutUint32(b[uapi.FibRuleHdrFlags:], flags&uapi.FIB_RULE_INVERT)
	for num, p := range attr.All(string(payload[uapi.SizeofFibRuleHdr:])) {
		switch {
		case num == uint16(uapi.FRA_TABLE):
			if table := binary.NativeEndian.Uint32(p); table > 255 {
				b[uapi.FibRuleHdrTable] = 0
				break
			}
			continue
		case num == uint16(uapi.FRA_PROTOCOL) && p[0] == 0:
			continue // the zero Protocol
		}
		b = attr.Append(b, num, p)
	}
	return b
}

// Recorded requests and what the kernel made of them agree in canonical form,
// which is how a wanted rule is compared with a listed one.
func TestCorpusCanonical(t *testing.T) {
	if !littleEndian {
		return // the payloads are of a little-endian machine
	}
	report := testrun.Limit(t)
	n := 0
	for _, c := range readCorpus(t) {
		asked, err := Parse(c.Words(), names(t))
		if len(c.Kernel) == 0 || err != nil || errors.Is(asked.check(), errNoTable) {
			continue // the kernel chose a table
		}
		n++
		var reported Rule
		if err := reported.read(c.Kernel[0]); err != nil {
			t.Fatal(err)
		}
		got, want := reported, asked.Canonical()
		got.normalizeListed()
		if got.Flags = 0; !want.Priority.IsSet() {
			got.Priority = route.Opt[uint32]{}
		}
		if got != want {
			report.Errorf("%s: what is listed is not what is canonical:%s", c.Words(), testrun.Values(want, got))
		}
	}
	t.Logf("words and kernel, in canonical form: %d cases", n)
	if n < 300 {
		t.Errorf("%d cases", n)
	}
}

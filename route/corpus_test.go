package route

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/corpus"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
)

// readCorpus returns the recorded routes.
func readCorpus(t testing.TB) []corpus.Case {
	t.Helper()
	cases, err := corpus.Read("testdata/corpus.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) < 250 {
		t.Fatalf("%d recorded cases: some are missing", len(cases))
	}
	return cases
}

// littleEndian is what the recorded bytes are. On other machines the tests
// compare text, and leave bytes to golden_test.go, which knows both orders.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// names are the interfaces of the namespace that the cases were recorded in.
var names = &Names{Links: MakeLinks(map[uint32]string{1: "lo", eth0: "eth0", eth1: "eth1"})}

// differ are the words that give another request than ip(8)'s.
var differ = map[string]string{
	"-6 2001:db8:aa::/48 via 2001:db8:1::1 metric 0": "ip sends a RTA_PRIORITY of 0, which is what a route without one has",
}

// Parse and AppendBinary make of words what ip(8) sent for them.
func TestCorpusRequest(t *testing.T) {
	report := testrun.Limit(t)
	n := 0
	for _, c := range readCorpus(t) {
		if len(c.Request) == 0 {
			continue
		}
		n++
		r, err := Parse(c.Words(), names)
		if err != nil {
			report.Error(err)
			continue
		}
		got, err := r.MarshalBinary()
		if err != nil {
			report.Errorf("%s: %v", c.Words(), err)
			continue
		}
		want := c.Request[corpus.Header:]
		got, want = inOrder(got), inOrder(want)
		if same := corpus.Same(got, want, uapi.SizeofRtMsg); differ[c.Words()] != "" && littleEndian {
			if same {
				report.Errorf("%s no longer differs; take it out", c.Words())
			}
		} else if littleEndian && !same {
			report.Errorf("%s: request (-ip +this):\n%s", c.Words(),
				cmp.Diff(corpus.Comparable(want, uapi.SizeofRtMsg), corpus.Comparable(got, uapi.SizeofRtMsg)))
		}
		for _, s := range []string{r.String(), r.Text(names)} {
			if back, err := Parse(s, names); err != nil || !back.Equal(r) {
				report.Errorf("%s: %q: %v", c.Words(), s, err)
			}
		}
	}
	t.Logf("words → request: %d cases, %d of them differ as listed", n, len(differ))
	if n < 250 {
		report.Errorf("%d requests", n)
	}
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
		if r, err := Parse(c.Words(), names); err == nil {
			report.Errorf("%s is %s; ip: %s", c.Words(), r, c.Stderr)
		}
	}
	t.Logf("words refused: %d cases", n)
	if n < 10 {
		report.Errorf("%d refusals of words", n)
	}
}

// What the kernel reports survives decoding and encoding, but for what
// UnmarshalBinary and AppendBinary say, and survives text.
func TestCorpusKernel(t *testing.T) {
	report := testrun.Limit(t)
	if !littleEndian {
		return // the payloads are of a little-endian machine
	}
	n := 0
	for _, c := range readCorpus(t) {
		for _, payload := range c.Kernel {
			n++
			var r Route
			if err := r.UnmarshalBinary(payload); err != nil {
				report.Errorf("%s: %v", c.Words(), err)
				continue
			}
			got, err := r.MarshalBinary()
			if err != nil {
				report.Errorf("%s: %v", c.Words(), err)
				continue
			}
			want := corpus.Comparable(inOrder(written(payload)), uapi.SizeofRtMsg)
			if diff := cmp.Diff(want, corpus.Comparable(inOrder(got), uapi.SizeofRtMsg)); diff != "" {
				report.Errorf("%s: payload (-kernel +this):\n%s", c.Words(), diff)
			}
			for _, s := range []string{r.String(), r.Text(names)} {
				if back, err := Parse(s, names); err != nil || !back.Equal(r) {
					report.Errorf("%s: %q: %v, %s", c.Words(), s, err, back)
				}
			}
		}
	}
	t.Logf("kernel → message and text, and back: %d payloads", n)
	if n < 250 {
		report.Errorf("%d payloads", n)
	}
}

// nested are the attributes that have attributes inside, by the number within
// what they are in.
type nested map[uint16]nested

var (
	nestedHop   = nested{uint16(uapi.RTA_ENCAP): {}}
	nestedRoute = nested{uint16(uapi.RTA_METRICS): {}, uint16(uapi.RTA_ENCAP): {}}
)

// inOrder is a payload with the attributes inside of others in order and
// without NLA_F_NESTED, which the kernel does not set where ip(8) does, and
// without the NUL at the end of a congestion control algorithm, for which it is
// the other way round.
func inOrder(payload []byte) []byte {
	b := slices.Clone(payload[:uapi.SizeofRtMsg])
	return append(b, sortAttrs(payload[uapi.SizeofRtMsg:], nestedRoute)...)
}

func sortAttrs(b []byte, inside nested) []byte {
	var attrs []string
	for num, p := range attr.All(string(b)) {
		num &= 0x3fff
		switch deeper, ok := inside[num]; {
		case ok:
			p = sortAttrs(p, deeper)
		case inside != nil && num == uint16(uapi.RTA_MULTIPATH):
			p = sortHops(p)
		case len(inside) == 0 && num == uint16(uapi.RTAX_CC_ALGO):
			p = []byte(strings.TrimSuffix(string(p), "\x00"))
		}
		attrs = append(attrs, string(attr.Append(nil, num, p)))
	}
	slices.SortFunc(attrs, func(a, b string) int { return strings.Compare(a[2:], b[2:]) })
	return []byte(strings.Join(attrs, ""))
}

// sortHops does it for the next hops of a multipath.
func sortHops(p []byte) (b []byte) {
	for len(p) >= uapi.SizeofRtNexthop {
		n := int(binary.NativeEndian.Uint16(p))
		b = append(b, p[:uapi.SizeofRtNexthop]...)
		b = append(b, sortAttrs(p[uapi.SizeofRtNexthop:n], nestedHop)...)
		p = p[min((n+3)&^3, len(p)):]
	}
	return b
}

// written is a payload of the kernel's without what is not written: flags of
// the kernel's own, a table said twice, and what is zero where zero is unset;
// with the destination default, which the kernel leaves out.
func written(payload []byte) []byte {
	b := slices.Clone(payload[:uapi.SizeofRtMsg])
	flags := binary.NativeEndian.Uint32(b[uapi.RtMsgFlags:])
	binary.NativeEndian.PutUint32(b[uapi.RtMsgFlags:], flags&uint32(sentFlags))
	if b[uapi.RtMsgDstLen] == 0 {
		b = attr.Append(b, uint16(uapi.RTA_DST), make([]byte, Family(b[uapi.RtMsgFamily]).Bits()/8))
	}
	for num, p := range attr.All(string(payload[uapi.SizeofRtMsg:])) {
		switch {
		case num == uint16(uapi.RTA_TABLE):
			if table := binary.NativeEndian.Uint32(p); table > 255 {
				b[uapi.RtMsgTable] = 0
				break
			}
			continue
		case num == uint16(uapi.RTA_CACHEINFO) && strings.Trim(string(p), "\x00") == "":
			continue // the zero CacheInfo
		}
		b = attr.Append(b, num, p)
	}
	return b
}

// Recorded requests and what the kernel made of them agree in canonical form,
// which is how a wanted route is compared with a listed one.
func TestCorpusCanonical(t *testing.T) {
	report := testrun.Limit(t)
	if !littleEndian {
		return // the payloads are of a little-endian machine
	}
	n := 0
	for _, c := range readCorpus(t) {
		asked, err := Parse(c.Words(), names)
		if len(c.Kernel) == 0 || err != nil {
			continue
		}
		n++
		var got Route
		if err := got.UnmarshalBinary(c.Kernel[0]); err != nil {
			t.Fatal(err)
		}
		want := asked.Canonical()
		if got = got.Canonical(); want.OIF == 0 && want.Gateway.IsValid() {
			got.OIF = 0 // the kernel found it by the gateway
		}
		for i := range want.Multipath {
			if want.Multipath[i].OIF == 0 {
				got.Multipath[i].OIF = 0
			}
		}
		if !got.Equal(want) {
			report.Errorf("%s: listed as %s, canonical is %s", c.Words(), got, want)
		}
	}
	t.Logf("words and kernel, in canonical form: %d cases", n)
	if n < 250 {
		report.Errorf("%d cases", n)
	}
}

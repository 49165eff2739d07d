package route

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/corpus"
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
var names = &Names{Links: &Links{
	byIndex: map[uint32]string{1: "lo", eth0: "eth0", eth1: "eth1"},
	byName:  map[string]uint32{"lo": 1, "eth0": eth0, "eth1": eth1},
}}

// later are the words that Parse does not know yet. Of what they say, messages
// are kept in Unknown.
var later = []string{"mtu", "advmss", "rtt", "rttvar", "rto_min", "window", "initcwnd", "initrwnd", "hoplimit",
	"reordering", "features", "quickack", "congctl", "encap", "expires", "ttl-propagate"}

// known reports whether Parse knows the words of a case.
func known(c corpus.Case) bool {
	return !slices.ContainsFunc(strings.Fields(c.Args), func(w string) bool { return slices.Contains(later, w) })
}

// differ are the words that give another request than ip(8)'s.
var differ = map[string]string{
	"-6 2001:db8:aa::/48 via 2001:db8:1::1 metric 0": "ip sends a RTA_PRIORITY of 0, which is what a route without one has",
}

// Parse and AppendBinary make of words what ip(8) sent for them.
func TestCorpusRequest(t *testing.T) {
	n, all := 0, 0
	for _, c := range readCorpus(t) {
		if len(c.Request) == 0 {
			continue
		}
		all++
		if !known(c) {
			if r, err := Parse(c.Words(), names); err == nil {
				t.Errorf("%s is %s: take its words off the list", c.Words(), r)
			}
			continue
		}
		n++
		r, err := Parse(c.Words(), names)
		if err != nil {
			t.Error(err)
			continue
		}
		got, err := r.MarshalBinary()
		if err != nil {
			t.Errorf("%s: %v", c.Words(), err)
			continue
		}
		want := c.Request[corpus.Header:]
		if same := corpus.Same(got, want, uapi.SizeofRtMsg); differ[c.Words()] != "" && littleEndian {
			if same {
				t.Errorf("%s no longer differs; take it out", c.Words())
			}
		} else if littleEndian && !same {
			t.Errorf("%s: request (-ip +this):\n%s", c.Words(),
				cmp.Diff(corpus.Comparable(want, uapi.SizeofRtMsg), corpus.Comparable(got, uapi.SizeofRtMsg)))
		}
		for _, s := range []string{r.String(), r.Text(names)} {
			if back, err := Parse(s, names); err != nil || !back.Equal(r) {
				t.Errorf("%s: %q: %v", c.Words(), s, err)
			}
		}
	}
	t.Logf("%d of %d requests have words that are known", n, all)
	if n < 130 {
		t.Errorf("%d requests", n)
	}
}

// What ip(8) refuses without asking the kernel, Parse refuses.
func TestCorpusRefused(t *testing.T) {
	n := 0
	for _, c := range readCorpus(t) {
		if c.Exit == 0 || c.Exit == 2 {
			continue
		}
		n++
		if r, err := Parse(c.Words(), names); err == nil {
			t.Errorf("%s is %s; ip: %s", c.Words(), r, c.Stderr)
		}
	}
	if n < 10 {
		t.Errorf("%d refusals of words", n)
	}
}

// What the kernel reports survives decoding and encoding, but for what
// UnmarshalBinary and AppendBinary say, and survives text.
func TestCorpusKernel(t *testing.T) {
	if !littleEndian {
		return // the payloads are of a little-endian machine
	}
	n := 0
	for _, c := range readCorpus(t) {
		for _, payload := range c.Kernel {
			n++
			var r Route
			if err := r.UnmarshalBinary(payload); err != nil {
				t.Errorf("%s: %v", c.Words(), err)
				continue
			}
			got, err := r.MarshalBinary()
			if err != nil {
				t.Errorf("%s: %v", c.Words(), err)
				continue
			}
			want := corpus.Comparable(written(payload), uapi.SizeofRtMsg)
			if diff := cmp.Diff(want, corpus.Comparable(got, uapi.SizeofRtMsg)); diff != "" {
				t.Errorf("%s: payload (-kernel +this):\n%s", c.Words(), diff)
			}
			for _, s := range []string{r.String(), r.Text(names)} {
				if back, err := Parse(s, names); err != nil || !back.Equal(r) {
					t.Errorf("%s: %q: %v, %s", c.Words(), s, err, back)
				}
			}
		}
	}
	if n < 250 {
		t.Errorf("%d payloads", n)
	}
}

// written is a payload of the kernel's without what is not written: flags of
// the kernel's own, a table said twice, and what is zero where zero is unset;
// with the destination default, which the kernel leaves out.
func written(payload []byte) []byte {
	b := slices.Clone(payload[:uapi.SizeofRtMsg])
	flags := binary.NativeEndian.Uint32(b[uapi.RtMsgFlags:])
	binary.NativeEndian.PutUint32(b[uapi.RtMsgFlags:], flags&uint32(ownFlags))
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
			t.Errorf("%s: listed as %s, canonical is %s", c.Words(), got, want)
		}
	}
	if n < 120 {
		t.Errorf("%d cases", n)
	}
}

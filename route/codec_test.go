package route

import (
	"bytes"
	"testing"

	"github.com/policyroute/policyroute/internal/testrun"
)

// Attributes without a field go through bytes and text, of the route and of a
// next hop.
func TestUnknown(t *testing.T) {
	payload := unhex(t, "0208000014030001"+host32(0)+attribute(1, "0a000000")+
		attribute(9, nexthop("00", "00", 3, attribute(60, "01")))+attribute(61, "010203")+attribute(0x8000|62, ""))
	var r Route
	if err := r.UnmarshalBinary(payload); err != nil {
		t.Fatal(err)
	}
	const want = "10.0.0.0/8 table 20 attribute 61 010203 attribute 32830 - nexthop dev if3 attribute 60 01"
	if got := r.String(); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	back := parse(t, r.String())
	if !back.Equal(r) {
		t.Errorf("%s is %s", r, back)
	}
	got, err := back.MarshalBinary()
	if err != nil || !bytes.Equal(got, payload) {
		t.Errorf("\n got %x, %v\nwant %x", got, err, payload)
	}
}

// A listing of all families has MPLS routes, whose destinations are labels and
// whose gateways may be addresses of the link. They are kept as they came.
func TestMPLS(t *testing.T) {
	payload := unhex(t, "1c140000fe040001"+host32(0)+attribute(1, "00064140")+
		attribute(18, host16(17)+"020000000001")+attribute(19, "000c8140")+attribute(4, host32(3)))
	var r Route
	if err := r.UnmarshalBinary(payload); err != nil {
		t.Fatal(err)
	}
	if r.Family != MPLS || r.OIF != 3 || r.Dst.IsValid() || r.Gateway.IsValid() {
		t.Errorf("%+v", r)
	}
	back := parse(t, r.String())
	if !back.Equal(r) {
		t.Errorf("%s is %s", r, back)
	}
	got, err := back.MarshalBinary()
	if err != nil || len(got) != len(payload) || !bytes.Equal(got[:12], payload[:12]) {
		t.Errorf("\n got %x, %v\nwant the attributes of %x", got, err, payload)
	}
}

// Random routes of all fields together, through bytes and through text.
func TestRoundTrip(t *testing.T) {
	g := newGenerator(2)
	for range 20000 {
		r := g.route().Canonical()
		b, err := r.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		var back Route
		if err := back.UnmarshalBinary(b); err != nil || !back.Equal(r) {
			t.Fatalf("%x: %s is %s, %v", b, r, back, err)
		}
		if back := parse(t, r.String()); !back.Equal(r) {
			t.Fatalf("%q is %s", r, back)
		}
		if c := r.Canonical(); !c.Equal(r) {
			t.Fatalf("the canonical form %s has another, %s", r, c)
		}
	}
}

// What the kernel makes of unset fields differs by family.
func TestCanonical(t *testing.T) {
	report := testrun.Limit(t)
	for words, want := range map[string]string{
		"10.0.0.0/8 dev if3 proto unspec":                 "10.0.0.0/8 dev if3 proto unspec",
		"2001:db8::1/32 dev if3 proto unspec":             "2001:db8::/32 dev if3 metric 1024",
		"2001:db8::/32 dev if3 scope link pref medium":    "2001:db8::/32 dev if3 metric 1024",
		"unreachable 2001:db8::/32 dev if1 metric 5":      "unreachable 2001:db8::/32 metric 5",
		"10.0.0.0/8 dev if3 linkdown onlink":              "10.0.0.0/8 dev if3 onlink",
		"10.0.0.0/8 nhid 7 via 192.0.2.1 dev if3":         "10.0.0.0/8 nhid 7",
		"10.0.0.0/8 dev if3 cacheinfo 1,2,3,4,5,6,7,8":    "10.0.0.0/8 dev if3",
		"2001:db8::/32 from ::/0 via fe80::1 dev if3":     "2001:db8::/32 via fe80::1 dev if3 metric 1024",
		"10.0.0.0/8 nexthop dev if3 dead nexthop dev if5": "10.0.0.0/8 nexthop dev if3 nexthop dev if5",
	} {
		if got := parse(t, words).Canonical(); got.String() != want {
			report.Errorf("%s: %s, want %s", words, got, want)
		}
	}
}

// Canonical and the verbs leave the caller's next hops alone.
func TestCanonicalCopies(t *testing.T) {
	r := Route{Multipath: []NextHop{{OIF: 3, Flags: FlagDead}}}
	if c := r.Canonical(); c.Multipath[0].Weight != 1 || c.Multipath[0].Flags != 0 {
		t.Errorf("%+v", c)
	}
	if nh := r.Multipath[0]; nh.Weight != 0 || nh.Flags != FlagDead {
		t.Errorf("the caller's next hop is now %+v", nh)
	}
}

func TestAllocs(t *testing.T) {
	report := testrun.Limit(t)
	r := parse(t, "10.0.0.0/8 via 192.0.2.1 dev if3 src 192.0.2.2 table 1000 proto 99 metric 5 realms 1/2")
	hops := parse(t, "10.0.0.0/8 nexthop via 192.0.2.1 dev if3 nexthop via inet6 fe80::1 dev if5")
	b, err := r.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 0, 256)
	for _, r := range []Route{r, hops} {
		if n := testing.AllocsPerRun(1000, func() { buf, err = r.AppendBinary(buf[:0]) }); n != 0 || err != nil {
			report.Errorf("AppendBinary of %s: %v allocations, %v", r, n, err)
		}
	}
	var back Route
	if n := testing.AllocsPerRun(1000, func() { err = back.UnmarshalBinary(b) }); n != 0 || err != nil {
		report.Errorf("UnmarshalBinary: %v allocations, %v", n, err)
	}
}

const benchText = "10.0.0.0/8 via 192.0.2.1 dev if3 src 192.0.2.2 table 1000 proto 99 metric 5"

func BenchmarkAppendBinary(b *testing.B) {
	r := parse(b, benchText)
	var buf []byte
	for b.Loop() {
		buf, _ = r.AppendBinary(buf[:0])
	}
}

func BenchmarkUnmarshalBinary(b *testing.B) {
	payload, err := parse(b, benchText).MarshalBinary()
	if err != nil {
		b.Fatal(err)
	}
	var r Route
	for b.Loop() {
		if err := r.UnmarshalBinary(payload); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		parse(b, benchText)
	}
}

func BenchmarkString(b *testing.B) {
	r := parse(b, benchText)
	for b.Loop() {
		_ = r.String()
	}
}

package route

import (
	"testing"

	"github.com/policyroute/policyroute/internal/testrun"
)

// Encoding into a buffer that is large enough and decoding into any value cost
// no allocation, except of what the value holds: next hops, strings, and what is
// behind pointers.
func TestAllocations(t *testing.T) {
	report := testrun.Limit(t)
	for _, s := range []string{
		"10.1.2.0/24 via 192.168.9.1 dev if7 table 1000 proto static metric 100 src 192.168.9.2",
		"2001:db8::/64 via fe80::1 dev if7 table 1000 metric 1024 pref medium",
		"default nhid 5 table 20",
	} {
		r := parse(t, s)
		b := make([]byte, 0, 512)
		if n := testing.AllocsPerRun(100, func() {
			var err error
			if b, err = r.AppendBinary(b[:0]); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			report.Errorf("%s: encoding allocates %v times, want 0", s, n)
		}
		var got Route
		if n := testing.AllocsPerRun(100, func() {
			if err := got.UnmarshalBinary(b); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			report.Errorf("%s: decoding allocates %v times, want 0", s, n)
		}
		if !got.Equal(r) {
			report.Errorf("%s: decoded %s", s, got)
		}
	}
}

// Queuing a route costs no allocation beyond the growth of the batch. The
// average of many is rounded down: the race detector has pools forget some of
// what they hold.
func TestBatchAllocations(t *testing.T) {
	report := testrun.Limit(t)
	r := parse(t, "10.1.2.0/24 via 192.168.9.1 dev if7 table 1000 proto static")
	var b Batch
	for name, queue := range map[string]func(Route){"Add": b.Add, "Replace": b.Replace, "Delete": b.Delete} {
		if n := testing.AllocsPerRun(1000, func() { queue(r); b.queue.Reset() }); n != 0 {
			report.Errorf("%s allocates %v times, want 0", name, n)
		}
	}
}

package rule

import (
	"testing"

	"github.com/policyroute/policyroute/internal/testrun"
)

// Encoding into a buffer that is large enough and decoding into any value cost
// no allocation, except of what the value holds: names of interfaces.
func TestAllocations(t *testing.T) {
	report := testrun.Limit(t)
	for _, s := range []string{
		"from 10.1.2.0/24 fwmark 0x5/0xff lookup 1000 proto static pref 100",
		"from 2001:db8::/64 to 2001:db8:1::/64 ipproto tcp dport 1-2 uidrange 0-9 tun_id 5 lookup 10 suppress_prefixlength 0 pref 5",
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
		var got Rule
		if n := testing.AllocsPerRun(100, func() {
			if err := got.UnmarshalBinary(b); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			report.Errorf("%s: decoding allocates %v times, want 0", s, n)
		}
		if got != r {
			report.Errorf("%s: decoded %s", s, got)
		}
	}
}

package rule

import (
	"testing"

	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/route"
)

// An attribute with the value zero is another message than none, and can be said, except
// where the kernel reports a zero for what is unset.
func TestZeros(t *testing.T) {
	for _, f := range []route.Family{route.IPv4, route.IPv6} {
		recode := func(attribute []byte) ([]byte, error) {
			r := Rule{Family: f, Action: ActionLookup}
			header := r.appendHeader(nil)
			if err := r.UnmarshalBinary(append(header, attribute...)); err != nil {
				return nil, err
			}
			return r.MarshalBinary()
		}
		testrun.WantZeros(t, codec.Name, recode, map[string]string{
			"FRA_IIFNAME":  "no interface has an empty name",
			"FRA_OIFNAME":  "no interface has an empty name",
			"FRA_TABLE":    "the header has the table, and the kernel reports both",
			"FRA_PROTOCOL": "the kernel reports it for every rule",
			"FRA_PAD":      "padding",
		})
	}
}

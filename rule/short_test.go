package rule

import (
	"testing"

	"github.com/policyroute/policyroute/internal/testrun"
)

// Words that ip(8) takes by their beginning, in its order.
func TestParseAbbreviated(t *testing.T) {
	report := testrun.Limit(t)
	for text, want := range map[string]string{
		"p 5 ta 6":              "pref 5 lookup 6",
		"pr 5 tab 6":            "pref 5 lookup 6",
		"pri 5 table 6":         "pref 5 lookup 6",
		"o 5 ta 6":              "pref 5 lookup 6",
		"from 10.1 proto 7":     "from 10.1.0.0 lookup main proto 7",
		"from 10.1 prot 7":      "from 10.1.0.0 lookup main proto 7",
		"from 10.1 proh":        "from 10.1.0.0 prohibit",
		"from 10.1 bl":          "from 10.1.0.0 blackhole",
		"from 10.1 u":           "from 10.1.0.0 unreachable",
		"from 10.1 type unr":    "from 10.1.0.0 unreachable",
		"from 10.1 type un":     "from 10.1.0.0 unreachable",
		"from 10.1 type uni":    "from 10.1.0.0 type lookup table 0",
		"from 10.1 type x":      "from 10.1.0.0 type 11",
		"from 10.1 x":           "from 10.1.0.0 type 11",
		"from 10.1 b":           "from 10.1.0.0 nop", // broadcast, whose number is that of nop
		"from 10.1 n":           "from 10.1.0.0 nop",
		"from 10.1 g 9":         "from 10.1.0.0 goto 9",
		"t 8":                   "from all tun_id 8 lookup main",
		"d 0x10":                "from all tos 0x10 lookup main",
		"sup 0 ta 6":            "from all lookup 6 suppress_prefixlength 0",
		"suppress_i 3 ta 6":     "from all lookup 6 suppress_ifgroup 3",
		"r 3":                   "from all lookup main realms 3",
		"m 192.0.2.1":           "from all lookup main type 10 attribute 5 c0000201",
		"nat 192.0.2.1 table 9": "from all lookup 9 type 10 attribute 5 c0000201",
	} {
		r, err := Parse(text, nil)
		if err != nil {
			report.Errorf("%q: %v", text, err)
			continue
		}
		w, err := Parse(want, nil)
		if err != nil || r != w {
			report.Errorf("%q is %q, want %q (%v)", text, r, want, err)
		}
	}
	for _, text := range []string{"look 5", "fro 10.1", "fw 1", "ii eth0", "l 5", "sp 5", "sup_g 1", "sup_p 1", "nat", "nat ::1", "type q", "h"} {
		if r, err := Parse(text, nil); err == nil {
			report.Errorf("%q is %q", text, r)
		}
	}
}

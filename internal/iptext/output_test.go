package iptext

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/testrun"
)

// object writes an object with a member of every kind.
func object(o *Output) {
	o.StartArray("")
	o.StartObject("")
	o.Str("type", "", "unicast")
	o.Int("n", " n ", -1)
	o.StartArray("nexthops")
	for range 2 {
		o.StartObject("")
		o.Uint("weight", " weight ", 1)
		o.StartArray("flags")
		o.EndArray()
		o.EndObject()
	}
	o.EndArray()
	o.Null("last", " last")
	o.Text(" (", "text", ")")
	o.Hex("mark", " ", 255)
	o.Hex("mask", "/", 0)
	o.EndObject()
	o.Newline()
	o.EndArray()
}

// The pretty form is that of "ip -j -p route show", blanks and all.
func TestOutput(t *testing.T) {
	report := testrun.Limit(t)
	for _, test := range []struct {
		json, pretty bool
		want         string
	}{
		{false, false, "unicast n -1 weight 1 weight 1 last (text) 0xff/0\n"},
		{true, false, `[{"type":"unicast","n":-1,"nexthops":[{"weight":1,"flags":[]},{"weight":1,"flags":[]}],` +
			`"last":null,"mark":"0xff","mask":"0"}]`},
		{true, true, `[ {
        "type": "unicast",
        "n": -1,
        "nexthops": [ {
                "weight": 1,
                "flags": [ ]
            },{
                "weight": 1,
                "flags": [ ]
            } ],
        "last": null,
        "mark": "0xff",
        "mask": "0"
    } ]`},
	} {
		o := NewOutput(test.json, test.pretty)
		object(o)
		if diff := cmp.Diff(test.want, o.String()); diff != "" {
			report.Errorf("json %t, pretty %t (-want +got):\n%s", test.json, test.pretty, diff)
		}
	}
}

func TestAddrText(t *testing.T) {
	report := testrun.Limit(t)
	for addr, want := range map[string]string{
		"192.0.2.1":      "192.0.2.1",
		"::":             "::",
		"::1":            "::1",
		"::ffff":         "::ffff",
		"::1:0":          "::0.1.0.0",
		"::102:304":      "::1.2.3.4",
		"::ffff:0:102":   "::ffff:0.0.1.2",
		"::ffff:1.2.3.4": "::ffff:1.2.3.4",
		"::1:102:304":    "::1:102:304",
		"2001:db8:0:1::": "2001:db8:0:1::",
	} {
		if got := AddrText(netip.MustParseAddr(addr)); got != want {
			report.Errorf("%s: got %s, want %s", addr, got, want)
		}
	}
}

package route

import (
	"testing"

	"github.com/policyroute/policyroute/internal/testrun"
)

// Words that ip(8) takes by their beginning, in its order.
func TestParseAbbreviated(t *testing.T) {
	report := testrun.Limit(t)
	for text, want := range map[string]string{
		"10.0.0.0/8 via 192.0.2.1 t 5":                    "10.0.0.0/8 via 192.0.2.1 table 5",
		"10.0.0.0/8 via 192.0.2.1 p 5":                    "10.0.0.0/8 via 192.0.2.1 metric 5",
		"10.0.0.0/8 via 192.0.2.1 m 5":                    "10.0.0.0/8 via 192.0.2.1 metric 5",
		"10.0.0.0/8 via 192.0.2.1 pro 5":                  "10.0.0.0/8 via 192.0.2.1 proto 5",
		"10.0.0.0/8 via 192.0.2.1 d 0x10":                 "10.0.0.0/8 via 192.0.2.1 tos 0x10",
		"10.0.0.0/8 via 192.0.2.1 r 5":                    "10.0.0.0/8 via 192.0.2.1 reordering 5",
		"10.0.0.0/8 via 192.0.2.1 rea 5":                  "10.0.0.0/8 via 192.0.2.1 realms 5",
		"10.0.0.0/8 via 192.0.2.1 rt 5":                   "10.0.0.0/8 via 192.0.2.1 rttvar 5",
		"10.0.0.0/8 via 192.0.2.1 init 5 initr 6 cw 7":    "10.0.0.0/8 via 192.0.2.1 initcwnd 5 initrwnd 6 cwnd 7",
		"10.0.0.0/8 via 192.0.2.1 con lock reno f ecn":    "10.0.0.0/8 via 192.0.2.1 congctl lock reno features ecn",
		"10.0.0.0/8 nexthop via 192.0.2.1 r 5 weight 2":   "10.0.0.0/8 nexthop via 192.0.2.1 realms 5 weight 2",
		"2001:db8::/32 via 2001:db8::1 pre high q 1 fa 1": "2001:db8::/32 via 2001:db8::1 pref high quickack 1 fastopen_no_cookie 1",
		"bl 10.0.0.0/8":                                   "blackhole 10.0.0.0/8",
		"b 10.0.0.0/8":                                    "broadcast 10.0.0.0/8",
		"unr 10.0.0.0/8":                                  "unreachable 10.0.0.0/8",
		"proh 10.0.0.0/8":                                 "prohibit 10.0.0.0/8",
		"any via 192.0.2.1":                               "default via 192.0.2.1",
		"type 0 blackhole 10.0.0.0/8":                     "blackhole 10.0.0.0/8",
	} {
		r, err := Parse(text, nil)
		if err != nil {
			report.Errorf("%q: %v", text, err)
			continue
		}
		w, err := Parse(want, nil)
		if err != nil || !r.Equal(w) {
			report.Errorf("%q is %q, want %q (%v)", text, r, want, err)
		}
	}
	for _, text := range []string{
		"10.0.0.0/8 vi 192.0.2.1", "loc 10.0.0.0/8", "thro 10.0.0.0/8", "10.0.0.0/8 sc link", "10.0.0.0/8 adv 5",
		"10.0.0.0/8 nexthop v 192.0.2.1", "blackhole blackhole 10.0.0.0/8",
	} {
		if r, err := Parse(text, nil); err == nil {
			report.Errorf("%q is %q", text, r)
		}
	}
}

//go:build linux

package rule

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// An oldKernel is a Conn to a kernel that does not know attributes from num on,
// and, like all kernels, ignores them in silence.
type oldKernel struct {
	route.Conn
	num uapi.FRA
}

func (o oldKernel) Execute(m netlink.Message) ([]netlink.Message, error) {
	if m.Header.Type == uapi.RTM_NEWRULE {
		known := append([]byte(nil), m.Data[:uapi.SizeofFibRuleHdr]...)
		for num, payload := range attr.All(string(m.Data[uapi.SizeofFibRuleHdr:])) {
			if num < uint16(o.num) {
				known = attr.Append(known, num, payload)
			}
		}
		m.Data = known
	}
	return o.Conn.Execute(m)
}

// Without the check, each of these would be a rule that matches more packets
// than asked for: "dscp 10", every packet there is.
var verified = []struct {
	rule  string
	since uapi.FRA // the first attribute that an old kernel lacks
	names string
	made  string // what such a kernel makes of the rule
}{
	{"from all lookup 10 dscp 10", uapi.FRA_DSCP, "FRA_DSCP", "from all lookup 10"},
	{"from all lookup 10 dscp 0xa/0x3e", uapi.FRA_DSCP, "FRA_DSCP, FRA_DSCP_MASK", "from all lookup 10"},
	{"from all lookup 10 dscp 0xa/0x3e", uapi.FRA_DSCP_MASK, "FRA_DSCP, FRA_DSCP_MASK", "from all lookup 10 dscp 10"},
	{"-6 from all lookup 10 flowlabel 0x5", uapi.FRA_FLOWLABEL, "FRA_FLOWLABEL", "-6 from all lookup 10"},
	{"from all sport 0x10/0xfff0 lookup 10", uapi.FRA_SPORT_MASK, "FRA_SPORT_MASK", "from all sport 16 lookup 10"},
	// Of a kernel from the future; every present one is older.
	{"from all lookup 10 attribute 60 010203", futureAttr, "FRA_60", "from all lookup 10"},
	{"from all dport 0x10/0xfff0 lookup 10", uapi.FRA_DPORT_MASK, "FRA_DPORT_MASK", "from all dport 16 lookup 10"},
}

// A kernel that lacks an attribute is met here for real, where the running one
// does; elsewhere, the attribute is kept from it.
func TestKernelVerified(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	ns, c := kernel(t)
	before := list(t, c, Filter{})
	for name, c := range conns(t, ns) {
		for _, tt := range verified {
			r := parse(t, tt.rule)
			asked := route.Conn(oldKernel{c, tt.since})
			lacking := lacks(t, r)
			switch {
			case lacking == tt.since:
				asked = c
			case lacking != 0 && lacking < tt.since:
				continue // an older kernel than the case is about
			}
			err := Add(t.Context(), asked, r)
			want := `rule: add "` + tt.rule + `": the kernel does not know ` + tt.names + `: unsupported operation`
			if err == nil || err.Error() != want || !errors.Is(err, errors.ErrUnsupported) {
				report.Errorf("%s:\n got %v\nwant %s", name, err, want)
			}
			if diff := cmp.Diff(before, list(t, c, Filter{})); diff != "" {
				t.Fatalf("%s: rules (-before +after):\n%s", name, diff)
			}
			// Who does not look gets another rule, and is told that all is well.
			wantMade(t, asked, r, tt.made)
			if lacking != 0 || tt.since == futureAttr {
				continue
			}
			// This kernel knows it, and the priority that it chose is found.
			if err := Add(t.Context(), c, r); err != nil {
				report.Errorf("%s: %v", name, err)
			}
			if err := Add(t.Context(), c, r.Canonical()); err != nil {
				report.Errorf("%s: once more, at the next priority: %v", name, err)
			}
			for range 2 {
				if err := Delete(t.Context(), c, r); err != nil {
					report.Errorf("%s: %v", name, err)
				}
			}
		}
	}
	if diff := cmp.Diff(before, list(t, c, Filter{})); diff != "" {
		report.Errorf("rules (-before +after):\n%s", diff)
	}
}

// wantMade sends r as it is, and deletes the rule that the kernel makes of it.
func wantMade(t *testing.T, c route.Conn, r Rule, want string) {
	t.Helper()
	r.Priority = Priority(77)
	if err := write(t.Context(), c, uapi.RTM_NEWRULE, netlink.Create|netlink.Excl, r); err != nil {
		t.Error(err)
		return
	}
	made := parse(t, want+" pref 77")
	wantList(t, c, Filter{Priority: r.Priority}, made.String())
	if err := Delete(t.Context(), c, made); err != nil {
		t.Error(err)
	}
}

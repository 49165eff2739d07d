package check_test

import (
	"net/netip"
	"testing"

	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// A source that is elsewhere is worth a note while another one is here, and a fault when
// it was the only one.
func TestAbsentSource(t *testing.T) {
	for _, f := range []tabletest.Family{tabletest.IPv4, tabletest.IPv6} {
		t.Run(f.TCP, func(t *testing.T) {
			n, u := healthy(t, f, nil)
			vip := netip.MustParseAddr(f.A2 + "0")
			u.Sources = []netip.Addr{netip.MustParseAddr(f.A2), vip}
			n.Install(u)
			wantFindings(n, "note source-absent "+vip.String()+"\n", u)
			u.Sources = u.Sources[1:]
			wantFindings(n, "fault source-gone "+vip.String()+"\n", u)
			u.Sources, u.SourceInterfaces = nil, []string{"lan9"}
			n.Install(u)
			wantFindings(n, "note source-absent lan9\n", u)
		})
	}
}

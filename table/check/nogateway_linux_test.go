package check_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/check"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// An uplink by an Ethernet link without a gateway is worth a note and, where table main has
// a gateway by the interface, a warning.
func TestNoGateway(t *testing.T) {
	for _, f := range []tabletest.Family{tabletest.IPv4, tabletest.IPv6} {
		t.Run(f.TCP, func(t *testing.T) {
			n, u := healthy(t, f, nil)
			family := route.FamilyOf(u.Gateway)
			gateway := u.Gateway
			u.Gateway, u.Family = netip.Addr{}, family
			n.Install(u)
			wantFindings(n, "note gateway-none u2\n", u)
			if err := route.Add(t.Context(), n.Conn, route.Route{Gateway: gateway, OIF: n.Server.Index("u2"), Priority: 5000}); err != nil {
				t.Fatal(err)
			}
			found := findings(n, u)
			if len(found) != 1 || found[0].Code != check.CodeGatewayNone || found[0].Severity != check.Warning ||
				!strings.HasPrefix(found[0].Cure, "add via "+gateway.String()+" or learn "+family.String()+" to the uplink's line, and run uplinks up ") {
				t.Errorf("%+v", found)
			}
		})
	}
}

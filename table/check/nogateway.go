package check

import (
	"fmt"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table/internal/form"
)

// checkNoGateway finds an uplink without a gateway on a link that is not point-to-point.
// Usually the gateway was forgotten. If table main has a gateway by this interface, the
// finding is a warning.
func (e *examiner) checkNoGateway(u *subject) []Finding {
	dev := u.spec.Interface
	f := Finding{
		Code: CodeGatewayNone, Severity: Note, Object: dev,
		Text: fmt.Sprintf("the uplink has no gateway, and the link of %s is not point-to-point: this host sends an ARP request or neighbour solicitation for every destination", dev),
		Cure: "add via ADDRESS to the uplink's line; nothing has to be done if a host on the link answers for all addresses",
	}
	routes := e.now.Routes(rttables.Main)
	for i := range routes {
		r := &routes[i]
		if !u.inFamily(r.Family) || !form.IsDefault(r) {
			continue
		}
		hops := form.NextHops(r)
		at := slices.IndexFunc(hops, func(h route.NextHop) bool { return h.OIF == u.index && h.Gateway.IsValid() })
		if at < 0 {
			continue
		}
		f.Severity = Warning
		f.Text += fmt.Sprintf("; table main has the gateway %s by this interface", hops[at].Gateway)
		f.Cure = fmt.Sprintf("add via %s or learn %s to the uplink's line, and run %s", hops[at].Gateway, r.Family, u.up())
		break
	}
	return []Finding{f}
}

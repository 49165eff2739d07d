package check

import (
	"fmt"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table/internal/form"
)

// checkNoGateway finds an uplink without a gateway on a link whose hosts are asked for by
// their addresses. As a rule the gateway was forgotten: where table main has one by the
// interface, that is sure enough for a warning.
func (e *examiner) checkNoGateway(u *subject) []Finding {
	dev := u.spec.Interface
	f := Finding{
		Code: CodeGatewayNone, Severity: Note, Object: dev,
		Text: fmt.Sprintf("the uplink has no gateway, so that all destinations are looked for on the link of %s, which is no point-to-point link", dev),
		Cure: "via ADDRESS in the uplink's line; none, if a host on the link answers for all addresses",
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
		f.Text += fmt.Sprintf("; table main has the gateway %s there", hops[at].Gateway)
		f.Cure = fmt.Sprintf("via %s or learn %s in the uplink's line, and %s", hops[at].Gateway, r.Family, u.up())
		break
	}
	return []Finding{f}
}

package check

import (
	"fmt"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table/internal/form"
)

// checkPending says why an uplink waits for a default route to learn its gateway from. If
// the interface is missing or has no address, that is the reason, and another finding
// reports it.
func (e *examiner) checkPending(u *subject) []Finding {
	if u.pending == "" || u.index == 0 {
		return nil
	}
	f := Finding{
		Code: CodeGatewayUnlearned, Severity: Fault, Object: u.spec.Interface, Text: u.pending,
		Cure: "check the DHCP client or the router advertisements",
	}
	if r := e.hindranceOf(u); r != nil {
		other, dev := e.now.Links.Name(r.OIF), iptext.Quote(u.spec.Interface)
		f.Text = strings.TrimSuffix(f.Text, ".") + fmt.Sprintf("; %s has an address, but the default route by %s has no metric, "+
			"and the kernel refuses a second default route without a metric, which is what dhclient and udhcpc add", u.spec.Interface, other)
		f.Cure = fmt.Sprintf("add metric 200 below iface %s in /etc/network/interfaces, or set IF_METRIC=200 for the DHCP client of %s", dev, dev)
	}
	return []Finding{f}
}

// hindranceOf returns the default route of another interface because of which the kernel
// refuses a default route without a metric by the uplink's interface. That interface has
// an address already.
func (e *examiner) hindranceOf(u *subject) *route.Route {
	if !u.inFamily(route.IPv4) {
		return nil
	}
	if _, ok := u.firstSource(route.IPv4); !ok {
		return nil
	}
	routes := e.now.Routes(rttables.Main)
	for i := range routes {
		r := &routes[i]
		if r.Family == route.IPv4 && form.IsDefault(r) && r.Priority == 0 && r.OIF != u.index && r.OIF != 0 {
			return r
		}
	}
	return nil
}

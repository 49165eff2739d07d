package uplink

import (
	"net/netip"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/internal/host"
)

// sourceOf returns the address that packets without a source get from a default route:
// one of some sources. The address is invalid if there is none of the family.
func (p *Policy) sourceOf(d *route.Route, sources []host.Address) netip.Addr {
	for _, a := range sources {
		if route.FamilyOf(a.Addr) == d.Family {
			return a.Addr
		}
	}
	return netip.Addr{}
}

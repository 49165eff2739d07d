package form

import (
	"net/netip"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

// Families are those that uplinks have, in the order in which they are planned.
var Families = [...]route.Family{route.IPv4, route.IPv6}

// FamilyName returns "IPv4" or "IPv6".
func FamilyName(f route.Family) string {
	if f == route.IPv6 {
		return "IPv6"
	}
	return "IPv4"
}

// HostPrefix returns the prefix that holds a and no other address.
func HostPrefix(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// IsSystemTable reports whether a table is one of the system's, which no uplink
// can have: unspec, compat, default, main, local.
func IsSystemTable(id rttables.ID) bool {
	return id == rttables.Unspec || id >= rttables.Compat && id <= rttables.Local
}

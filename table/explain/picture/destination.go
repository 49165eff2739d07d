package picture

import (
	"cmp"
	"net/netip"
	"strconv"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

// A destination is that of a route, with its words.
type destination struct {
	prefix netip.Prefix
	metric uint32
	text   string
	taken  bool
}

// compare puts the destination of the packet first, and the default route last.
func (d destination) compare(o destination) int {
	if d.taken != o.taken {
		if d.taken {
			return -1
		}
		return 1
	}
	return d.order(o)
}

// order puts longer prefixes before the default route, and sorts the others by address.
func (d destination) order(o destination) int {
	isDefault := func(p netip.Prefix) int {
		if p.Bits() <= 0 {
			return 1
		}
		return 0
	}
	return cmp.Or(isDefault(d.prefix)-isDefault(o.prefix), d.prefix.Addr().Compare(o.prefix.Addr()), o.prefix.Bits()-d.prefix.Bits(), cmp.Compare(d.metric, o.metric))
}

// prefixOf returns the destination of a route in one form.
func prefixOf(r *route.Route) netip.Prefix {
	if r.Dst.Bits() <= 0 {
		return netip.Prefix{}
	}
	return r.Dst
}

// severalOf counts the routes to each destination of a table.
func (m *maker) severalOf(routes []int) map[netip.Prefix]int {
	count := make(map[netip.Prefix]int)
	for _, i := range routes {
		count[prefixOf(&m.world.Routes[i])]++
	}
	return count
}

// isAutomatic reports whether a route is left out: one that the kernel makes for an
// address, and that is not for packets to one host.
func isAutomatic(r *route.Route) bool {
	if r.Protocol != route.ProtoKernel && r.Table != rttables.Local {
		return false
	}
	switch r.Type {
	case route.TypeBroadcast, route.TypeMulticast, route.TypeAnycast:
		return true
	}
	return false
}

// destinationText returns the words for which packets a route is.
func destinationText(r *route.Route, several bool) string {
	s := "default"
	if r.Dst.Bits() > 0 {
		s = iptext.PrefixString(r.Dst)
	}
	if r.Src.Bits() > 0 {
		s += " from " + iptext.PrefixString(r.Src)
	}
	if r.TOS != 0 {
		s += " tos 0x" + strconv.FormatUint(uint64(r.TOS), 16)
	}
	if several && r.Priority != 0 {
		s += " metric " + strconv.FormatUint(uint64(r.Priority), 10)
	}
	return s
}

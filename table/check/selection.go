package check

import (
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/internal/uplink"
)

// A selection chooses the routes of a listing that findings depend on. In a table with the
// routes of the whole Internet these are few.
type selection struct {
	protocols []route.Protocol
	// destinations are the destinations of the routes that uplinks want.
	destinations map[netip.Prefix]bool
	// addrs are destinations that the kernel is asked about, and gateways.
	addrs  []netip.Addr
	kept   map[listing]int
	byLink map[listing]map[uint32]int // of those that are kept
	total  int
	// left are the numbers of routes of a listing that are not kept.
	left map[listing]int
	// hasSourceRoutes says that there is a route for packets from some sources only.
	hasSourceRoutes bool
}

// A listing is the routes of one family in a table.
type listing struct {
	table  rttables.ID
	family route.Family
}

// mostOfTable is how many routes of a table are kept whether they are needed or not. It is
// leastOfTable if there are manyRoutes already.
const (
	mostOfTable  = 4096
	leastOfTable = 64
	manyRoutes   = 65_536
)

// newSelection returns the selection of a listing for some uplinks, on a host with some
// addresses.
func newSelection(addrs []host.Address, uplinks []Uplink) *selection {
	s := &selection{
		destinations: make(map[netip.Prefix]bool), kept: make(map[listing]int), byLink: make(map[listing]map[uint32]int),
		left: make(map[listing]int),
	}
	for _, a := range addrs {
		if a.Subnet.IsValid() {
			s.destinations[a.Subnet.Masked()] = true
		}
	}
	var specs []uplink.Spec
	for i := range uplinks {
		spec := uplink.Spec(uplinks[i].SourceRoutedUplink)
		specs = append(specs, spec)
		for _, p := range spec.Routes {
			s.destinations[p.Masked()] = true
		}
		s.addrs = append(s.addrs, uplinks[i].Targets...)
		s.addrs = append(s.addrs, spec.Gateways()...)
		for k := range spec.Also {
			if to := spec.Also[k].To; to.IsValid() {
				s.addrs = append(s.addrs, to.Addr())
			}
		}
	}
	s.protocols = append(uplink.Protocols(specs), uplink.DefaultProtocol)
	for _, f := range form.Families {
		s.addrs = append(s.addrs, farAddrs[f]...)
	}
	slices.SortFunc(s.addrs, netip.Addr.Compare)
	s.addrs = slices.Compact(s.addrs)
	return s
}

// keeps reports whether a route is to be kept.
func (s *selection) keeps(r *route.Route) bool {
	s.hasSourceRoutes = s.hasSourceRoutes || r.Src.IsValid()
	at := listing{r.Table, r.Family}
	most := mostOfTable
	if s.total > manyRoutes {
		most = leastOfTable
	}
	if s.kept[at] >= most && !s.isNeeded(at, r) {
		s.left[at]++
		return false
	}
	if s.byLink[at] == nil {
		s.byLink[at] = make(map[uint32]int)
	}
	s.byLink[at][r.OIF]++
	s.kept[at]++
	s.total++
	return true
}

// isNeeded reports whether a route of a table with many others is kept. Kept are routes of
// uplinks, default routes, routes that show what is on a link, routes to destinations of
// uplinks, routes that examined packets may take, and the first routes of each interface.
func (s *selection) isNeeded(at listing, r *route.Route) bool {
	return slices.Contains(s.protocols, r.Protocol) || form.IsDefault(r) || host.IsOnLink(r) ||
		s.destinations[r.Dst.Masked()] || s.byLink[at][r.OIF] < leastOfTable ||
		slices.ContainsFunc(s.addrs, r.Dst.Contains)
}

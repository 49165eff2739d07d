package maintain

import (
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/uplink"
)

// A share is the default route of an uplink, and its weight in a [Default].
type share struct {
	best   route.Route
	weight int64
}

// bestDefaults returns the default routes of uplinks in a family.
func (r *reading) bestDefaults(members []*maintainedUplink, f route.Family) []share {
	var all []share
	for _, k := range members {
		index, _ := r.now.Link(k.Interface)
		p := uplink.Policy{Spec: k.currentSpec(), Index: index}
		if best, ok := p.BestDefault(f); ok {
			all = append(all, share{best, int64(k.Weight)})
		}
	}
	if f != route.IPv6 || len(all) < 2 {
		return all
	}
	var together []share
	for _, s := range all {
		if r.giveGateway(&s.best) {
			together = append(together, s)
		}
	}
	if len(together) == 0 {
		return all[:1]
	}
	return together
}

// giveGateway gives an IPv6 route without a gateway one, which it needs to be one next hop
// of several. On a link where the kernel does not resolve the address of a gateway, any
// address will do. On other links giveGateway returns false.
func (r *reading) giveGateway(d *route.Route) bool {
	if form.HasGateway(d) {
		return true
	}
	if r.now.Links.Flags(d.OIF)&(uapi.IFF_POINTOPOINT|uapi.IFF_NOARP) == 0 {
		return false
	}
	for _, a := range r.now.AddressesOf(d.OIF) {
		if peer := a.Subnet.Addr(); a.Addr.Is6() && a.Subnet.IsSingleIP() && peer.IsLinkLocalUnicast() {
			d.Gateway = peer
			return true
		}
	}
	for d.Gateway = linkLocal1; r.now.IsLocal(d.Gateway); {
		d.Gateway = d.Gateway.Next()
	}
	return true
}

var linkLocal1 = netip.MustParseAddr("fe80::1")

// route returns the default route of a family that uplinks share.
func (d *Default) route(f route.Family, shares []share) route.Route {
	r := route.Route{
		Family: f, Type: route.TypeUnicast, Table: d.Table, Protocol: d.Protocol, Priority: d.Metric,
		Metrics: commonMetrics(shares),
	}
	if len(shares) == 1 {
		r.PrefSrc = shares[0].best.PrefSrc
	}
	switch hops := nextHops(shares); {
	case len(hops) > 1:
		r.Multipath = hops
	default:
		h := hops[0]
		r.Gateway, r.OIF, r.Flags, r.Realms, r.Encap = h.Gateway, h.OIF, h.Flags, h.Realms, h.Encap
		if !h.Gateway.IsValid() {
			r = form.OnLink(r)
		}
	}
	return r
}

// commonMetrics returns the metrics that all routes have. If all routes limit the size of
// packets, but differently, it returns the lowest limit.
func commonMetrics(shares []share) *route.Metrics {
	same, mtu := true, uint32(0)
	for i, s := range shares {
		m := metricsOf(&s.best)
		same = same && m == metricsOf(&shares[0].best)
		if i == 0 || m.MTU < mtu {
			mtu = m.MTU
		}
	}
	switch {
	case same:
		return shares[0].best.Metrics
	case mtu == 0:
		return nil
	}
	return &route.Metrics{MTU: mtu}
}

func metricsOf(r *route.Route) route.Metrics {
	if r.Metrics == nil {
		return route.Metrics{}
	}
	return *r.Metrics
}

// nextHops returns the next hops of uplinks. Those of one uplink share its weight.
func nextHops(shares []share) []route.NextHop {
	// Weights are whole numbers, so all of them are multiplied by a factor that makes the
	// parts of each one whole.
	factor := int64(1)
	for _, s := range shares {
		total := totalWeight(&s.best)
		for _, h := range form.NextHops(&s.best) {
			if factor < maxFactor {
				factor = lcm(factor, total/gcd(total, s.weight*weightOf(h)))
			}
		}
	}
	type wayOut struct {
		index   uint32
		gateway netip.Addr
	}
	var hops []route.NextHop
	var weights []int64
	at := make(map[wayOut]int, len(shares))
	for _, s := range shares {
		for _, h := range form.NextHops(&s.best) {
			weight := factor * s.weight * weightOf(h) / totalWeight(&s.best)
			way := wayOut{h.OIF, h.Gateway}
			if i, ok := at[way]; ok { // IPv6 has no two of a kind
				weights[i] += weight
				continue
			}
			at[way] = len(hops)
			hops, weights = append(hops, h), append(weights, weight)
		}
	}
	over := (slices.Max(weights)-1)/maxWeight + 1 // the kernel has room for no more
	for i, w := range weights {
		hops[i].Weight = uint16(min(max((w+over/2)/over, 1), maxWeight))
	}
	return hops
}

// totalWeight returns the sum of the weights of a route's next hops.
func totalWeight(r *route.Route) int64 {
	total := int64(0)
	for _, h := range form.NextHops(r) {
		total += weightOf(h)
	}
	return total
}

// weightOf returns the weight of a next hop, which is 1 where none is set.
func weightOf(h route.NextHop) int64 { return int64(max(h.Weight, 1)) }

// maxFactor is the largest factor of weights. With larger ones, the rest is lost in
// rounding.
const maxFactor = 1 << 20

func lcm(a, b int64) int64 { return a / gcd(a, b) * b }

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

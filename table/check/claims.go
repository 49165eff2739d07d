package check

import (
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
)

// A claim is a packet that an installed rule of an uplink sends to the uplink's table.
type claim struct {
	who    string // the packets of this kind: those from an address, or with selectors
	rule   *rule.Rule
	place  int // of the rule among those of its family
	packet packet
}

// farAddrs are addresses somewhere on the Internet, one in each of the two halves into which
// some programs split the default route: 0.0.0.0/1 and 128.0.0.0/1, 2000::/4 and 3000::/4.
// Nothing is sent there.
var farAddrs = map[route.Family][]netip.Addr{
	route.IPv4: {internetAddrs[route.IPv4], netip.AddrFrom4([4]byte{203, 0, 113, 1})},
	route.IPv6: {internetAddrs[route.IPv6], netip.AddrFrom16([16]byte{0x3f, 0xff, 15: 1})},
}

// claimsOf returns the packets that the kernel is asked about, to find out whether the
// uplink gets its packets: packets from each source, and packets that each rule of Also
// selects, to all addresses of farAddrs.
func (f *facts) claimsOf(u *uplinkFacts) []claim {
	var all []claim
	for _, family := range u.families {
		rules := f.now.Rules(family).All
		var far []netip.Addr
		for _, a := range slices.Concat(farAddrs[family], u.targets) {
			if route.FamilyOf(a) == family && !slices.Contains(far, a) {
				far = append(far, a)
			}
		}
		for _, i := range f.installedPlaces(u, family) {
			r := &rules[i]
			if form.IsSystemTable(r.Table) || r.SuppressPrefixLength.IsSet() {
				continue
			}
			for _, p := range f.packetsOf(u, r, far) {
				all = append(all, claim{who: describe(r), rule: r, place: i, packet: p})
			}
		}
	}
	return all
}

// packetsOf returns packets to some destinations that a rule selects. For some rules there
// is no packet that the kernel can be asked about.
func (f *facts) packetsOf(u *uplinkFacts, r *rule.Rule, far []netip.Addr) []packet {
	var all []packet
	add := func(q route.Query, iif string) {
		q.FibMatch = true
		all = append(all, packet{query: q, iif: iif})
	}
	isSource := form.IsRung(r)
	for _, dst := range far {
		if isSource {
			if a := r.From.Addr(); f.isUsable(a) {
				add(route.Query{Src: a, Dst: dst}, ownInterface)
				continue
			}
		}
		if q, ok := selectedPacket(r, dst); ok {
			add(q, ownInterface)
		} else if q, iif, ok := f.forwardedPacket(u, r, dst); ok {
			add(q, iif)
		}
	}
	return all
}

// isUsable reports whether an address of this host can be the source of packets.
func (f *facts) isUsable(a netip.Addr) bool {
	have, ok := f.now.Address(a)
	return ok && !have.Tentative
}

// forwardedPacket returns the lookup of a packet that comes from a network behind this host,
// and that a rule selects by its source or its incoming interface.
func (f *facts) forwardedPacket(u *uplinkFacts, r *rule.Rule, dst netip.Addr) (route.Query, string, bool) {
	asked := rule.Rule{
		Family: r.Family, Priority: r.Priority, Action: r.Action, Table: r.Table, Protocol: r.Protocol, Flags: r.Flags,
		From: r.From, IIF: r.IIF, FwMark: r.FwMark,
	}
	if *r != asked || !r.From.IsValid() && r.IIF == "" {
		return route.Query{}, "", false
	}
	for _, a := range f.now.Addrs {
		iif := f.now.Links.Name(a.Index)
		if route.FamilyOf(a.Addr) != route.FamilyOf(dst) || !a.Global || a.Index == u.index || iif == ownInterface ||
			r.IIF != "" && r.IIF != iif || !a.Subnet.IsValid() || a.Subnet.IsSingleIP() {
			continue
		}
		subnet := a.Subnet
		if r.From.IsValid() {
			if !subnet.Overlaps(r.From) {
				continue
			}
			if r.From.Bits() > subnet.Bits() {
				subnet = r.From.Masked()
			}
		}
		if src, ok := f.foreignAddress(subnet); ok {
			return route.Query{Src: src, Dst: dst, IIF: a.Index, Mark: r.FwMark.Value()}, iif, true
		}
	}
	return route.Query{}, "", false
}

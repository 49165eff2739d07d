package explain

import (
	"net/netip"

	"github.com/policyroute/policyroute/route"
)

func is6(k key, n int, hi uint64) bool { return k.hi>>(64-n) == hi>>(64-n) }

func isMulticast6(k key) bool { return is6(k, 8, 0xff<<56) }
func isLinkLocal6(k key) bool { return is6(k, 10, 0xfe80<<48) }
func isLoopback6(k key) bool  { return k == key{lo: 1} }

// needsInterface reports whether the interface decides about a destination:
// rt6_need_strict of net/ipv6/route.c.
func needsInterface(k key) bool { return isMulticast6(k) || isLinkLocal6(k) || isLoopback6(k) }

// output6 decides about a packet that this host sends: ip6_route_output_flags_noref of
// net/ipv6/route.c.
func (f *FIB) output6(fl *flow, t *trace) Decision {
	fl.hasSrc = !fl.src.isZero()
	if isMulticast6(fl.dst) || isLinkLocal6(fl.dst) {
		if dev := f.device(fl.oif); dev != nil && dev.vrf != 0 {
			return f.linkScope(fl, dev, t)
		}
	}
	fl.strict = needsInterface(fl.dst) || fl.oif != 0 && !fl.hasSrc
	fl.dev = fl.oif
	res := f.lookup(&f.v6, fl, t)
	return f.deliver6(fl, &res)
}

// linkScope decides about a packet to a neighbour of an interface that belongs to a VRF:
// vrf_link_scope_lookup of drivers/net/vrf.c. It asks no rules.
func (f *FIB) linkScope(fl *flow, dev *device, t *trace) Decision {
	vrf := f.device(dev.vrf)
	if dev == vrf {
		return refuse(InterfaceDown, ENETUNREACH)
	}
	fl.strict, fl.dev = true, fl.oif
	res := nothing(fl)
	if tb := f.v6.findTable(vrf.Table); tb != nil {
		t.askTable(-1, vrf.Table)
		if res = f.lookupTable6(tb, fl, t); res.entry == nil {
			res = nothing(fl)
		}
	}
	return f.deliver6(fl, &res)
}

// sourceOf6 chooses the source of a packet by its next hop. If that is one of several that
// have different sources, there is none.
func (f *FIB) sourceOf6(res *found, dst key) netip.Addr {
	e := res.entry
	k, ok := f.source6(f.device(e.hops[res.hop].oif), dst)
	if res.choice != nil {
		for _, i := range res.choice.hops {
			oif := e.hops[i].oif
			if oif == e.hops[res.hop].oif {
				continue
			}
			if other, _ := f.source6(f.device(oif), dst); other != k {
				return netip.Addr{}
			}
		}
	}
	if !ok {
		return netip.Addr{}
	}
	return k.addr(false)
}

// input6 decides about a packet that comes in by an interface: ip6_route_input_lookup of
// net/ipv6/route.c, and ip6_forward.
func (f *FIB) input6(fl *flow, dev *device, t *trace) Decision {
	fl.iif, fl.dev, fl.uid, fl.hasSrc = dev.Index, dev.Index, 0, true
	fl.strict = needsInterface(fl.dst)
	if fl.get {
		fl.uid, fl.hasSrc = noUser, !fl.src.isZero()
		res := f.lookup(&f.v6, fl, t)
		return f.deliver6(fl, &res)
	}
	f.hideTransport(&f.v6, fl)
	switch {
	case isMulticast6(fl.src):
		return refuse(SourceInvalid, EINVAL)
	case fl.dst.isZero():
		return refuse(DestinationInvalid, EINVAL)
	case (isLoopback6(fl.src) || isLoopback6(fl.dst)) && dev.Index != lo && dev.Table == 0:
		return refuse(SourceLoopback, EINVAL)
	}
	res := f.lookup(&f.v6, fl, t)
	d := f.deliver6(fl, &res)
	d.Source = fl.src.addr(false)
	switch {
	case d.Verdict == Multicast:
		d.Depends |= DependsGroup
	case d.Verdict == Unicast && !f.conf.forwards6:
		d.needs(dev, unknownForwards)
		d.Verdict, d.Refusal, d.Error = None, ForwardingOff, EHOSTUNREACH
	}
	return d
}

// noUser is the user of a lookup that has none.
const noUser = 1<<32 - 1

// hideTransport takes the ports from a packet that comes in unless a rule needs them.
func (f *FIB) hideTransport(h *half, fl *flow) {
	if !h.dissects {
		fl.sport, fl.dport = 0, 0
	}
}

// deliver6 decides about a packet for which the rules have an answer.
func (f *FIB) deliver6(fl *flow, res *found) Decision {
	if res.isReject() {
		return f.refusal(res)
	}
	d := f.decision(res)
	e := res.entry
	f.setHop(&d, res)
	dev := f.device(e.hops[res.hop].oif)
	if r := &f.world.Routes[e.place]; r.Type == route.TypeLocal || isKernelAnycast(r) {
		d.OIF, d.Via = lo, netip.Addr{}
		if dev != nil && dev.vrf != 0 && (dev.Table != 0 || !needsInterface(keyOf(r.Dst.Addr()))) {
			d.OIF = dev.vrf
		}
	}
	switch {
	case fl.hasSrc:
		d.Source = fl.src.addr(false)
	case e.hasPrefSrc:
		d.Source = e.prefSrc.addr(false)
	default:
		d.Source = f.sourceOf6(res, fl.dst)
	}
	return d
}

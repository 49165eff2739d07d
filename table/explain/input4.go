package explain

import (
	"net/netip"

	"github.com/policyroute/policyroute/route"
)

// input4 decides about a packet that comes in by an interface: ip_route_input_slow of
// net/ipv4/route.c.
func (f *FIB) input4(fl *flow, dev *device, t *trace) Decision {
	if isMulticast4(fl.dst) {
		return f.inputMulticast4(fl, dev, t)
	}
	fl.iif, fl.uid = dev.Index, 0
	f.hidePorts(&f.v4, fl)
	switch {
	case isMulticast4(fl.src) || isBroadcast4(fl.src):
		return refuse(SourceInvalid, EINVAL)
	case isBroadcast4(fl.dst) || fl.src.isZero() && fl.dst.isZero():
		return f.inputBroadcast4(fl, dev, unruled(), t)
	case fl.src.isZero():
		return refuse(SourceInvalid, EINVAL)
	case fl.dst.isZero(), isLoopback4(fl.dst) && !dev.routeLocalnet:
		d := refuse(DestinationInvalid, EINVAL)
		d.needs(dev, unknownLocalnet)
		return d
	case isLoopback4(fl.src) && !isLoopback4(fl.dst) && !dev.routeLocalnet:
		d := refuse(SourceLoopback, EINVAL)
		d.needs(dev, unknownLocalnet)
		return d
	}
	flow := *fl
	res := f.lookup(&f.v4, &flow, t)
	if res.isReject() {
		d := f.refusal(&res)
		if !dev.forwards[0] {
			d.Error, d.Refusal = EHOSTUNREACH, ForwardingOff
			d.needs(dev, unknownForwards)
		}
		return d
	}
	d := f.decision(&res)
	switch {
	case d.Verdict == Broadcast && !dev.bcForwarding:
		d.OIF = f.selfOf(&res)
		return f.inputBroadcast4(fl, dev, d, t)
	case res.entry.typ == route.TypeLocal:
		d.OIF = f.selfOf(&res)
		return f.checkSource(fl, dev, 0, d, t)
	case !dev.forwards[0]:
		d.Verdict, d.Refusal, d.Error = None, ForwardingOff, EHOSTUNREACH
		d.needs(dev, unknownForwards)
		return d
	case res.entry.typ != route.TypeUnicast && d.Verdict != Broadcast:
		d.Verdict, d.Refusal, d.Error = None, DestinationInvalid, EINVAL
		return d
	}
	f.selectPath4(&flow, &res, false)
	f.setHop(&d, &res)
	d.needs(dev, unknownForwards)
	first := f.checkSource(fl, dev, res.entry.hops[res.hop].oif, d, t)
	if res.choice == nil || first.Error == 0 {
		return first
	}
	// Whether the source is looked for, and what the rules say, hangs on the next hop.
	for _, i := range res.choice.hops {
		if other := f.checkSource(fl, dev, res.entry.hops[i].oif, d, nil); other.Error == 0 {
			return other
		}
	}
	return first
}

// selfOf returns the interface by which a packet comes to this host: lo, or a VRF.
func (f *FIB) selfOf(res *found) uint32 {
	if res.hop >= 0 {
		if d := f.device(res.entry.hops[res.hop].oif); d != nil && d.vrf != 0 {
			return d.vrf
		}
	}
	return lo
}

// hidePorts takes the ports from a packet that comes in unless a rule needs them. The
// kernel looks for them only then.
func (f *FIB) hidePorts(h *half, fl *flow) {
	if !h.dissects {
		fl.proto, fl.sport, fl.dport = 0, 0, 0
	}
}

// inputMulticast4 decides about a packet to a group. Every interface that is up is in the
// group of all hosts.
func (f *FIB) inputMulticast4(fl *flow, dev *device, t *trace) Decision {
	if isMulticast4(fl.src) || isBroadcast4(fl.src) || isLoopback4(fl.src) && !dev.routeLocalnet {
		return refuse(SourceInvalid, EINVAL)
	}
	d := unruled()
	d.Verdict, d.OIF = Multicast, lo
	if fl.dst != (key{hi: 0xe0000001 << 32}) || !dev.isUp() {
		d.Depends |= DependsGroup
	}
	if fl.src.isZero() {
		return d
	}
	fl.iif, fl.uid = dev.Index, 0
	f.hidePorts(&f.v4, fl)
	fl.dst = key{}
	return f.checkSource(fl, dev, 0, d, t)
}

// inputBroadcast4 decides about a packet to all hosts.
func (f *FIB) inputBroadcast4(fl *flow, dev *device, d Decision, t *trace) Decision {
	if d.Verdict = Broadcast; d.OIF == 0 {
		d.OIF = lo
	}
	if fl.src.isZero() {
		return d
	}
	fl.dst = key{}
	return f.checkSource(fl, dev, 0, d, t)
}

// checkSource is fib_validate_source of net/ipv4/fib_frontend.c. It returns d if a packet
// may have its source. The packet leaves by the interface out, or is for this host.
func (f *FIB) checkSource(fl *flow, dev *device, out uint32, d Decision, t *trace) Decision {
	d.needs(dev, unknownRPFilter)
	// To send a redirect, the kernel looks where the source is.
	if dev.rpFilter == 0 && !(out == dev.Index && dev.sendRedirects) {
		if dev.acceptLocal {
			return d
		}
		if f.v4.merged >= 0 && !f.v4.checksSources {
			if _, ok := f.v4.local[fl.src]; ok {
				d.needs(dev, unknownAcceptLocal)
				return f.martian(d, SourceLocal)
			}
			return d
		}
	}
	back := flow{
		dst: fl.src, src: fl.dst, iif: lo, vrf: dev.vrf, tos: fl.tos, proto: fl.proto, sport: fl.dport, dport: fl.sport,
	}
	if out != 0 {
		back.iif = out
	}
	if dev.srcValidMark {
		back.mark = fl.mark
	} else if fl.mark != 0 {
		d.needs(dev, unknownValidMark)
	}
	t.reverse()
	res := f.lookup(&f.v4, &back, t)
	t.forward()
	d.Depends |= res.depends
	switch {
	case res.isReject():
		if dev.rpFilter != 0 {
			return f.martian(d, SourceUnreachable)
		}
		return d
	case res.entry.typ == route.TypeLocal && !dev.acceptLocal:
		d.needs(dev, unknownAcceptLocal)
		return f.martian(d, SourceLocal)
	case res.entry.typ != route.TypeUnicast && res.entry.typ != route.TypeLocal:
		return f.martian(d, SourceInvalid)
	case f.usesDevice(res.entry, dev), res.entry.typ == route.TypeLocal && dev.Index == lo:
		return d
	case len(dev.addrs4) == 0 && dev.rpFilter != 0:
		return f.martian(d, SourceUnreachable)
	case dev.rpFilter == 1:
		return f.martian(d, SourcePath)
	}
	return d
}

// martian returns the decision about a packet whose source is refused.
func (f *FIB) martian(d Decision, r Refusal) Decision {
	d.Verdict, d.Refusal, d.Error = None, r, EINVAL
	if r == SourcePath || r == SourceUnreachable {
		d.Error = EXDEV
	}
	d.OIF, d.Via, d.Candidates = 0, netip.Addr{}, nil
	return d
}

// usesDevice reports whether a next hop of a route leaves by an interface:
// fib_info_nh_uses_dev of net/ipv4/fib_frontend.c.
func (f *FIB) usesDevice(e *entry, dev *device) bool {
	for i := range e.hops {
		n := &e.hops[i]
		if n.oif == dev.Index {
			return true
		}
		if d := f.device(n.oif); d != nil && d.vrf != 0 && d.vrf == dev.Index {
			return true
		}
	}
	return false
}

package explain

import (
	"net/netip"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

func is4(k key, bits int, addr uint32) bool { return uint32(k.hi>>32)>>(32-bits) == addr>>(32-bits) }

// The addresses that the kernel treats in a special way.
func isMulticast4(k key) bool     { return is4(k, 4, 0xe0000000) }
func isLocalMulticast(k key) bool { return is4(k, 24, 0xe0000000) }
func isBroadcast4(k key) bool     { return is4(k, 32, 0xffffffff) }
func isLoopback4(k key) bool      { return is4(k, 8, 0x7f000000) }

// isLocal4 reports whether an address is one of this host's, and returns the interface
// that has it: __ip_dev_find of net/ipv4/devinet.c.
func (f *FIB) isLocal4(k key) (index uint32, ok bool) {
	if index, ok := f.v4.local[k]; ok {
		return index, true
	}
	at := f.v4.merged
	if at < 0 {
		var ok bool
		if at, ok = f.v4.byID[rttables.Local]; !ok {
			return 0, false
		}
	}
	fl := flow{dst: k}
	res := f.lookupTable4(&f.v4.tables[at], &fl, nil)
	if res.entry != nil && res.errno == 0 && res.entry.typ == route.TypeLocal && res.hop >= 0 {
		return res.entry.hops[res.hop].oif, true
	}
	return 0, false
}

// output4 decides about a packet that this host sends: ip_route_output_key_hash_rcu of
// net/ipv4/route.c.
func (f *FIB) output4(fl *flow, t *trace) Decision {
	group := isMulticast4(fl.dst) || isBroadcast4(fl.dst)
	if !fl.src.isZero() {
		if isMulticast4(fl.src) || isBroadcast4(fl.src) {
			return refuse(SourceInvalid, EINVAL)
		}
		index, ok := f.isLocal4(fl.src)
		if !ok {
			return refuse(SourceNotLocal, ENETUNREACH)
		}
		if fl.oif == 0 && group {
			return f.onLink4(fl, f.device(index))
		}
	}
	if fl.oif != 0 {
		d := f.device(fl.oif)
		if !d.isUp() {
			return refuse(InterfaceDown, ENETUNREACH)
		}
		if isLocalMulticast(fl.dst) || isBroadcast4(fl.dst) || fl.proto == protoIGMP {
			f.sourceFrom(fl, d, route.ScopeLink)
			return f.onLink4(fl, d)
		}
		if fl.src.isZero() && isMulticast4(fl.dst) {
			f.sourceFrom(fl, d, route.ScopeGlobal)
		} else if fl.src.isZero() && fl.dst.isZero() {
			f.sourceFrom(fl, d, route.ScopeHost)
		}
	}
	if fl.dst.isZero() {
		return f.toSelf4(fl)
	}
	res := f.lookup(&f.v4, fl, t) // takes a VRF from fl.oif
	if res.isReject() {
		if fl.oif != 0 && (isMulticast4(fl.dst) || fl.vrf == 0) {
			d := f.device(fl.oif)
			f.sourceFrom(fl, d, route.ScopeLink)
			return f.onLink4(fl, d)
		}
		return f.refusal(&res)
	}
	return f.deliver4(fl, &res)
}

// protoIGMP is the protocol of multicast groups, which the kernel always sends by the
// interface that it is told.
const protoIGMP = 2

// sourceFrom gives a packet without a source one of an interface.
func (f *FIB) sourceFrom(fl *flow, d *device, scope route.Scope) {
	if fl.src.isZero() {
		fl.src = f.selectAddr(d, key{}, false, scope)
	}
}

// toSelf4 decides about a packet without a destination, which is for this host.
func (f *FIB) toSelf4(fl *flow) Decision {
	if fl.src.isZero() {
		fl.src = key{hi: 0x7f000001 << 32}
	}
	fl.dst = fl.src
	d := unruled()
	d.Verdict, d.OIF, d.Source = Local, lo, fl.src.addr(true)
	return d
}

// onLink4 decides about a packet that leaves by an interface whatever the rules say.
func (f *FIB) onLink4(fl *flow, dev *device) Decision {
	d := unruled()
	if dev == nil {
		return refuse(NoInterface, ENODEV)
	}
	d.OIF, d.Verdict = dev.Index, Unicast
	return f.finish4(fl, dev, d)
}

// finish4 is __mkroute_output of net/ipv4/route.c.
func (f *FIB) finish4(fl *flow, dev *device, d Decision) Decision {
	if isLoopback4(fl.src) && !dev.routeLocalnet && dev.Flags&FlagLoopback == 0 && dev.Table == 0 {
		return refuse(SourceLoopback, EINVAL)
	}
	switch {
	case isBroadcast4(fl.dst):
		d.Verdict = Broadcast
	case isMulticast4(fl.dst):
		d.Verdict = Multicast
	}
	if !fl.src.isZero() {
		d.Source = fl.src.addr(true)
	}
	return d
}

// deliver4 decides about a packet for which the rules have found a route.
func (f *FIB) deliver4(fl *flow, res *found) Decision {
	e := res.entry
	d := f.decision(res)
	if e.typ == route.TypeLocal {
		if fl.src.isZero() {
			if fl.src = fl.dst; e.hasPrefSrc {
				fl.src = e.prefSrc
			}
		}
		out := f.device(e.hops[res.hop].oif)
		d.OIF = lo
		if out != nil && out.vrf != 0 {
			d.OIF = out.vrf
		}
		if out = f.device(d.OIF); out == nil {
			d.Source = fl.src.addr(true)
			return d
		}
		return f.finish4(fl, out, d)
	}
	f.selectPath4(fl, res, true)
	f.setHop(&d, res)
	out := f.device(e.hops[res.hop].oif)
	if out == nil {
		return refuse(NoInterface, ENODEV)
	}
	chosen := fl.src.isZero()
	switch {
	case !chosen:
	case fl.vrf == 0 || fl.vrf == out.vrf:
		fl.src = f.prefSource4(res)
	default: // the route leads out of the VRF, and the source stays in it
		fl.src, chosen = f.selectAddr(f.device(fl.vrf), key{}, false, route.ScopeLink), false
	}
	if res.choice != nil && isLoopback4(fl.src) {
		out = f.loopbackHop(e, out)
	}
	d = f.finish4(fl, out, d)
	if d.Verdict == Broadcast || d.Verdict == Multicast && e.bits < 4 {
		d.Via = netip.Addr{} // the kernel then ignores the route's gateway
		if res.choice != nil {
			d.Candidates = res.choice.onLink
		}
	}
	if res.choice != nil && chosen && !res.choice.sameSource {
		d.Source = netip.Addr{}
	}
	return d
}

// loopbackHop returns the interface of a next hop that takes packets from a loopback
// address, or another one if there is none.
func (f *FIB) loopbackHop(e *entry, otherwise *device) *device {
	for i := range e.hops {
		if d := f.device(e.hops[i].oif); d != nil && (d.routeLocalnet || d.Flags&FlagLoopback != 0 || d.Table != 0) {
			return d
		}
	}
	return otherwise
}

// prefSource4 is fib_result_prefsrc of net/ipv4/fib_semantics.c.
func (f *FIB) prefSource4(res *found) key {
	if res.entry.hasPrefSrc {
		return res.entry.prefSrc
	}
	return res.entry.hops[res.hop].source
}

// selectAddr is inet_select_addr of net/ipv4/devinet.c. It returns the address of an
// interface for packets to a gateway, or any if there is no gateway.
func (f *FIB) selectAddr(d *device, gw key, hasGW bool, scope route.Scope) key {
	var chosen *Address
	if d != nil {
		limit := route.Scope(route.ScopeHost)
		if d.routeLocalnet {
			limit = route.ScopeLink
		}
		for _, a := range d.addrs4 {
			if a.Flags&FlagSecondary != 0 || min(a.Scope, limit) > scope {
				continue
			}
			if !hasGW || a.contains(gw) {
				return keyOf(a.Addr)
			}
			if chosen == nil {
				chosen = a
			}
		}
	}
	if chosen != nil {
		return keyOf(chosen.Addr)
	}
	return f.selectAnyAddr(d, scope)
}

// selectAnyAddr returns an address of another interface of the same VRF.
func (f *FIB) selectAnyAddr(d *device, scope route.Scope) key {
	vrf := uint32(0)
	if d != nil {
		vrf = d.vrf
	}
	if m := f.device(vrf); vrf != 0 && m != nil {
		if a := m.anyAddr(scope); a.IsValid() {
			return keyOf(a)
		}
	}
	for i := range f.devices {
		if m := &f.devices[i]; m.vrf == vrf {
			if a := m.anyAddr(scope); a.IsValid() {
				return keyOf(a)
			}
		}
	}
	return key{}
}

// anyAddr is in_dev_select_addr of net/ipv4/devinet.c.
func (d *device) anyAddr(scope route.Scope) netip.Addr {
	for _, a := range d.addrs4 {
		if a.Flags&FlagSecondary == 0 && a.Scope != route.ScopeLink && a.Scope <= scope {
			return a.Addr
		}
	}
	return netip.Addr{}
}

// contains reports whether an address is in the subnet of a.
func (a *Address) contains(k key) bool {
	of := a.Addr
	if a.Peer.IsValid() {
		of = a.Peer
	}
	m := maskOf(int(a.Bits))
	return keyOf(of).and(m) == k.and(m)
}

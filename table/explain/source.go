package explain

import (
	"net/netip"
)

// source4 returns the source of a packet: its own, or the one that the kernel chooses
// by the route (fib_result_prefsrc of net/ipv4/fib_semantics.c).
func (f *FIB) source4(fl *flow, res *found) netip.Addr {
	if !fl.src.isZero() {
		return fl.src.addr(true)
	}
	e := res.entry
	switch {
	case e == nil:
		return netip.Addr{}
	case e.hasPrefSrc:
		return e.prefSrc.addr(true)
	case res.hop < 0:
		return netip.Addr{}
	}
	d := f.device(e.hops[res.hop].oif)
	if d == nil || len(d.addrs4) == 0 {
		return netip.Addr{}
	}
	return d.addrs4[0].Addr
}

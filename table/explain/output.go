package explain

import (
	"github.com/policyroute/policyroute/route"
)

// output4 is ip_route_output_key_hash_rcu of net/ipv4/route.c.
func (f *FIB) output4(fl *flow, t *trace) Decision {
	h := &f.v4
	if fl.hasSrc && !fl.src.isZero() && h.local[fl.src] == nil && fl.src.hi>>56 != 127 {
		return refuse(EINVAL)
	}
	res := f.lookup(h, fl, t)
	if res.errno != 0 && fl.oif != 0 {
		d := none
		d.Verdict, d.OIF = Unicast, fl.oif
		d.Source = f.source4(fl, &res)
		return d
	}
	d := f.decision(h, fl, &res)
	if d.Error == 0 {
		d.Source = f.source4(fl, &res)
	}
	return d
}

// input4 is ip_route_input_slow of net/ipv4/route.c.
func (f *FIB) input4(fl *flow, t *trace) Decision {
	fl.uid = 0
	res := f.lookup(&f.v4, fl, t)
	return f.decision(&f.v4, fl, &res)
}

// output6 is ip6_route_output_flags of net/ipv6/route.c.
func (f *FIB) output6(fl *flow, t *trace) Decision {
	res := f.lookup(&f.v6, fl, t)
	d := f.decision(&f.v6, fl, &res)
	if fl.hasSrc {
		d.Source = fl.src.addr(false)
	} else if res.entry != nil && res.entry.hasPrefSrc {
		d.Source = res.entry.prefSrc.addr(false)
	}
	return d
}

// input6 is ip6_route_input_lookup of net/ipv6/route.c.
func (f *FIB) input6(fl *flow, t *trace) Decision {
	fl.uid, fl.hasSrc = 0, true
	res := f.lookup(&f.v6, fl, t)
	return f.decision(&f.v6, fl, &res)
}

// decision turns what a table has into a Decision.
func (f *FIB) decision(h *half, fl *flow, res *found) Decision {
	d := Decision{Rule: res.rule, Route: -1, Table: res.table, Error: res.errno}
	if res.rule < 0 {
		return d
	}
	if res.errno != 0 {
		d.Verdict = refusal(res)
	}
	e := res.entry
	if e == nil {
		return d
	}
	d.Route = e.place
	if res.errno != 0 {
		return d
	}
	switch e.typ {
	case route.TypeLocal, route.TypeAnycast:
		d.Verdict, d.OIF = Local, lo
		return d
	case route.TypeBroadcast:
		d.Verdict = Broadcast
	case route.TypeMulticast:
		d.Verdict = Multicast
	default:
		d.Verdict = Unicast
	}
	if len(e.hops) > 1 && fl.oif == 0 {
		d.Candidates, d.Depends = e.candidates, DependsHash
		return d
	}
	n := &e.hops[res.hop]
	d.OIF, d.Via = n.oif, e.candidates[res.hop].Via
	return d
}

// refusal returns the verdict about a packet that a rule or a route refuses.
func refusal(res *found) Verdict {
	switch res.errno {
	case EACCES:
		return Prohibit
	case EINVAL:
		return Blackhole
	}
	return Unreachable
}

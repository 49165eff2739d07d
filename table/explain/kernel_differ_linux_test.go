package explain_test

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table/explain"
)

// A difference is one between the model and the kernel about a packet.
type difference struct {
	kind   string // what differs
	detail string
}

func differ(kind, format string, args ...any) *difference {
	return &difference{kind, fmt.Sprintf(format, args...)}
}

// verdicts are those of the types of routes.
var verdicts = map[route.Type]explain.Verdict{
	route.TypeUnicast: explain.Unicast, route.TypeLocal: explain.Local, route.TypeAnycast: explain.Local,
	route.TypeBroadcast: explain.Broadcast, route.TypeMulticast: explain.Multicast,
}

// compare returns the first difference, or nil.
func compare(f *explain.FIB, e *explain.Explanation, a *answer) *difference {
	d, p := &e.Decision, &e.Packet
	number := errno(a.err)
	switch {
	case number == 0 && d.Error != 0:
		return differ("refused", "the model has %s, the kernel %s", d.Error, a.route)
	case number != 0 && d.Error == 0:
		return differ("not refused", "the kernel has %v", a.err)
	case number != 0 && p.IIF == "" && number != int(d.Error): // of input, kernels since 6.13 say EINVAL for all
		return differ("error", "the model has %s, the kernel %v", d.Error, a.err)
	}
	if x := compareTables(f, e, a); x != nil {
		return x
	}
	if number != 0 {
		return compareMatch(f, e, a)
	}
	if want := verdicts[a.route.Type]; d.Verdict != want {
		return differ("verdict", "the model has %s, the kernel %s", d.Verdict, a.route)
	}
	if d.Table != a.route.Table && (d.Table != 0 || d.Rule >= 0) {
		return differ("table", "the model has %d, the kernel %d", d.Table, a.route.Table)
	}
	if x := compareHop(d, p, a); x != nil {
		return x
	}
	return compareMatch(f, e, a)
}

// compareTables compares the tables that are asked. An Explanation leaves out tables without
// routes.
func compareTables(f *explain.FIB, e *explain.Explanation, a *answer) *difference {
	if !a.traced || e.Packet.IIF != "" && e.Packet.From == e.Packet.To {
		return nil // the way and the way back of such a packet cannot be told apart
	}
	world := f.World()
	if asked := withRoutes(world, e, e.Steps, a.tables); !slices.Equal(e.Tables, asked) {
		return differ("tables", "the model asks %v, the kernel %v", e.Tables, a.tables)
	}
	var back []rttables.ID
	for _, s := range e.Back {
		switch {
		case s.Merged && s.Asked:
			back = append(back, rttables.Main)
		case s.Asked:
			back = append(back, s.Table)
		}
	}
	// If the source is behind another interface, the kernel looks again, which changes nothing.
	asked := withRoutes(world, e, e.Back, a.reverse)
	if len(asked) < len(back) || !slices.Equal(back, asked[:len(back)]) || len(back) == 0 && len(asked) > 0 {
		return differ("tables of the way back", "the model asks %v, the kernel %v", back, a.reverse)
	}
	return nil
}

// withRoutes leaves out the tables that have no routes in a World.
func withRoutes(w *explain.World, e *explain.Explanation, steps []explain.Step, ids []rttables.ID) []rttables.ID {
	merged := len(steps) > 0 && steps[0].Merged
	return slices.DeleteFunc(slices.Clone(ids), func(id rttables.ID) bool {
		return !slices.ContainsFunc(w.Routes, func(r route.Route) bool {
			return (r.Family == route.IPv4) == e.Packet.To.Is4() && (r.Table == id || merged && r.Table == rttables.Local && id == rttables.Main)
		})
	})
}

// compareHop compares the next hops, and the sources that a program gets.
func compareHop(d *explain.Decision, p *explain.Packet, a *answer) *difference {
	source := p.From
	if !source.IsValid() || source.IsUnspecified() {
		source = a.route.PrefSrc
	}
	if len(d.Candidates) == 0 {
		if d.OIF != a.route.OIF || d.Via != a.route.Gateway {
			return differ("next hop", "the model has %d via %v, the kernel %d via %v", d.OIF, d.Via, a.route.OIF, a.route.Gateway)
		}
		if p.IIF == "" && d.Source != source && !(d.Depends&explain.DependsHash != 0 && !d.Source.IsValid()) {
			return differ("source", "the model has %v, the kernel %v", d.Source, source)
		}
		return nil
	}
	sources := []netip.Addr{}
	for _, c := range d.Candidates {
		if c.OIF != a.route.OIF || c.Via != a.route.Gateway {
			continue
		}
		has := d.Source
		if !has.IsValid() {
			has = c.Source
		}
		if p.IIF != "" || has == source {
			return nil
		}
		sources = append(sources, has)
	}
	if len(sources) > 0 {
		return differ("source of a candidate", "the model has %v, the kernel %v", sources, source)
	}
	return differ("candidates", "the kernel has %d via %v, not one of %v", a.route.OIF, a.route.Gateway, d.Candidates)
}

// compareMatch compares the routes.
func compareMatch(f *explain.FIB, e *explain.Explanation, a *answer) *difference {
	d := &e.Decision
	if a.matchErr != nil {
		if d.Route >= 0 && d.Error == 0 {
			return differ("no match", "the model has the route %s, the kernel %v", f.World().Routes[d.Route], a.matchErr)
		}
		return nil
	}
	if d.Route < 0 {
		return differ("match", "the model has no route, the kernel %s", a.match)
	}
	has := f.World().Routes[d.Route]
	if len(e.Steps) > 0 && e.Steps[0].Merged && has.Table == rttables.Local {
		has.Table = rttables.Main // as the kernel says of both
	}
	// For multicast and 255.255.255.255, fibmatch shows the type of the destination.
	if d.Verdict == explain.Multicast || e.Packet.To == broadcast {
		has.Type = a.match.Type
	}
	if !isSame(&has, &a.match) {
		return differ("route", "the model has the route %s, the kernel %s", has, a.match)
	}
	return nil
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// isSame reports whether a route of a World is one of the kernel. The next hops of IPv6 can have
// been added with different protocols, of which the kernel shows that of the first next hop.
func isSame(w, k *route.Route) bool {
	if w.Family == route.IPv6 && len(w.Multipath) > 0 && len(k.Multipath) > 0 {
		k.Protocol = w.Protocol
	}
	return prefix(w.Dst) == prefix(k.Dst) && prefix(w.Src) == prefix(k.Src) && w.Table == k.Table && typeOf(w) == typeOf(k) &&
		w.TOS == k.TOS && metric(w) == metric(k) && w.Protocol == k.Protocol && w.NextHopID == k.NextHopID &&
		(w.NextHopID != 0 || w.OIF == k.OIF && w.Gateway == k.Gateway && len(w.Multipath) == len(k.Multipath))
}

func prefix(p netip.Prefix) netip.Prefix {
	if p.Bits() <= 0 {
		return netip.Prefix{}
	}
	return p
}

func typeOf(r *route.Route) route.Type {
	if r.Type == 0 {
		return route.TypeUnicast
	}
	return r.Type
}

// metric is that of a route; IPv6 has 1024 where none is given.
func metric(r *route.Route) uint32 {
	if r.Family == uapi.AF_INET6 && r.Priority == 0 && r.Protocol != route.ProtoKernel {
		return 1024
	}
	return r.Priority
}

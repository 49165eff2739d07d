package show

import (
	"time"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/nexthop"
)

// NextHops returns what "ip nexthop show" of iproute2 7.1 prints for objects: a
// line for each object, or JSON.
func NextHops(objects []nexthop.Object, s Style) string {
	return s.list(len(objects), func(p *printer, i int) { p.nextHop(&objects[i]) })
}

// NextHop returns what "ip nexthop show" prints for n alone, without the newline
// at its end. JSON is an array of one object.
func NextHop(n nexthop.Object, s Style) string { return one(NextHops([]nexthop.Object{n}, s)) }

// object prints, with details, the nexthop object that the route names, if the
// style has it.
func (p *routePrinter) object() {
	if p.r.NextHopID == 0 || !p.Details {
		return
	}
	for i := range p.NextHops {
		if n := &p.NextHops[i]; n.ID == p.r.NextHopID {
			p.Text("\n\tnh_info ")
			p.StartObject("nh_info")
			p.nextHop(n)
			p.EndObject()
			return
		}
	}
}

func (p *printer) nextHop(n *nexthop.Object) {
	putUint(p, "id", "id ", n.ID)
	p.group(n)
	p.objectEncap(n)
	if n.Gateway.IsValid() {
		p.put("gateway", "via ", iptext.AddrText(n.Gateway))
	}
	if n.OIF != 0 {
		p.put("dev", "dev ", p.links.Name(n.OIF))
	}
	if n.Scope != route.ScopeGlobal || p.Details {
		p.put("scope", "scope ", p.name(p.files.Scopes(), uint32(n.Scope)))
	}
	if n.Blackhole {
		p.Null("blackhole", "blackhole ")
	}
	if n.Protocol != route.ProtoUnspec || p.Details {
		p.put("protocol", "proto ", p.name(p.files.Protos(), uint32(n.Protocol)))
	}
	p.flags(n.Flags)
	if n.FDB {
		p.Null("fdb", "fdb ")
	}
}

// group prints the members of a group, and the settings of a resilient one.
func (p *printer) group(n *nexthop.Object) {
	if len(n.Group) > 0 {
		p.Text("group ")
		p.StartArray("group")
		before := ""
		for _, m := range n.Group {
			p.StartObject("")
			p.Uint("id", before, uint64(m.ID))
			if m.Weight > 1 {
				p.Uint("weight", ",", uint64(m.Weight))
			}
			p.EndObject()
			before = "/"
		}
		p.EndArray()
		p.Text(" ")
	}
	if n.GroupType == nexthop.GroupMpath {
		return
	}
	p.put("type", "type ", nameOr(n.GroupType, "<unknown type>"))
	if res := n.Resilient; res != (nexthop.ResilientGroup{}) {
		p.StartObject("resilient_args")
		putUint(p, "buckets", "buckets ", res.Buckets)
		p.putSeconds("idle_timer", res.IdleTimer.Or(0))
		p.putSeconds("unbalanced_timer", res.UnbalancedTimer.Or(0))
		p.putSeconds("unbalanced_time", res.UnbalancedTime)
		p.EndObject()
	}
}

// putSeconds prints a time in seconds with up to six digits.
func (p *printer) putSeconds(name string, d time.Duration) {
	p.Number(name, name+" ", general(d.Seconds()))
	p.Text(" ")
}

// objectEncap prints the encapsulation of an object, which is among the
// attributes that the object has no field for. It decodes the encapsulation as
// that of a route, whose attributes have the same payloads.
func (p *printer) objectEncap(n *nexthop.Object) {
	typ, hasType := attr.First(n.Unknown, uapi.NHA_ENCAP_TYPE)
	data, hasData := attr.First(n.Unknown, uapi.NHA_ENCAP)
	if !hasType || !hasData || len(typ) < 2 {
		return
	}
	b := make([]byte, uapi.SizeofRtMsg)
	b = attr.Append(b, uint16(uapi.RTA_ENCAP_TYPE), typ[:2])
	b = attr.Append(b, uint16(uapi.RTA_ENCAP), data)
	var r route.Route
	if err := r.UnmarshalBinary(b); err == nil {
		p.encap(r.Encap)
	}
}

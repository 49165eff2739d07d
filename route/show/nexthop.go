package show

import (
	"encoding/binary"
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
		p.putColored(colorOfAddr(n.Gateway), "gateway", "via ", iptext.AddrText(n.Gateway))
	}
	if n.OIF != 0 {
		p.putColored(cyan, "dev", "dev ", p.links.Name(n.OIF))
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
		p.Null("fdb", "fdb") // without a blank
	}
	p.objectStatistics(n)
}

// objectStatistics prints what is counted of a group, if the kernel was asked for it:
// whether the hardware counts, and how many packets each member got. Both are among the
// attributes that the object has no field for.
func (p *printer) objectStatistics(n *nexthop.Object) {
	if _, ok := attr.First(n.Unknown, uapi.NHA_HW_STATS_ENABLE); ok && (p.Details || p.Statistics) {
		p.StartObject("hw_stats")
		p.onOff("enabled", "hw_stats", hostU32(n.Unknown, uint16(uapi.NHA_HW_STATS_ENABLE)))
		p.onOff("used", "used", hostU32(n.Unknown, uint16(uapi.NHA_HW_STATS_USED)))
		p.EndObject()
	}
	stats, ok := attr.First(n.Unknown, uapi.NHA_GROUP_STATS)
	if !ok || !p.Statistics {
		return
	}
	p.StartArray("group_stats")
	p.Text(p.lineEnd(), "  stats:", p.lineEnd())
	before := ""
	for num, payload := range route.Attributes(stats).All() {
		if num&attr.TypeMask != uapi.NHA_GROUP_STATS_ENTRY {
			continue
		}
		entry := route.Attributes(payload)
		p.Text(before)
		p.StartObject("")
		p.Uint("id", "    id ", uint64(hostU32(entry, uapi.NHA_GROUP_STATS_ENTRY_ID)))
		p.Uint("packets", " packets ", hostUint(entry, uapi.NHA_GROUP_STATS_ENTRY_PACKETS))
		if _, ok := attr.First(entry, uapi.NHA_GROUP_STATS_ENTRY_PACKETS_HW); ok {
			p.Uint("packets_hw", " packets_hw ", hostUint(entry, uapi.NHA_GROUP_STATS_ENTRY_PACKETS_HW))
		}
		p.EndObject()
		before = p.lineEnd()
	}
	p.EndArray()
}

// onOff prints a number as on or off, in JSON as true or false.
func (p *printer) onOff(name, word string, n uint32) {
	p.Bool(name, n != 0)
	p.Text(word, " ", map[bool]string{true: "on ", false: "off "}[n != 0])
}

// hostUint returns the host-order number of 32 or 64 bits in an attribute, zero if
// there is none.
func hostUint(attrs route.Attributes, num int) uint64 {
	payload, _ := attr.First(attrs, num)
	if len(payload) >= 8 {
		return binary.NativeEndian.Uint64(payload)
	}
	return uint64(hostU32(attrs, num))
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

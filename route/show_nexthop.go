package route

import (
	"encoding/binary"
	"strings"
	"time"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
)

// Show is what "ip nexthop show" of iproute2 7.1 prints for n alone, without
// the newline at its end: a line of text, or JSON, an array of one object.
func (n NextHopObject) Show(s Style) string {
	return strings.TrimSuffix(ShowNextHops([]NextHopObject{n}, s), "\n")
}

// ShowNextHops is all that "ip nexthop show" prints for objects.
func ShowNextHops(objects []NextHopObject, s Style) string {
	o := iptext.NewOut(s.JSON, s.Pretty)
	v := s.shower()
	o.StartArray("")
	for i := range objects {
		o.StartObject("")
		objects[i].show(o, &v)
		o.EndObject()
		o.Newline()
	}
	o.EndArray()
	if s.JSON {
		o.Newline()
	}
	return o.String()
}

// showObject writes, with details, the object that the route names, if it is
// given.
func showObject(o *iptext.Out, r *shown) {
	if r.NextHopID == 0 || !r.Details {
		return
	}
	for i := range r.NextHops {
		if n := &r.NextHops[i]; n.ID == r.NextHopID {
			o.Text("\n\tnh_info ")
			o.StartObject("nh_info")
			n.show(o, &r.shower)
			o.EndObject()
			return
		}
	}
}

func (n *NextHopObject) show(o *iptext.Out, s *shower) {
	putUint(o, "id", "id ", n.ID)
	n.showGroup(o)
	n.showEncap(o, s)
	if n.Gateway.IsValid() {
		put(o, "gateway", "via ", iptext.AddrText(n.Gateway))
	}
	if n.OIF != 0 {
		put(o, "dev", "dev ", s.links.Name(n.OIF))
	}
	if n.Scope != ScopeGlobal || s.Details {
		put(o, "scope", "scope ", s.name(s.files.Scopes(), uint32(n.Scope)))
	}
	if n.Blackhole {
		o.Null("blackhole", "blackhole ")
	}
	if n.Protocol != ProtoUnspec || s.Details {
		put(o, "protocol", "proto ", s.name(s.files.Protos(), uint32(n.Protocol)))
	}
	showFlags(o, n.Flags)
	if n.FDB {
		o.Null("fdb", "fdb ")
	}
}

// showGroup writes the members, and what a resilient group has.
func (n *NextHopObject) showGroup(o *iptext.Out) {
	if len(n.Group) > 0 {
		o.Text("group ")
		o.StartArray("group")
		before := ""
		for _, m := range n.Group {
			o.StartObject("")
			o.Uint("id", before, uint64(m.ID))
			if m.Weight > 1 {
				o.Uint("weight", ",", uint64(m.Weight))
			}
			o.EndObject()
			before = "/"
		}
		o.EndArray()
		o.Text(" ")
	}
	if n.GroupType == GroupMpath {
		return
	}
	name := "<unknown type>"
	if n.GroupType <= 255 {
		name = enumName(groupTypes, uint64(n.GroupType), name)
	}
	put(o, "type", "type ", name)
	if res := n.Resilient; res != (ResilientGroup{}) {
		o.StartObject("resilient_args")
		putUint(o, "buckets", "buckets ", res.Buckets)
		putSeconds(o, "idle_timer", res.IdleTimer.Or(0))
		putSeconds(o, "unbalanced_timer", res.UnbalancedTimer.Or(0))
		putSeconds(o, "unbalanced_time", res.UnbalancedTime)
		o.EndObject()
	}
}

// putSeconds writes a time in seconds with up to six digits.
func putSeconds(o *iptext.Out, name string, d time.Duration) {
	o.Number(name, name+" ", general(d.Seconds()))
	o.Text(" ")
}

// showEncap writes the encapsulation among the attributes that the object has
// no field for.
func (n *NextHopObject) showEncap(o *iptext.Out, s *shower) {
	typ, ok1 := first(n.Unknown, uint16(uapi.NHA_ENCAP_TYPE))
	data, ok2 := first(n.Unknown, uint16(uapi.NHA_ENCAP))
	if !ok1 || !ok2 || len(typ) < 2 {
		return
	}
	if e, err := decodeEncap(EncapType(binary.NativeEndian.Uint16(typ)), data); err == nil {
		showEncap(o, s, e)
	}
}

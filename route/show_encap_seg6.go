package route

import (
	"encoding/binary"
	"net/netip"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
)

func (e EncapSeg6) show(o *iptext.Out, s *shower) {
	if e.SRH == (SRH{}) {
		return
	}
	put(o, "mode", "mode ", enumName(seg6Modes, uint64(e.Mode), "<unknown>"))
	putAddr(o, tunSrcWord, e.TunSrc)
	e.SRH.show(o, e.Mode == Seg6Inline)
	if e.Lookup != 0 {
		put(o, lookupWord, lookupWord+" ", s.tableName(e.Lookup))
	}
}

// show writes the segments from the first, which is the last in a header, and
// the number of the key. Those of a header that is too short are left out.
func (h SRH) show(o *iptext.Out, slot bool) {
	raw, err := h.append(nil, slot)
	if err != nil || len(raw) < uapi.SizeofIPv6SRHdr {
		return
	}
	segs := reversedSegments(raw[uapi.SizeofIPv6SRHdr:], int(raw[uapi.IPv6SRHdrFirstSegment])+1)
	showSegments(o, segs)
	size := (int(raw[uapi.IPv6SRHdrHdrlen]) + 1) * 8
	if raw[uapi.IPv6SRHdrFlags]&uapi.SR6_FLAG1_HMAC == 0 || size > len(raw) || size < sizeHMAC {
		return
	}
	key := binary.BigEndian.Uint32(raw[size-sizeHMAC+hmacKeyID:])
	showHex(o, "hmac", key, "hmac %X ")
}

func reversedSegments(b []byte, n int) (addrs []netip.Addr) {
	for i := min(n, len(b)/16) - 1; i >= 0; i-- {
		addrs = append(addrs, netip.AddrFrom16([16]byte(b[16*i:])))
	}
	return addrs
}

func showSegments(o *iptext.Out, addrs []netip.Addr) {
	o.Text("segs ", iptext.Decimal(uint32(len(addrs))), " [ ")
	o.StartArray("segs")
	for _, a := range addrs {
		put(o, "", "", iptext.AddrText(a))
	}
	o.EndArray()
	o.Text("] ")
}

func (e EncapSeg6Local) show(o *iptext.Out, s *shower) {
	if e.Action == 0 {
		return
	}
	put(o, "action", "action ", e.actionName())
	if e.SRH != (SRH{}) {
		o.StartObject("srh")
		e.SRH.show(o, e.Action.slot())
		o.EndObject()
	}
	if e.Table != 0 {
		put(o, "table", "table ", s.tableName(e.Table))
	}
	if e.VRFTable != 0 {
		put(o, "vrftable", "vrftable ", s.tableName(e.VRFTable))
	}
	putAddr(o, "nh4", e.NH4)
	putAddr(o, "nh6", e.NH6)
	if e.IIF != 0 {
		put(o, "iif", "iif ", s.links.Name(e.IIF))
	}
	if e.OIF != 0 {
		put(o, "oif", "oif ", s.links.Name(e.OIF))
	}
	if prog, ok := first(e.Unknown, uint16(uapi.SEG6_LOCAL_BPF)); ok {
		showProgram(o, "endpoint", Attributes(prog))
	}
	if c, ok := e.Counters.Get(); ok && s.Statistics {
		o.StartObject("stats64")
		putUint(o, "packets", "packets ", c.Packets)
		putUint(o, "bytes", "bytes ", c.Bytes)
		putUint(o, "errors", "errors ", c.Errors)
		o.EndObject()
	}
	e.Flavors.show(o)
}

// actionName is the name of the action. ip(8) tells numbers between those that
// it knows from later ones.
func (e EncapSeg6Local) actionName() string {
	none := "<unknown>"
	if e.Action > uapi.SEG6_LOCAL_ACTION_END_DT46 {
		none = "<invalid>"
	}
	return enumName(seg6Actions, uint64(e.Action), none)
}

func (f Seg6Flavors) show(o *iptext.Out) {
	if f.Ops != 0 {
		names, _ := f.Ops.words()
		before := "flavors "
		if len(names) == 0 {
			o.Text(before)
		}
		o.StartArray("flavors")
		for _, name := range names {
			o.Str("", before, name)
			before = ","
		}
		o.EndArray()
		o.Text(" ")
	}
	if f.LBLen != 0 {
		putUint(o, "lblen", "lblen ", f.LBLen)
	}
	if f.NFLen != 0 {
		putUint(o, "nflen", "nflen ", f.NFLen)
	}
}

package show

import (
	"encoding/binary"
	"net/netip"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

func (p *printer) encapSeg6(e route.EncapSeg6) {
	if e.SRH == (route.SRH{}) {
		return
	}
	p.put("mode", "mode ", nameOr(e.Mode, unknownBracket))
	p.putAddr("tunsrc", e.TunSrc)
	p.srh(e.SRH, e.Mode == route.Seg6Inline)
	if e.Lookup != 0 {
		p.put("lookup", "lookup ", p.tableName(e.Lookup))
	}
}

// srh prints the segments of a header, from the first to the last, and the
// number of the key. inline says that the header is put into the packet itself:
// the packet's own destination is then the last segment.
func (p *printer) srh(h route.SRH, inline bool) {
	if h.Raw != "" {
		p.rawSRH([]byte(h.Raw))
		return
	}
	segs := h.Segs.Values()
	if len(segs) == 0 {
		return
	}
	if inline {
		segs = append(segs, netip.IPv6Unspecified())
	}
	p.segments(segs)
	if h.HMAC != 0 {
		p.hmac(h.HMAC)
	}
}

// rawSRH prints a header as it is in messages, where the last segment is first.
// It leaves out the segments that do not fit into b.
func (p *printer) rawSRH(b []byte) {
	if len(b) < uapi.SizeofIPv6SRHdr {
		return
	}
	p.segments(reversedSegments(b[uapi.SizeofIPv6SRHdr:], int(b[uapi.IPv6SRHdrFirstSegment])+1))
	size := (int(b[uapi.IPv6SRHdrHdrlen]) + 1) * 8
	if b[uapi.IPv6SRHdrFlags]&uapi.SR6_FLAG1_HMAC == 0 || size > len(b) || size < uapi.SizeofSR6TLVHMAC {
		return
	}
	p.hmac(binary.BigEndian.Uint32(b[size-uapi.SizeofSR6TLVHMAC+uapi.SR6TLVHMACKeyID:]))
}

func (p *printer) hmac(key uint32) { p.putHex("hmac", key, "hmac %X ") }

// reversedSegments returns the first n addresses of b in reverse order.
func reversedSegments(b []byte, n int) (addrs []netip.Addr) {
	for i := min(n, len(b)/16) - 1; i >= 0; i-- {
		addrs = append(addrs, netip.AddrFrom16([16]byte(b[16*i:])))
	}
	return addrs
}

func (p *printer) segments(addrs []netip.Addr) {
	p.Text("segs ", iptext.Decimal(uint32(len(addrs))), " [ ")
	p.StartArray("segs")
	for _, a := range addrs {
		p.put("", "", iptext.AddrText(a))
	}
	p.EndArray()
	p.Text("] ")
}

func (p *printer) encapSeg6Local(e route.EncapSeg6Local) {
	if e.Action == 0 {
		return
	}
	// Between the actions that ip(8) knows are numbers without a name.
	other := unknownBracket
	if e.Action > uapi.SEG6_LOCAL_ACTION_END_DT46 {
		other = invalidBracket
	}
	p.put("action", "action ", nameOr(e.Action, other))
	if e.SRH != (route.SRH{}) {
		p.StartObject("srh")
		p.srh(e.SRH, e.Action != route.Seg6EndB6Encaps)
		p.EndObject()
	}
	if t, ok := e.Table.Get(); ok {
		p.put("table", "table ", p.tableName(t))
	}
	if t, ok := e.VRFTable.Get(); ok {
		p.put("vrftable", "vrftable ", p.tableName(t))
	}
	p.putAddr("nh4", e.NH4)
	p.putAddr("nh6", e.NH6)
	if e.IIF != 0 {
		p.put("iif", "iif ", p.links.Name(e.IIF))
	}
	if e.OIF != 0 {
		p.put("oif", "oif ", p.links.Name(e.OIF))
	}
	if prog, ok := attr.First(e.Unknown, uapi.SEG6_LOCAL_BPF); ok {
		p.program("endpoint", route.Attributes(prog))
	}
	if c, ok := e.Counters.Get(); ok && p.Statistics {
		p.StartObject("stats64")
		putUint(p, "packets", "packets ", c.Packets)
		putUint(p, "bytes", "bytes ", c.Bytes)
		putUint(p, "errors", "errors ", c.Errors)
		p.EndObject()
	}
	p.flavors(e.Flavors)
}

func (p *printer) flavors(f route.Seg6Flavors) {
	if f.Ops != 0 {
		before := "flavors "
		p.StartArray("flavors")
		for _, op := range []route.Seg6FlavorOps{route.Seg6PSP, route.Seg6USP, route.Seg6USD, route.Seg6NextCSID} {
			if f.Ops&op != 0 {
				p.Str("", before, op.String())
				before = ","
			}
		}
		if before != "," {
			p.Text(before)
		}
		p.EndArray()
		p.Text(" ")
	}
	if n, ok := f.LBLen.Get(); ok {
		putUint(p, "lblen", "lblen ", n)
	}
	if n, ok := f.NFLen.Get(); ok {
		putUint(p, "nflen", "nflen ", n)
	}
}

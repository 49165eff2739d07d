package show

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// The words that ip(8) prints for what it does not know.
const (
	unknown        = "unknown"
	unknownBracket = "<unknown>"
	invalidBracket = "<invalid>"
)

// encap prints an encapsulation. Blanks are doubled where ip(8) doubles them.
func (p *printer) encap(e route.Encap) {
	if e == nil {
		return
	}
	name := unknown
	var args func()
	switch e := e.(type) {
	case route.EncapMPLS:
		args = func() { p.encapMPLS(e) }
	case route.EncapIP:
		args = func() { p.encapTunnel(e, "ttl", "tos") }
	case route.EncapIP6:
		args = func() { p.encapTunnel(route.EncapIP(e), "hoplimit", "tc") }
	case route.EncapSeg6:
		args = func() { p.encapSeg6(e) }
	case route.EncapSeg6Local:
		args = func() { p.encapSeg6Local(e) }
	case route.EncapRaw:
		args = func() { p.encapRaw(e) }
	}
	if args != nil { // not a pointer to one of them
		name = nameOr(e.Type(), unknown)
	}
	p.StartObject("encap")
	p.put("encap_type", " encap ", name)
	if args != nil {
		args()
	}
	p.EndObject()
}

func (p *printer) encapMPLS(e route.EncapMPLS) {
	if e.Labels != "" {
		p.put("dst", " ", e.Labels.String())
	}
	if ttl, ok := e.TTL.Get(); ok {
		putUint(p, "ttl", "ttl ", ttl)
	}
}

// encapTunnel prints the key of an IPv4 or an IPv6 tunnel, which have different
// names for the TTL and the DS field.
func (p *printer) encapTunnel(e route.EncapIP, ttl, tos string) {
	if id, ok := e.ID.Get(); ok {
		putUint(p, "id", "id ", id)
	}
	p.putAddr("src", e.Src)
	p.putAddr("dst", e.Dst)
	if v, ok := e.TTL.Get(); ok {
		putUint(p, ttl, ttl+" ", v)
	}
	if v, ok := e.TOS.Get(); ok {
		putUint(p, tos, tos+" ", v)
	}
	for _, x := range []struct {
		flag route.TunnelFlags
		name string
	}{{route.TunnelKey, "key"}, {route.TunnelCsum, "csum"}, {route.TunnelSeq, "seq"}} {
		if e.Flags.Or(0)&x.flag != 0 {
			p.Bool(x.name, true)
			p.Text(x.name, " ")
		}
	}
	p.tunnelOpts(e.Opts)
}

func (p *printer) putAddr(name string, a netip.Addr) {
	if a.IsValid() {
		p.put(name, name+" ", iptext.AddrText(a))
	}
}

// tunnelOpts prints the options of the first kind that is present, in text on a
// line of their own.
func (p *printer) tunnelOpts(opts route.Attributes) {
	for _, kind := range []struct {
		num   uint16
		name  string
		print func(*printer, route.Attributes)
	}{
		{uapi.LWTUNNEL_IP_OPTS_GENEVE, "geneve_opts", (*printer).geneveOpts},
		{uapi.LWTUNNEL_IP_OPTS_VXLAN, "vxlan_opts", (*printer).vxlanOpts},
		{uapi.LWTUNNEL_IP_OPTS_ERSPAN, "erspan_opts", (*printer).erspanOpts},
	} {
		payload, ok := attr.First(opts, kind.num)
		if !ok {
			continue
		}
		p.Text(p.lineEnd(), "\t", kind.name, " ")
		p.StartArray(kind.name)
		kind.print(p, route.Attributes(payload))
		p.EndArray()
		p.Text(" ")
		return
	}
}

// geneveOpts prints class, type and data of each option. Kernels report all
// options in one attribute, in which each option begins with its class.
func (p *printer) geneveOpts(attrs route.Attributes) {
	var opts []route.Attributes
	for num, payload := range attrs.All() {
		if len(opts) == 0 || num&attr.TypeMask == uapi.LWTUNNEL_IP_OPT_GENEVE_CLASS {
			opts = append(opts, "")
		}
		opts[len(opts)-1] += route.Attributes(attr.Append(nil, num, payload))
	}
	before := ""
	for _, opt := range opts {
		p.StartObject("")
		p.Uint("class", before, bigEndian(opt, uapi.LWTUNNEL_IP_OPT_GENEVE_CLASS))
		p.Uint("type", ":", bigEndian(opt, uapi.LWTUNNEL_IP_OPT_GENEVE_TYPE))
		data, _ := attr.First(opt, uapi.LWTUNNEL_IP_OPT_GENEVE_DATA)
		p.Str("data", ":", hex.EncodeToString(data))
		p.EndObject()
		before = ","
	}
}

func (p *printer) vxlanOpts(opts route.Attributes) {
	p.StartObject("")
	p.Uint("gbp", "", uint64(hostU32(opts, uapi.LWTUNNEL_IP_OPT_VXLAN_GBP)))
	p.EndObject()
}

// erspanOpts prints the options of a version of ERSPAN, and zero for those of
// the other version.
func (p *printer) erspanOpts(opts route.Attributes) {
	var index, dir, hwid uint64
	ver := bigEndian(opts, uapi.LWTUNNEL_IP_OPT_ERSPAN_VER)
	if ver == 1 {
		index = bigEndian(opts, uapi.LWTUNNEL_IP_OPT_ERSPAN_INDEX)
	} else {
		dir = bigEndian(opts, uapi.LWTUNNEL_IP_OPT_ERSPAN_DIR)
		hwid = bigEndian(opts, uapi.LWTUNNEL_IP_OPT_ERSPAN_HWID)
	}
	p.StartObject("")
	p.Uint("ver", "", ver)
	p.Uint("index", ":", index)
	p.Uint("dir", ":", dir)
	p.Uint("hwid", ":", hwid)
	p.EndObject()
}

// bigEndian returns the big-endian number of up to 64 bits in an attribute, zero
// if there is none.
func bigEndian(attrs route.Attributes, num int) (v uint64) {
	payload, _ := attr.First(attrs, num)
	for _, b := range payload[:min(len(payload), 8)] {
		v = v<<8 | uint64(b)
	}
	return v
}

// hostU32 returns the host-order number in an attribute, zero if there is none.
func hostU32[A ~uint16 | ~int](attrs route.Attributes, num A) uint32 {
	if payload, _ := attr.First(attrs, num); len(payload) >= 4 {
		return binary.NativeEndian.Uint32(payload)
	}
	return 0
}

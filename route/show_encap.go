package route

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
)

// unknownWord is shown for what ip(8) has no name for.
const unknownWord = "unknown"

// showEncap writes an encapsulation. Blanks are doubled where ip(8) does it.
func showEncap(o *iptext.Out, s *shower, e Encap) {
	if e == nil {
		return
	}
	known := isEncap(e)
	name := unknownWord
	if known {
		name = enumName(encapTypes, uint64(e.Type()), name)
	}
	o.StartObject("encap")
	put(o, "encap_type", " encap ", name)
	if known {
		e.show(o, s)
	}
	o.EndObject()
}

func (e EncapMPLS) show(o *iptext.Out, _ *shower) {
	if e.Labels != "" {
		put(o, "dst", " ", e.Labels.String())
	}
	if ttl, ok := e.TTL.Get(); ok {
		putUint(o, "ttl", "ttl ", ttl)
	}
}

func (e EncapIP) show(o *iptext.Out, s *shower)  { e.showTunnel(o, s, "ttl", "tos") }
func (e EncapIP6) show(o *iptext.Out, s *shower) { EncapIP(e).showTunnel(o, s, "hoplimit", "tc") }

func (e EncapIP) showTunnel(o *iptext.Out, s *shower, ttl, tos string) {
	if id, ok := e.ID.Get(); ok {
		putUint(o, "id", "id ", id)
	}
	putAddr(o, "src", e.Src)
	putAddr(o, "dst", e.Dst)
	if v, ok := e.TTL.Get(); ok {
		putUint(o, ttl, ttl+" ", v)
	}
	if v, ok := e.TOS.Get(); ok {
		putUint(o, tos, tos+" ", v)
	}
	for _, x := range []struct {
		flag TunnelFlags
		name string
	}{{TunnelKey, "key"}, {TunnelCsum, "csum"}, {TunnelSeq, "seq"}} {
		if e.Flags.Or(0)&x.flag != 0 {
			o.Bool(x.name, true)
			o.Text(x.name, " ")
		}
	}
	showTunnelOpts(o, s, e.Opts)
}

func putAddr(o *iptext.Out, name string, a netip.Addr) {
	if a.IsValid() {
		put(o, name, name+" ", iptext.AddrText(a))
	}
}

// showTunnelOpts writes options of the first kind that there are of, on a line
// of their own.
func showTunnelOpts(o *iptext.Out, s *shower, opts Attributes) {
	for _, kind := range []struct {
		num  uint16
		name string
		show func(*iptext.Out, []byte)
	}{
		{uapi.LWTUNNEL_IP_OPTS_GENEVE, "geneve_opts", showGeneveOpts},
		{uapi.LWTUNNEL_IP_OPTS_VXLAN, "vxlan_opts", showVXLANOpts},
		{uapi.LWTUNNEL_IP_OPTS_ERSPAN, "erspan_opts", showERSPANOpts},
	} {
		p, ok := first(opts, kind.num)
		if !ok {
			continue
		}
		o.Text(s.lineEnd(), "\t", kind.name, " ")
		o.StartArray(kind.name)
		kind.show(o, p)
		o.EndArray()
		o.Text(" ")
		return
	}
}

// first is the payload of the first attribute of a number.
func first(attrs Attributes, num uint16) ([]byte, bool) {
	for n, p := range attrs.All() {
		if n&attrTypeMask == num {
			return p, true
		}
	}
	return nil, false
}

// showGeneveOpts writes class, type and data of each option. Kernels put all
// options into one attribute, each with its class first.
func showGeneveOpts(o *iptext.Out, p []byte) {
	var opts []Attributes
	for num, payload := range attr.All(string(p)) {
		if len(opts) == 0 || num&attrTypeMask == uapi.LWTUNNEL_IP_OPT_GENEVE_CLASS {
			opts = append(opts, "")
		}
		opts[len(opts)-1] += Attributes(attr.Append(nil, num, payload))
	}
	before := ""
	for _, opt := range opts {
		o.StartObject("")
		o.Uint("class", before, beUint(opt, uapi.LWTUNNEL_IP_OPT_GENEVE_CLASS))
		o.Uint("type", ":", beUint(opt, uapi.LWTUNNEL_IP_OPT_GENEVE_TYPE))
		data, _ := first(opt, uapi.LWTUNNEL_IP_OPT_GENEVE_DATA)
		o.Str("data", ":", hex.EncodeToString(data))
		o.EndObject()
		before = ","
	}
}

func showVXLANOpts(o *iptext.Out, p []byte) {
	o.StartObject("")
	o.Uint("gbp", "", u32(Attributes(p), uapi.LWTUNNEL_IP_OPT_VXLAN_GBP))
	o.EndObject()
}

// showERSPANOpts writes what the version of ERSPAN has, and zero for the rest.
func showERSPANOpts(o *iptext.Out, p []byte) {
	opts := Attributes(p)
	var index, dir, hwid uint64
	ver := beUint(opts, uapi.LWTUNNEL_IP_OPT_ERSPAN_VER)
	if ver == 1 {
		index = beUint(opts, uapi.LWTUNNEL_IP_OPT_ERSPAN_INDEX)
	} else {
		dir = beUint(opts, uapi.LWTUNNEL_IP_OPT_ERSPAN_DIR)
		hwid = beUint(opts, uapi.LWTUNNEL_IP_OPT_ERSPAN_HWID)
	}
	o.StartObject("")
	o.Uint("ver", "", ver)
	o.Uint("index", ":", index)
	o.Uint("dir", ":", dir)
	o.Uint("hwid", ":", hwid)
	o.EndObject()
}

// beUint is a big-endian number of up to 64 bits, zero if there is none.
func beUint(attrs Attributes, num uint16) (v uint64) {
	p, _ := first(attrs, num)
	for _, b := range p[:min(len(p), 8)] {
		v = v<<8 | uint64(b)
	}
	return v
}

// u32 is a host-order number, zero if there is none.
func u32(attrs Attributes, num uint16) uint64 {
	if p, _ := first(attrs, num); len(p) >= 4 {
		return uint64(binary.NativeEndian.Uint32(p))
	}
	return 0
}

// enumName is the name of n, and none for a number without one.
func enumName(e iptext.Enum, n uint64, none string) string {
	if n > 255 || e.Name(uint8(n)) == iptext.Decimal(n) {
		return none
	}
	return e.Name(uint8(n))
}

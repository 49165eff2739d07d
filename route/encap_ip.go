package route

import (
	"fmt"
	"net/netip"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
)

// An EncapIP gives packets the key of an IPv4 tunnel, which a device such as a
// VXLAN in external mode then wraps them by: encap ip of ip-route(8). The kernel
// reports every field but Opts, also those that were not set. Linux 4.3.
type EncapIP struct {
	// ID is the tunnel's number: id. Unset: zero. (LWTUNNEL_IP_ID)
	ID Opt[uint64]
	// Dst is the other end of the tunnel: dst. (LWTUNNEL_IP_DST)
	Dst netip.Addr
	// Src is this end: src. Unset or unspecified: the kernel chooses.
	// (LWTUNNEL_IP_SRC)
	Src netip.Addr
	// TTL is that of the outer packet: ttl; of IPv6, hoplimit. Unset or zero:
	// the device's. (LWTUNNEL_IP_TTL)
	TTL Opt[uint8]
	// TOS is the DS field of the outer packet: tos; of IPv6, tc. Unset: zero.
	// (LWTUNNEL_IP_TOS)
	TOS Opt[uint8]
	// Flags are what the tunnel's header has. Unset: none of it.
	// (LWTUNNEL_IP_FLAGS)
	Flags Opt[TunnelFlags]
	// Opts are the options of a Geneve, VXLAN or ERSPAN tunnel, attributes
	// LWTUNNEL_IP_OPTS_*: geneve_opts, vxlan_opts, erspan_opts. Linux 5.5.
	// (LWTUNNEL_IP_OPTS)
	//
	// Linux 6.18.44, built with CONFIG_FORTIFY_SOURCE, dies of a route with
	// Geneve options: its own check of a copy in ip_tun_parse_opts fails, in
	// the middle of the request, and no request after it is answered.
	Opts Attributes
	// Unknown are the attributes that this package has no field for.
	Unknown Attributes
}

// An EncapIP6 is an [EncapIP] for an IPv6 tunnel: encap ip6 of ip-route(8), with
// the attributes LWTUNNEL_IP6_*. Linux 4.3.
type EncapIP6 EncapIP

// TunnelFlags are TUNNEL_* of linux/if_tunnel.h, in host order.
type TunnelFlags uint16

// The flags, in the words of ip-route(8). The kernel reports others, which say
// what Opts has.
const (
	TunnelCsum TunnelFlags = 0x01 // csum: a checksum
	TunnelKey  TunnelFlags = 0x04 // key: the ID
	TunnelSeq  TunnelFlags = 0x08 // seq: sequence numbers

	// tunnelOpts are TUNNEL_GENEVE_OPT, TUNNEL_VXLAN_OPT, TUNNEL_ERSPAN_OPT.
	tunnelOpts TunnelFlags = 0x0800 | 0x1000 | 0x4000
)

var (
	ipCodec = tunnelCodec(uapi.LWTUNNEL_IP_ID, uapi.LWTUNNEL_IP_DST, uapi.LWTUNNEL_IP_SRC, uapi.LWTUNNEL_IP_TTL,
		uapi.LWTUNNEL_IP_TOS, uapi.LWTUNNEL_IP_FLAGS, uapi.LWTUNNEL_IP_PAD, uapi.LWTUNNEL_IP_OPTS, IPv4)
	ip6Codec = tunnelCodec(uapi.LWTUNNEL_IP6_ID, uapi.LWTUNNEL_IP6_DST, uapi.LWTUNNEL_IP6_SRC, uapi.LWTUNNEL_IP6_HOPLIMIT,
		uapi.LWTUNNEL_IP6_TC, uapi.LWTUNNEL_IP6_FLAGS, uapi.LWTUNNEL_IP6_PAD, uapi.LWTUNNEL_IP6_OPTS, IPv6)
)

// tunnelCodec has the attributes of both families, which differ in their names
// and in the addresses.
func tunnelCodec[A attr.Number](id, dst, src, ttl, tos, flags, pad, opts A, f Family) *attr.Codec[EncapIP] {
	return attr.NewCodec(func(e *EncapIP) *Attributes { return &e.Unknown },
		attr.OptField(id, attr.BE64, func(e *EncapIP) *Opt[uint64] { return &e.ID }),
		addressOf(dst, f, func(e *EncapIP) *netip.Addr { return &e.Dst }),
		addressOf(src, f, func(e *EncapIP) *netip.Addr { return &e.Src }),
		attr.OptField(ttl, attr.U8, func(e *EncapIP) *Opt[uint8] { return &e.TTL }),
		attr.OptField(tos, attr.U8, func(e *EncapIP) *Opt[uint8] { return &e.TOS }),
		attr.OptField(flags, attr.BE16, func(e *EncapIP) *Opt[TunnelFlags] { return &e.Flags }),
		attr.Nested(attr.Func(opts, putTunnelOpts, getTunnelOpts)),
		attr.Drop[EncapIP](pad),
	)
}

// addressOf is a row for an address of family f.
func addressOf[A attr.Number, M any](num A, f Family, at func(*M) *netip.Addr) attr.Row[M] {
	return attr.Func(num,
		func(b []byte, m *M) ([]byte, bool, error) {
			a := *at(m)
			if !a.IsValid() {
				return b, false, nil
			}
			return attr.AppendAddr(b, a), true, attr.CheckAddr(f, a)
		},
		func(p []byte, m *M) error {
			a, ok := netip.AddrFromSlice(p)
			if !ok || !f.Has(a) {
				return fmt.Errorf("%d bytes of address, want %d", len(p), f.Bits()/8)
			}
			*at(m) = a
			return nil
		})
}

// The options are attributes with NLA_F_NESTED where user space writes them,
// and without it where the kernel does. Opts has them without.
func putTunnelOpts(b []byte, e *EncapIP) ([]byte, bool, error) {
	start := len(b)
	b = append(b, e.Opts...)
	for num := range e.Opts.All() {
		attr.MarkNested(b[start:], tunnelOpt(num))
	}
	return b, e.Opts != "", nil
}

func getTunnelOpts(p []byte, e *EncapIP) error {
	opts, n := []byte(nil), 0
	for num, payload := range attr.All(string(p)) {
		opts = attr.Append(opts, num&attr.TypeMask, payload)
		n++
	}
	if len(opts) < len(p) {
		return fmt.Errorf("option %d is cut off or has no valid length", n+1)
	}
	e.Opts = Attributes(opts)
	return nil
}

// A tunnelOpt is the number of an option, LWTUNNEL_IP_OPTS_*.
type tunnelOpt uint16

// String is the number.
func (n tunnelOpt) String() string { return iptext.Decimal(n) }

func (e *EncapIP) decode(c *attr.Codec[EncapIP], p []byte) error {
	m := c.Borrow()
	defer c.Return(m)
	err := c.Decode(p, m)
	*e = *m
	return err
}

func (e *EncapIP) encode(c *attr.Codec[EncapIP], b []byte) ([]byte, error) {
	m := c.Borrow()
	defer c.Return(m)
	*m = *e
	return c.Append(b, m)
}

// canonicalIP leaves out what the kernel reports where nothing was said.
func (e EncapIP) canonicalIP() EncapIP {
	if e.ID.Or(0) == 0 {
		e.ID = Opt[uint64]{}
	}
	if e.Dst.IsValid() && e.Dst.IsUnspecified() {
		e.Dst = netip.Addr{}
	}
	if e.Src.IsValid() && e.Src.IsUnspecified() {
		e.Src = netip.Addr{}
	}
	if e.TTL.Or(0) == 0 {
		e.TTL = Opt[uint8]{}
	}
	if e.TOS.Or(0) == 0 {
		e.TOS = Opt[uint8]{}
	}
	flags := e.Flags.Or(0) &^ tunnelOpts
	e.Flags = Opt[TunnelFlags]{}
	if flags != 0 {
		e.Flags.Set(flags)
	}
	return e
}

func decodeEncapIP(p []byte) (Encap, error) {
	var e EncapIP
	if err := e.decode(ipCodec, p); err != nil {
		return nil, err
	}
	return e, nil
}

func decodeEncapIP6(p []byte) (Encap, error) {
	var e EncapIP
	if err := e.decode(ip6Codec, p); err != nil {
		return nil, err
	}
	return EncapIP6(e), nil
}

// Type is EncapTypeIP.
func (e EncapIP) Type() EncapType { return EncapTypeIP }

// Type is EncapTypeIP6.
func (e EncapIP6) Type() EncapType { return EncapTypeIP6 }

// String is the words of ip-route(8): ip id 5 dst 192.0.2.1 ttl 64.
func (e EncapIP) String() string { return encapString(e, nil) }

// String is the words of ip-route(8): ip6 id 5 dst 2001:db8::1 hoplimit 64.
func (e EncapIP6) String() string { return encapString(e, nil) }

func (e EncapIP) append(b []byte) ([]byte, error) { return e.encode(ipCodec, b) }

func (e EncapIP6) append(b []byte) ([]byte, error) { return (*EncapIP)(&e).encode(ip6Codec, b) }

func (e EncapIP) canonical() Encap  { return e.canonicalIP() }
func (e EncapIP6) canonical() Encap { return EncapIP6(EncapIP(e).canonicalIP()) }

func (e EncapIP) words(n *Names) ([]string, bool) { return tunnelText(ipWords, e, n) }

func (e EncapIP6) words(n *Names) ([]string, bool) { return tunnelText(ip6Words, EncapIP(e), n) }

func parseEncapIP(w *iptext.Words, n *Names) (Encap, error) {
	t := tunnel{names: n, family: IPv4}
	err := parseWords(w, ipWords, &t)
	return t.EncapIP, err
}

func parseEncapIP6(w *iptext.Words, n *Names) (Encap, error) {
	t := tunnel{names: n, family: IPv6}
	err := parseWords(w, ip6Words, &t)
	return EncapIP6(t.EncapIP), err
}

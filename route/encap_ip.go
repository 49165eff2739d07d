package route

import (
	"encoding/hex"
	"fmt"
	"net/netip"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
)

// An EncapIP gives packets the key of an IPv4 tunnel: encap ip of ip-route(8). A tunnel
// device in external mode, such as a VXLAN, uses the key to encapsulate the packets.
// The kernel reports every field except Opts, even a field that was not set. Linux 4.3.
type EncapIP struct {
	// ID is the tunnel's number: id. Unset: zero. (LWTUNNEL_IP_ID)
	ID Opt[uint64]
	// Dst is the other end of the tunnel: dst. (LWTUNNEL_IP_DST)
	Dst netip.Addr
	// Src is this end: src. Unset or unspecified: the kernel chooses.
	// (LWTUNNEL_IP_SRC)
	Src netip.Addr
	// TTL is the TTL of the outer packet: ttl, and hoplimit for IPv6. Unset or
	// zero: that of the device. (LWTUNNEL_IP_TTL)
	TTL Opt[uint8]
	// TOS is the DS field of the outer packet: tos, and tc for IPv6. Unset: zero.
	// (LWTUNNEL_IP_TOS)
	TOS Opt[uint8]
	// Flags says which optional fields the tunnel's header has. Unset: none.
	// (LWTUNNEL_IP_FLAGS)
	Flags Opt[TunnelFlags]
	// Opts holds the options of a Geneve, VXLAN or ERSPAN tunnel, attributes
	// LWTUNNEL_IP_OPTS_*: geneve_opts, vxlan_opts, erspan_opts. Linux 5.5.
	// (LWTUNNEL_IP_OPTS)
	//
	// Linux 6.18.44, built with CONFIG_FORTIFY_SOURCE, crashes when it gets a route with
	// Geneve options: a fortified copy in ip_tun_parse_opts fails in the middle of the
	// request. The kernel does not answer any request after that.
	Opts Attributes
	// Unknown holds the attributes that this package has no field for.
	Unknown Attributes
}

// An EncapIP6 is an [EncapIP] for an IPv6 tunnel: encap ip6 of ip-route(8), with
// the attributes LWTUNNEL_IP6_*. Linux 4.3.
type EncapIP6 EncapIP

// TunnelFlags are TUNNEL_* of linux/if_tunnel.h, in host order.
type TunnelFlags uint16

// The flags, in the words of ip-route(8). The kernel also reports other flags, which
// say what kind of options Opts has.
const (
	TunnelCsum TunnelFlags = 0x01 // csum: a checksum
	TunnelKey  TunnelFlags = 0x04 // key: the ID
	TunnelSeq  TunnelFlags = 0x08 // seq: sequence numbers

	// tunnelOpts are TUNNEL_GENEVE_OPT, TUNNEL_VXLAN_OPT, TUNNEL_ERSPAN_OPT.
	tunnelOpts TunnelFlags = 0x0800 | 0x1000 | 0x4000
)

var tunnelFlagNames = iptext.Bits{
	{Bit: uint32(TunnelKey), Name: "key"}, {Bit: uint32(TunnelCsum), Name: "csum"}, {Bit: uint32(TunnelSeq), Name: "seq"},
}

// String returns the words of ip-route(8) for the flags, with blanks between
// them. Other bits follow as a hexadecimal number.
func (f TunnelFlags) String() string { return tunnelFlagNames.Text(uint32(f), " ") }

// MarshalText returns what String does.
func (f TunnelFlags) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads what String returns.
func (f *TunnelFlags) UnmarshalText(text []byte) error {
	return iptext.UnmarshalBits(tunnelFlagNames, 16, "route", "flags of a tunnel", text, " ", f)
}

var (
	ipCodec = tunnelCodec(uapi.LWTUNNEL_IP_ID, uapi.LWTUNNEL_IP_DST, uapi.LWTUNNEL_IP_SRC, uapi.LWTUNNEL_IP_TTL,
		uapi.LWTUNNEL_IP_TOS, uapi.LWTUNNEL_IP_FLAGS, uapi.LWTUNNEL_IP_PAD, uapi.LWTUNNEL_IP_OPTS, IPv4)
	ip6Codec = tunnelCodec(uapi.LWTUNNEL_IP6_ID, uapi.LWTUNNEL_IP6_DST, uapi.LWTUNNEL_IP6_SRC, uapi.LWTUNNEL_IP6_HOPLIMIT,
		uapi.LWTUNNEL_IP6_TC, uapi.LWTUNNEL_IP6_FLAGS, uapi.LWTUNNEL_IP6_PAD, uapi.LWTUNNEL_IP6_OPTS, IPv6)
)

// tunnelCodec returns the codec of one family. The families differ in the names
// of the attributes and in the addresses.
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

// addressOf returns a row for an address of family f.
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

// canonicalIP unsets what the kernel reports for fields that were not set.
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

// Type returns EncapTypeIP.
func (e EncapIP) Type() EncapType { return EncapTypeIP }

// Type returns EncapTypeIP6.
func (e EncapIP6) Type() EncapType { return EncapTypeIP6 }

// String returns the words of ip-route(8): ip id 5 dst 192.0.2.1 ttl 64.
func (e EncapIP) String() string { return encapString(e, nil) }

// String returns the words of ip-route(8): ip6 id 5 dst 2001:db8::1 hoplimit 64.
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

// A tunnel is an EncapIP or an EncapIP6 that is being parsed or printed.
type tunnel struct {
	EncapIP
	names   *Names
	family  Family
	hasOpts bool
}

var (
	ipWords  = tunnelWords("ttl", "tos")
	ip6Words = tunnelWords("hoplimit", "tc")
)

// tunnelWords returns the words of one family in ip(8)'s order.
func tunnelWords(ttl, tos string) iptext.Table[tunnel] {
	return iptext.Table[tunnel]{
		{Names: []string{"id"},
			Parse: func(w *iptext.Words, t *tunnel) error {
				id, err := iptext.ArgUint[uint64](w, "an id", 64)
				t.ID.Set(id)
				return err
			},
			Print: func(p *iptext.Printer, t *tunnel) {
				if id, ok := t.ID.Get(); ok {
					p.Put("id", iptext.Decimal(id))
				}
			}},
		tunnelAddr("src", func(t *tunnel) *netip.Addr { return &t.Src }),
		tunnelAddr("dst", func(t *tunnel) *netip.Addr { return &t.Dst }),
		{Names: []string{ttl},
			Parse: func(w *iptext.Words, t *tunnel) error { return argOptU8(w, "a number", &t.TTL) },
			Print: func(p *iptext.Printer, t *tunnel) {
				if v, ok := t.TTL.Get(); ok {
					p.Put(ttl, iptext.Decimal(v))
				}
			}},
		{Names: []string{tos},
			Parse: func(w *iptext.Words, t *tunnel) error {
				var v uint8
				err := iptext.ArgName(w, "a DS field", t.names.FileNames().DSFields().Parse, &v)
				t.TOS.Set(v)
				return err
			},
			Print: func(p *iptext.Printer, t *tunnel) {
				if v, ok := t.TOS.Get(); ok {
					p.Put(tos, t.names.FileNames().DSFields().Name(uint32(v)))
				}
			}},
		tunnelFlag("key", TunnelKey),
		tunnelFlag("csum", TunnelCsum),
		tunnelFlag("seq", TunnelSeq),
		tunnelFlagsWord,
		tunnelOptsWord("geneve_opts", parseGeneveOpts),
		tunnelOptsWord("vxlan_opts", parseVXLANOpts),
		tunnelOptsWord("erspan_opts", parseERSPANOpts),
		tunnelOptsHex,
	}
}

// tunnelFlagsWord is the word for other flags, and for a set of no flags. ip(8) has no
// word for them.
var tunnelFlagsWord = iptext.Word[tunnel]{
	Names: []string{"flags"},
	Parse: func(w *iptext.Words, t *tunnel) error {
		v, err := iptext.ArgUint[TunnelFlags](w, "a number", 16)
		t.Flags.Set(t.Flags.Or(0) | v)
		return err
	},
	Print: func(p *iptext.Printer, t *tunnel) {
		v, ok := t.Flags.Get()
		if rest := v &^ (TunnelKey | TunnelCsum | TunnelSeq); rest != 0 || ok && v == 0 {
			p.Put("flags", iptext.Hex(rest))
		}
	},
}

// tunnelOptsHex is the word for options in hexadecimal.
var tunnelOptsHex = iptext.Word[tunnel]{
	Names: []string{"opts"},
	Parse: func(w *iptext.Words, t *tunnel) error {
		s, err := argHex(w, "options")
		if err == nil {
			err = getTunnelOpts([]byte(s), &t.EncapIP)
		}
		return err
	},
	Print: func(p *iptext.Printer, t *tunnel) {
		if t.Opts != "" {
			p.Put("opts", hex.EncodeToString([]byte(t.Opts)))
		}
	},
}

func tunnelAddr(name string, at func(*tunnel) *netip.Addr) iptext.Word[tunnel] {
	return iptext.Word[tunnel]{
		Names: []string{name},
		Parse: func(w *iptext.Words, t *tunnel) error { return argAddr(w, &t.family, at(t)) },
		Print: func(p *iptext.Printer, t *tunnel) {
			if a := *at(t); a.IsValid() {
				p.Put(name, a.String())
			}
		},
	}
}

func tunnelFlag(name string, flag TunnelFlags) iptext.Word[tunnel] {
	return iptext.Word[tunnel]{
		Names: []string{name},
		Parse: func(_ *iptext.Words, t *tunnel) error {
			t.Flags.Set(t.Flags.Or(0) | flag)
			return nil
		},
		Print: func(p *iptext.Printer, t *tunnel) {
			if t.Flags.Or(0)&flag != 0 {
				p.Put(name)
			}
		},
	}
}

// tunnelText returns the words of e. They are not complete if there are none,
// since encap needs an argument.
func tunnelText(t iptext.Table[tunnel], e EncapIP, n *Names) ([]string, bool) {
	var p iptext.Printer
	t.Print(&p, &tunnel{EncapIP: e, names: n})
	return []string{p.String()}, p.String() != "" && e.Unknown == ""
}

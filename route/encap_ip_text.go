package route

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strings"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
)

// A tunnel is an EncapIP, or an EncapIP6, on its way to or from text.
type tunnel struct {
	EncapIP
	names  *Names
	family Family
	opts   bool // said
}

var (
	ipWords  = tunnelWords("ttl", "tos")
	ip6Words = tunnelWords("hoplimit", "tc")
)

// tunnelWords are the words of both families, in the order in which ip(8)
// prints them.
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
		// ip(8) has no word for the flags that are left, and for no flags.
		{Names: []string{"flags"},
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
			}},
		tunnelOptsWord("geneve_opts", parseGeneveOpts),
		tunnelOptsWord("vxlan_opts", parseVXLANOpts),
		tunnelOptsWord("erspan_opts", parseERSPANOpts),
		{Names: []string{"opts"}, // those, as bytes
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
			}},
	}
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

// tunnelOptsWord is a word for the options of one kind of tunnel, of which a packet
// has at most one.
func tunnelOptsWord(name string, parse func(string) ([]byte, bool)) iptext.Word[tunnel] {
	return iptext.Word[tunnel]{
		Names: []string{name},
		Parse: func(w *iptext.Words, t *tunnel) error {
			s, err := w.Arg("options")
			if err != nil {
				return err
			}
			b, ok := parse(s)
			if !ok || t.opts {
				return w.Errorf("not %s", name)
			}
			t.Opts, t.opts = Attributes(b), true
			return nil
		},
	}
}

// An optField is the attribute that a part of options is.
type optField struct {
	num  uint16
	bits int // of a big-endian number; zero for bytes in hexadecimal
}

// parseOpts reads parts with colons between them, of which empty ones are left
// out, as an attribute of attributes.
func parseOpts(s string, num uint16, fields ...optField) ([]byte, bool) {
	var b []byte
	parts := strings.Split(s, ":")
	if len(parts) > len(fields) {
		return nil, false
	}
	for i, part := range parts {
		f := fields[i]
		if part == "" {
			continue
		}
		if f.bits == 0 {
			data, err := hex.DecodeString(part)
			if err != nil || len(data) > attr.MaxPayload/2 {
				return nil, false
			}
			b = attr.Append(b, f.num, data)
			continue
		}
		v, ok := iptext.Uint[uint32](part, f.bits)
		if !ok {
			return nil, false
		}
		b = attr.Append(b, f.num, binary.BigEndian.AppendUint32(nil, v)[4-f.bits/8:])
	}
	return attr.Append(nil, num, b), len(b) < attr.MaxPayload
}

// parseGeneveOpts reads CLASS:TYPE:DATA, and more after commas.
func parseGeneveOpts(s string) (b []byte, ok bool) {
	for part := range strings.SplitSeq(s, ",") {
		opt, ok := parseOpts(part, uapi.LWTUNNEL_IP_OPTS_GENEVE, optField{uapi.LWTUNNEL_IP_OPT_GENEVE_CLASS, 16},
			optField{uapi.LWTUNNEL_IP_OPT_GENEVE_TYPE, 8}, optField{uapi.LWTUNNEL_IP_OPT_GENEVE_DATA, 0})
		if !ok {
			return nil, false
		}
		b = append(b, opt...)
	}
	return b, true
}

// parseVXLANOpts reads a group policy.
func parseVXLANOpts(s string) ([]byte, bool) {
	v, ok := iptext.Uint[uint32](s, 32)
	gbp := attr.Append(nil, uapi.LWTUNNEL_IP_OPT_VXLAN_GBP, binary.NativeEndian.AppendUint32(nil, v))
	return attr.Append(nil, uapi.LWTUNNEL_IP_OPTS_VXLAN, gbp), ok
}

// parseERSPANOpts reads VERSION:INDEX:DIRECTION:HARDWARE.
func parseERSPANOpts(s string) ([]byte, bool) {
	return parseOpts(s, uapi.LWTUNNEL_IP_OPTS_ERSPAN, optField{uapi.LWTUNNEL_IP_OPT_ERSPAN_VER, 8},
		optField{uapi.LWTUNNEL_IP_OPT_ERSPAN_INDEX, 32}, optField{uapi.LWTUNNEL_IP_OPT_ERSPAN_DIR, 8},
		optField{uapi.LWTUNNEL_IP_OPT_ERSPAN_HWID, 8})
}

// tunnelText is the words of e. Nothing at all cannot stand after encap.
func tunnelText(t iptext.Table[tunnel], e EncapIP, n *Names) ([]string, bool) {
	var p iptext.Printer
	t.Print(&p, &tunnel{EncapIP: e, names: n})
	return []string{p.String()}, p.String() != "" && e.Unknown == ""
}

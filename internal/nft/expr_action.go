package nft

import (
	"fmt"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/uapi"
)

// An Immediate puts bytes into the register Dest, or has a verdict if Dest is RegVerdict.
type Immediate struct {
	Dest    Register
	Data    string
	Verdict Verdict
	Unknown string // the attributes without a field, with headers
}

// Name returns "immediate".
func (Immediate) Name() string { return "immediate" }

// String returns text like "immediate reg 1 0x0200020a" and "immediate reg 0 accept".
func (e Immediate) String() string {
	if e.Verdict.Valid {
		return fmt.Sprintf("immediate reg %d %s", e.Dest, e.Verdict)
	}
	return fmt.Sprintf("immediate reg %d %s", e.Dest, words32(e.Data))
}

func (e Immediate) payload(b []byte) ([]byte, error) { return encode(immediateCodec, b, e) }

func (e Immediate) canonical() Expr {
	e.Dest = e.Dest.canonical()
	return e
}

var immediateCodec = attr.NewCodec(func(e *Immediate) *string { return &e.Unknown },
	always(uapi.NFTA_IMMEDIATE_DREG, attr.BE32[Register], func(e *Immediate) *Register { return &e.Dest }),
	attr.Nested(attr.Func(uapi.NFTA_IMMEDIATE_DATA,
		func(b []byte, e *Immediate) ([]byte, bool, error) {
			b, err := appendData(b, &e.Verdict, e.Data)
			return b, true, err
		},
		func(p []byte, e *Immediate) error { return decodeData(p, &e.Verdict, &e.Data) })),
)

// A NAT translates the source or the destination of a connection.
type NAT struct {
	Type               uint32   // SourceNAT or DestNAT
	Family             Family   // IPv4 or IPv6
	AddrMin, AddrMax   Register // the addresses; zero means unchanged
	ProtoMin, ProtoMax Register // the ports; zero means unchanged
	Flags              uint32   // NF_NAT_RANGE_*
	Unknown            string   // the attributes without a field, with headers
}

// Types of a NAT.
const (
	SourceNAT uint32 = uapi.NFT_NAT_SNAT
	DestNAT   uint32 = uapi.NFT_NAT_DNAT
)

// Name returns "nat".
func (NAT) Name() string { return "nat" }

// String returns text like "nat dnat ip addr_min reg 1 proto_min reg 2 flags 0x2".
func (e NAT) String() string {
	s := fmt.Sprintf("nat %s %s", word(map[uint32]string{SourceNAT: "snat", DestNAT: "dnat"}, e.Type), e.Family)
	s += registers("addr_min", e.AddrMin, "addr_max", e.AddrMax)
	s += registers("proto_min", e.ProtoMin, "proto_max", e.ProtoMax)
	return s + flags(e.Flags)
}

// registers prints the registers that are set.
func registers(word1 string, r1 Register, word2 string, r2 Register) (s string) {
	if r1 != 0 {
		s += fmt.Sprintf(" %s reg %d", word1, r1)
	}
	if r2 != 0 {
		s += fmt.Sprintf(" %s reg %d", word2, r2)
	}
	return s
}

func flags(f uint32) string {
	if f == 0 {
		return ""
	}
	return fmt.Sprintf(" flags 0x%x", f)
}

func (e NAT) payload(b []byte) ([]byte, error) { return encode(natCodec, b, e) }

func (e NAT) canonical() Expr {
	fillRange(&e.AddrMin, &e.AddrMax, &e.Flags, uapi.NF_NAT_RANGE_MAP_IPS)
	fillRange(&e.ProtoMin, &e.ProtoMax, &e.Flags, uapi.NF_NAT_RANGE_PROTO_SPECIFIED)
	return e
}

// fillRange fills in what the kernel takes a range for that has only a beginning.
func fillRange(from, to *Register, flags *uint32, flag uint32) {
	*from, *to = from.canonical(), to.canonical()
	if *from == 0 {
		return
	}
	if *to == 0 {
		*to = *from
	}
	*flags |= flag
}

var natCodec = attr.NewCodec(func(e *NAT) *string { return &e.Unknown },
	always(uapi.NFTA_NAT_TYPE, attr.BE32[uint32], func(e *NAT) *uint32 { return &e.Type }),
	attr.Func(uapi.NFTA_NAT_FAMILY,
		func(b []byte, e *NAT) ([]byte, bool, error) { return append(b, 0, 0, 0, byte(e.Family)), true, nil },
		func(p []byte, e *NAT) error {
			n, err := attr.BE32[uint32]().Decode(p)
			if err == nil && n > 0xff {
				err = fmt.Errorf("family %d", n)
			}
			e.Family = Family(n)
			return err
		}),
	attr.Field(uapi.NFTA_NAT_REG_ADDR_MIN, attr.BE32[Register], func(e *NAT) *Register { return &e.AddrMin }),
	attr.Field(uapi.NFTA_NAT_REG_ADDR_MAX, attr.BE32[Register], func(e *NAT) *Register { return &e.AddrMax }),
	attr.Field(uapi.NFTA_NAT_REG_PROTO_MIN, attr.BE32[Register], func(e *NAT) *Register { return &e.ProtoMin }),
	attr.Field(uapi.NFTA_NAT_REG_PROTO_MAX, attr.BE32[Register], func(e *NAT) *Register { return &e.ProtoMax }),
	attr.Field(uapi.NFTA_NAT_FLAGS, attr.BE32[uint32], func(e *NAT) *uint32 { return &e.Flags }),
)

// A Masq translates the source of a connection to the address of the interface that it
// goes out by. It is for chains of [TypeNAT] in [Postrouting].
type Masq struct {
	Flags              uint32   // NF_NAT_RANGE_*
	ProtoMin, ProtoMax Register // the ports; zero means any
	Unknown            string   // the attributes without a field, with headers
}

// Name returns "masq".
func (Masq) Name() string { return "masq" }

// String returns "masq", and the ports and flags.
func (e Masq) String() string {
	return "masq" + registers("proto_min", e.ProtoMin, "proto_max", e.ProtoMax) + flags(e.Flags)
}

func (e Masq) payload(b []byte) ([]byte, error) { return encode(masqCodec, b, e) }

func (e Masq) canonical() Expr {
	fillRange(&e.ProtoMin, &e.ProtoMax, &e.Flags, uapi.NF_NAT_RANGE_PROTO_SPECIFIED)
	return e
}

var masqCodec = attr.NewCodec(func(e *Masq) *string { return &e.Unknown },
	attr.Field(uapi.NFTA_MASQ_FLAGS, attr.BE32[uint32], func(e *Masq) *uint32 { return &e.Flags }),
	attr.Field(uapi.NFTA_MASQ_REG_PROTO_MIN, attr.BE32[Register], func(e *Masq) *Register { return &e.ProtoMin }),
	attr.Field(uapi.NFTA_MASQ_REG_PROTO_MAX, attr.BE32[Register], func(e *Masq) *Register { return &e.ProtoMax }),
)

// A Redir translates the destination of a connection to this host.
type Redir struct {
	ProtoMin, ProtoMax Register // the ports; zero means unchanged
	Flags              uint32   // NF_NAT_RANGE_*
	Unknown            string   // the attributes without a field, with headers
}

// Name returns "redir".
func (Redir) Name() string { return "redir" }

// String returns "redir", and the ports and flags.
func (e Redir) String() string {
	return "redir" + registers("proto_min", e.ProtoMin, "proto_max", e.ProtoMax) + flags(e.Flags)
}

func (e Redir) payload(b []byte) ([]byte, error) { return encode(redirCodec, b, e) }

func (e Redir) canonical() Expr {
	fillRange(&e.ProtoMin, &e.ProtoMax, &e.Flags, uapi.NF_NAT_RANGE_PROTO_SPECIFIED)
	return e
}

var redirCodec = attr.NewCodec(func(e *Redir) *string { return &e.Unknown },
	attr.Field(uapi.NFTA_REDIR_REG_PROTO_MIN, attr.BE32[Register], func(e *Redir) *Register { return &e.ProtoMin }),
	attr.Field(uapi.NFTA_REDIR_REG_PROTO_MAX, attr.BE32[Register], func(e *Redir) *Register { return &e.ProtoMax }),
	attr.Field(uapi.NFTA_REDIR_FLAGS, attr.BE32[uint32], func(e *Redir) *uint32 { return &e.Flags }),
)

// A Notrack keeps a packet from connection tracking. Its chain must come before
// [PriorityConntrack].
type Notrack struct{}

// Name returns "notrack".
func (Notrack) Name() string { return "notrack" }

// String returns "notrack".
func (Notrack) String() string { return "notrack" }

func (Notrack) payload(b []byte) ([]byte, error) { return b, nil }
func (e Notrack) canonical() Expr                { return e }

// A Counter counts the packets that come to it.
type Counter struct {
	Packets uint64
	Bytes   uint64
	Unknown string // the attributes without a field, with headers
}

// Name returns "counter".
func (Counter) Name() string { return "counter" }

// String returns text like "counter pkts 5 bytes 420".
func (e Counter) String() string { return fmt.Sprintf("counter pkts %d bytes %d", e.Packets, e.Bytes) }

func (e Counter) payload(b []byte) ([]byte, error) { return encode(counterCodec, b, e) }
func (e Counter) canonical() Expr                  { return Counter{Unknown: e.Unknown} }

var counterCodec = attr.NewCodec(func(e *Counter) *string { return &e.Unknown },
	attr.Field(uapi.NFTA_COUNTER_BYTES, attr.BE64[uint64], func(e *Counter) *uint64 { return &e.Bytes }),
	attr.Field(uapi.NFTA_COUNTER_PACKETS, attr.BE64[uint64], func(e *Counter) *uint64 { return &e.Packets }),
	attr.Drop[Counter](uapi.NFTA_COUNTER_PAD),
)

package route

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/rttables"
)

// An EncapSeg6Local says what to do with packets that have a segment routing
// header and come to the address of the route: encap seg6local of ip-route(8).
// Which fields an action needs, and takes, is in that page. Linux 4.14.
type EncapSeg6Local struct {
	// Action is what is done: action. (SEG6_LOCAL_ACTION)
	Action Seg6Action
	// SRH is a header to put on: srh segs, hmac. (SEG6_LOCAL_SRH)
	SRH SRH
	// Table is where the next segment or the inner packet is looked up: table.
	// Zero: none. (SEG6_LOCAL_TABLE)
	Table rttables.ID
	// VRFTable is the same by the table of a VRF: vrftable. Zero: none. Linux
	// 5.11. (SEG6_LOCAL_VRFTABLE)
	VRFTable rttables.ID
	// NH4 and NH6 are the next router of the inner packet: nh4, nh6.
	// (SEG6_LOCAL_NH4, SEG6_LOCAL_NH6)
	NH4, NH6 netip.Addr
	// IIF is the index of the interface that the packet is taken to come from:
	// iif. Zero: none. (SEG6_LOCAL_IIF)
	IIF uint32
	// OIF is the index of the interface that it leaves by: oif. Zero: none.
	// (SEG6_LOCAL_OIF)
	OIF uint32
	// Counters are those of the packets; set, they are counted: count. Linux
	// 5.13. (SEG6_LOCAL_COUNTERS)
	Counters Opt[Seg6Counters]
	// Flavors are variants of the action: flavors. Linux 6.1.
	// (SEG6_LOCAL_FLAVORS)
	Flavors Seg6Flavors
	// Unknown are the attributes that this package has no field for, the BPF
	// program of End.BPF (SEG6_LOCAL_BPF) among them.
	Unknown Attributes
}

// A Seg6Action is what is done with a packet: SEG6_LOCAL_ACTION_* of
// linux/seg6_local.h.
type Seg6Action uint32

// The actions that kernels implement, in the words of ip-route(8).
const (
	Seg6End         Seg6Action = uapi.SEG6_LOCAL_ACTION_END          // End: to the next segment
	Seg6EndX        Seg6Action = uapi.SEG6_LOCAL_ACTION_END_X        // End.X: to it by NH6
	Seg6EndT        Seg6Action = uapi.SEG6_LOCAL_ACTION_END_T        // End.T: to it by Table
	Seg6EndDX2      Seg6Action = uapi.SEG6_LOCAL_ACTION_END_DX2      // End.DX2: the inner frame out of OIF
	Seg6EndDX6      Seg6Action = uapi.SEG6_LOCAL_ACTION_END_DX6      // End.DX6: the inner packet to NH6
	Seg6EndDX4      Seg6Action = uapi.SEG6_LOCAL_ACTION_END_DX4      // End.DX4: the inner packet to NH4
	Seg6EndDT6      Seg6Action = uapi.SEG6_LOCAL_ACTION_END_DT6      // End.DT6: the inner packet by Table or VRFTable
	Seg6EndDT4      Seg6Action = uapi.SEG6_LOCAL_ACTION_END_DT4      // End.DT4: the inner packet by VRFTable; Linux 5.11
	Seg6EndB6       Seg6Action = uapi.SEG6_LOCAL_ACTION_END_B6       // End.B6: SRH goes into the packet
	Seg6EndB6Encaps Seg6Action = uapi.SEG6_LOCAL_ACTION_END_B6_ENCAP // End.B6.Encaps: SRH goes around the packet
	Seg6EndBPF      Seg6Action = uapi.SEG6_LOCAL_ACTION_END_BPF      // End.BPF: a program decides; Linux 4.18
	Seg6EndDT46     Seg6Action = uapi.SEG6_LOCAL_ACTION_END_DT46     // End.DT46: the inner packet by VRFTable; Linux 5.14
)

var seg6Actions = iptext.Enum{
	{N: uapi.SEG6_LOCAL_ACTION_END, Name: "End"},
	{N: uapi.SEG6_LOCAL_ACTION_END_X, Name: "End.X"},
	{N: uapi.SEG6_LOCAL_ACTION_END_T, Name: "End.T"},
	{N: uapi.SEG6_LOCAL_ACTION_END_DX2, Name: "End.DX2"},
	{N: uapi.SEG6_LOCAL_ACTION_END_DX6, Name: "End.DX6"},
	{N: uapi.SEG6_LOCAL_ACTION_END_DX4, Name: "End.DX4"},
	{N: uapi.SEG6_LOCAL_ACTION_END_DT6, Name: "End.DT6"},
	{N: uapi.SEG6_LOCAL_ACTION_END_DT4, Name: "End.DT4"},
	{N: uapi.SEG6_LOCAL_ACTION_END_B6, Name: "End.B6"},
	{N: uapi.SEG6_LOCAL_ACTION_END_B6_ENCAP, Name: "End.B6.Encaps"},
	{N: uapi.SEG6_LOCAL_ACTION_END_BM, Name: "End.BM"},
	{N: uapi.SEG6_LOCAL_ACTION_END_S, Name: "End.S"},
	{N: uapi.SEG6_LOCAL_ACTION_END_AS, Name: "End.AS"},
	{N: uapi.SEG6_LOCAL_ACTION_END_AM, Name: "End.AM"},
	{N: uapi.SEG6_LOCAL_ACTION_END_BPF, Name: "End.BPF"},
	{N: uapi.SEG6_LOCAL_ACTION_END_DT46, Name: "End.DT46"},
}

// String is the name that ip(8) has for a, such as End.DX4, else its number.
func (a Seg6Action) String() string {
	if a > 255 {
		return iptext.Decimal(a)
	}
	return seg6Actions.Name(uint8(a))
}

// slot reports whether the action puts a header into the packet itself.
func (a Seg6Action) slot() bool { return a != Seg6EndB6Encaps }

// Seg6Counters are what an action has counted: SEG6_LOCAL_CNT_*.
type Seg6Counters struct {
	Packets, Bytes uint64 // done
	Errors         uint64 // packets that were not
}

// Seg6Flavors are variants of an action: SEG6_LOCAL_FLV_*. The zero Seg6Flavors
// are none.
type Seg6Flavors struct {
	// Ops are bits of the operations: psp, usp, usd, next-csid.
	// (SEG6_LOCAL_FLV_OPERATION)
	Ops Seg6FlavorOps
	// LBLen and NFLen are the lengths, in bits, of the parts of a segment for
	// next-csid: lblen, nflen. Zero: 32 and 16. (SEG6_LOCAL_FLV_LCBLOCK_BITS,
	// SEG6_LOCAL_FLV_LCNODE_FN_BITS)
	LBLen, NFLen uint8
	// Unknown are the attributes that this package has no field for.
	Unknown Attributes
}

// Seg6FlavorOps are bits, those of SEG6_LOCAL_FLV_OP_*.
type Seg6FlavorOps uint32

// The operations.
const (
	Seg6PSP      Seg6FlavorOps = 1 << uapi.SEG6_LOCAL_FLV_OP_PSP       // psp: the last but one takes the header off; Linux 6.3
	Seg6USP      Seg6FlavorOps = 1 << uapi.SEG6_LOCAL_FLV_OP_USP       // usp: the last one does
	Seg6USD      Seg6FlavorOps = 1 << uapi.SEG6_LOCAL_FLV_OP_USD       // usd: the last one unwraps
	Seg6NextCSID Seg6FlavorOps = 1 << uapi.SEG6_LOCAL_FLV_OP_NEXT_CSID // next-csid: several segments in an address
)

var seg6FlavorNames = iptext.Bits{
	{Bit: uint32(Seg6PSP), Name: "psp"}, {Bit: uint32(Seg6USP), Name: "usp"}, {Bit: uint32(Seg6USD), Name: "usd"},
	{Bit: uint32(Seg6NextCSID), Name: "next-csid"},
}

// String returns the names of the operations with commas between them. Other
// bits follow as a hexadecimal number.
func (o Seg6FlavorOps) String() string { return seg6FlavorNames.Text(uint32(o), ",") }

// MarshalText returns what String does.
func (o Seg6FlavorOps) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads what String returns. Names can be in capital letters.
func (o *Seg6FlavorOps) UnmarshalText(text []byte) error {
	n, err := seg6FlavorNames.Unmarshal("route", "flavors", strings.ToLower(string(text)), ",")
	if err == nil {
		*o = Seg6FlavorOps(n)
	}
	return err
}

// A seg6Local is an EncapSeg6Local on its way to or from the wire: its header
// is read by its action, which may follow.
type seg6Local struct {
	EncapSeg6Local
	srh string
}

var seg6LocalCodec = attr.NewCodec(func(e *seg6Local) *Attributes { return &e.Unknown },
	nonZero(uapi.SEG6_LOCAL_ACTION, attr.U32, func(e *seg6Local) (*Seg6Action, *Attributes) { return &e.Action, &e.Unknown }),
	attr.Func(uapi.SEG6_LOCAL_SRH,
		func(b []byte, e *seg6Local) ([]byte, bool, error) {
			if e.SRH == (SRH{}) {
				return b, false, nil
			}
			b, err := e.SRH.append(b, e.Action.slot())
			return b, true, err
		},
		func(p []byte, e *seg6Local) error {
			e.srh = string(p)
			return nil
		}),
	nonZero(uapi.SEG6_LOCAL_TABLE, attr.U32, func(e *seg6Local) (*rttables.ID, *Attributes) { return &e.Table, &e.Unknown }),
	addressOf(uapi.SEG6_LOCAL_NH4, IPv4, func(e *seg6Local) *netip.Addr { return &e.NH4 }),
	addressOf(uapi.SEG6_LOCAL_NH6, IPv6, func(e *seg6Local) *netip.Addr { return &e.NH6 }),
	nonZero(uapi.SEG6_LOCAL_IIF, attr.U32, func(e *seg6Local) (*uint32, *Attributes) { return &e.IIF, &e.Unknown }),
	nonZero(uapi.SEG6_LOCAL_OIF, attr.U32, func(e *seg6Local) (*uint32, *Attributes) { return &e.OIF, &e.Unknown }),
	nonZero(uapi.SEG6_LOCAL_VRFTABLE, attr.U32, func(e *seg6Local) (*rttables.ID, *Attributes) { return &e.VRFTable, &e.Unknown }),
	attr.Func(uapi.SEG6_LOCAL_COUNTERS, putSeg6Counters, getSeg6Counters),
	attr.Func(uapi.SEG6_LOCAL_FLAVORS,
		func(b []byte, e *seg6Local) ([]byte, bool, error) {
			if e.Flavors == (Seg6Flavors{}) {
				return b, false, nil
			}
			b, err := seg6FlavorCodec.Append(b, &e.Flavors)
			return b, true, err
		},
		func(p []byte, e *seg6Local) error {
			e.Flavors = Seg6Flavors{}
			return seg6FlavorCodec.Decode(p, &e.Flavors)
		}),
)

// nonZero is a row for a number whose zero says nothing to the kernel; one that
// is sent nevertheless is kept.
func nonZero[A attr.Number, M any, V comparable](num A, kind func() attr.Kind[V], at func(*M) (*V, *Attributes)) attr.Row[M] {
	k := kind()
	return attr.Func(num,
		func(b []byte, m *M) ([]byte, bool, error) {
			var zero V
			v, _ := at(m)
			if *v == zero {
				return b, false, nil
			}
			b, err := k.Append(b, *v)
			return b, true, err
		},
		func(p []byte, m *M) error {
			var zero V
			v, unknown := at(m)
			got, err := k.Decode(p)
			if err == nil && got == zero {
				keep(unknown, num, p)
			} else if err == nil {
				*v = got
			}
			return err
		})
}

// A seg6Number is the number of an attribute within one of seg6Local's.
type seg6Number uint16

// String is the number with what the kernel's names have in common.
func (n seg6Number) String() string { return "SEG6_LOCAL_" + iptext.Decimal(n) }

// A seg6Count is a Seg6Counters with what belongs to none of its fields.
type seg6Count struct {
	Seg6Counters
	unknown Attributes
}

var seg6CountCodec = attr.NewCodec(func(c *seg6Count) *Attributes { return &c.unknown },
	counter(uapi.SEG6_LOCAL_CNT_PACKETS, func(c *seg6Count) *uint64 { return &c.Packets }),
	counter(uapi.SEG6_LOCAL_CNT_BYTES, func(c *seg6Count) *uint64 { return &c.Bytes }),
	counter(uapi.SEG6_LOCAL_CNT_ERRORS, func(c *seg6Count) *uint64 { return &c.Errors }),
	attr.Drop[seg6Count](seg6Number(uapi.SEG6_LOCAL_CNT_PAD)),
)

// counter is a row for a counter, which is written also if it is zero.
func counter(num seg6Number, at func(*seg6Count) *uint64) attr.Row[seg6Count] {
	return attr.Func(num,
		func(b []byte, c *seg6Count) ([]byte, bool, error) {
			return binary.NativeEndian.AppendUint64(b, *at(c)), true, nil
		},
		func(p []byte, c *seg6Count) error {
			if len(p) < 8 {
				return fmt.Errorf("%d bytes of payload, want 8", len(p))
			}
			*at(c) = binary.NativeEndian.Uint64(p)
			return nil
		})
}

func putSeg6Counters(b []byte, e *seg6Local) ([]byte, bool, error) {
	c, ok := e.Counters.Get()
	if !ok {
		return b, false, nil
	}
	b, err := seg6CountCodec.Append(b, &seg6Count{Seg6Counters: c})
	return b, true, err
}

func getSeg6Counters(p []byte, e *seg6Local) error {
	var c seg6Count
	if err := seg6CountCodec.Decode(p, &c); err != nil {
		return err
	}
	if c.unknown != "" {
		keep(&e.Unknown, uapi.SEG6_LOCAL_COUNTERS, p) // counters of a newer kernel
		return nil
	}
	e.Counters.Set(c.Seg6Counters)
	return nil
}

var seg6FlavorCodec = attr.NewCodec(func(f *Seg6Flavors) *Attributes { return &f.Unknown },
	nonZero(seg6Number(uapi.SEG6_LOCAL_FLV_OPERATION), attr.U32,
		func(f *Seg6Flavors) (*Seg6FlavorOps, *Attributes) { return &f.Ops, &f.Unknown }),
	nonZero(seg6Number(uapi.SEG6_LOCAL_FLV_LCBLOCK_BITS), attr.U8,
		func(f *Seg6Flavors) (*uint8, *Attributes) { return &f.LBLen, &f.Unknown }),
	nonZero(seg6Number(uapi.SEG6_LOCAL_FLV_LCNODE_FN_BITS), attr.U8,
		func(f *Seg6Flavors) (*uint8, *Attributes) { return &f.NFLen, &f.Unknown }),
)

func decodeEncapSeg6Local(p []byte) (Encap, error) {
	e := seg6LocalCodec.Borrow()
	defer seg6LocalCodec.Return(e)
	if err := seg6LocalCodec.Decode(p, e); err != nil {
		return nil, err
	}
	if e.srh != "" {
		e.SRH = decodeSRH(e.srh, e.Action.slot())
	}
	return e.EncapSeg6Local, nil
}

// Type is EncapTypeSeg6Local.
func (e EncapSeg6Local) Type() EncapType { return EncapTypeSeg6Local }

// String is the words of ip-route(8): seg6local action End.DX4 nh4 192.0.2.1.
func (e EncapSeg6Local) String() string { return encapString(e, nil) }

func (e EncapSeg6Local) append(b []byte) ([]byte, error) {
	return seg6LocalCodec.Append(b, &seg6Local{EncapSeg6Local: e})
}

// canonical has no counts: only whether there are any.
func (e EncapSeg6Local) canonical() Encap {
	if e.Counters.IsSet() {
		e.Counters = Some(Seg6Counters{})
	}
	if f := &e.Flavors; f.Ops&Seg6NextCSID != 0 {
		f.LBLen, f.NFLen = cmp.Or(f.LBLen, 32), cmp.Or(f.NFLen, 16)
	}
	return e
}

// words say everything unless there are counts, or lengths without next-csid.
func (e EncapSeg6Local) words(n *Names) ([]string, bool) {
	var p iptext.Printer
	seg6LocalWords.Print(&p, &seg6LocalText{EncapSeg6Local: e, names: n})
	names, rest := seg6FlavorNames.Names(uint32(e.Flavors.Ops))
	all := e.Action != 0 && rest == 0 && e.Counters.Or(Seg6Counters{}) == (Seg6Counters{}) &&
		e.Flavors.Unknown == "" && e.Unknown == "" &&
		(e.Flavors.Ops&Seg6NextCSID != 0 || e.Flavors.LBLen == 0 && e.Flavors.NFLen == 0) &&
		(len(names) > 0 || e.Flavors == (Seg6Flavors{}))
	return []string{p.String()}, all
}

// A seg6LocalText is an EncapSeg6Local on its way to or from text.
type seg6LocalText struct {
	EncapSeg6Local
	names *Names
	raw   string // the header
}

func parseEncapSeg6Local(w *iptext.Words, n *Names) (Encap, error) {
	e := seg6LocalText{names: n}
	if err := parseWords(w, seg6LocalWords, &e); err != nil {
		return nil, err
	}
	if e.Action == 0 {
		return nil, w.Errorf("no action")
	}
	if e.raw != "" {
		e.SRH = decodeSRH(e.raw, e.Action.slot())
	}
	return e.EncapSeg6Local, nil
}

// parseFlavors reads names with commas between them, each at most once.
func parseFlavors(s string) (ops Seg6FlavorOps, ok bool) {
	for part := range strings.SplitSeq(s, ",") {
		bit, ok := seg6FlavorNames.Bit(strings.ToLower(part))
		if !ok || ops&Seg6FlavorOps(bit) != 0 {
			return 0, false
		}
		ops |= Seg6FlavorOps(bit)
	}
	return ops, true
}

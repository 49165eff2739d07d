package route

import (
	"bytes"
	"strings"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
)

// Seg6Flavors are variants of an action: SEG6_LOCAL_FLV_*. The zero Seg6Flavors mean no
// variants.
type Seg6Flavors struct {
	// Ops is the set of operations: psp, usp, usd, next-csid.
	// (SEG6_LOCAL_FLV_OPERATION)
	Ops Seg6FlavorOps
	// LBLen and NFLen are the lengths, in bits, of the parts of a segment for
	// next-csid: lblen, nflen. Unset: 32 and 16. The kernel refuses zero.
	// (SEG6_LOCAL_FLV_LCBLOCK_BITS, SEG6_LOCAL_FLV_LCNODE_FN_BITS)
	LBLen, NFLen Opt[uint8]
	// Unknown holds the attributes that this package has no field for.
	Unknown Attributes
}

// Seg6FlavorOps is a set of operations, bits by the numbers of
// SEG6_LOCAL_FLV_OP_*.
type Seg6FlavorOps uint32

// The operations.
const (
	Seg6PSP      Seg6FlavorOps = 1 << uapi.SEG6_LOCAL_FLV_OP_PSP       // psp: the second-to-last router removes the header; Linux 6.3
	Seg6USP      Seg6FlavorOps = 1 << uapi.SEG6_LOCAL_FLV_OP_USP       // usp: the last router removes the header
	Seg6USD      Seg6FlavorOps = 1 << uapi.SEG6_LOCAL_FLV_OP_USD       // usd: the last router unwraps the packet
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
	return iptext.UnmarshalBits(seg6FlavorNames, 32, "route", "flavors", bytes.ToLower(text), ",", o)
}

var seg6FlavorCodec = attr.NewCodec(func(f *Seg6Flavors) *Attributes { return &f.Unknown },
	attr.KeepZero(attr.Field(seg6Number(uapi.SEG6_LOCAL_FLV_OPERATION), attr.U32,
		func(f *Seg6Flavors) *Seg6FlavorOps { return &f.Ops })),
	attr.OptField(seg6Number(uapi.SEG6_LOCAL_FLV_LCBLOCK_BITS), attr.U8, func(f *Seg6Flavors) *Opt[uint8] { return &f.LBLen }),
	attr.OptField(seg6Number(uapi.SEG6_LOCAL_FLV_LCNODE_FN_BITS), attr.U8, func(f *Seg6Flavors) *Opt[uint8] { return &f.NFLen }),
)

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

// parseFlavorWords takes the flavors, and two lengths for next-csid.
func parseFlavorWords(w *iptext.Words, e *seg6LocalText) error {
	s, err := w.Arg("flavors")
	if err != nil {
		return err
	}
	var ok bool
	if e.Flavors.Ops, ok = parseFlavors(s); !ok {
		return w.Errorf("not flavors")
	}
	if e.Flavors.Ops&Seg6NextCSID == 0 {
		return nil
	}
	for _, x := range []struct {
		word string
		at   *Opt[uint8]
	}{{"lblen", &e.Flavors.LBLen}, {"nflen", &e.Flavors.NFLen}} {
		if w.Accept(x.word) {
			if err := argOptU8(w, "a length", x.at); err != nil {
				return err
			}
		}
	}
	return nil
}

func printFlavorWords(p *iptext.Printer, e *seg6LocalText) {
	names, _ := seg6FlavorNames.Names(uint32(e.Flavors.Ops))
	if len(names) == 0 {
		return
	}
	p.Put("flavors", strings.Join(names, ","))
	if n, ok := e.Flavors.LBLen.Get(); ok {
		p.Put("lblen", iptext.Decimal(n))
	}
	if n, ok := e.Flavors.NFLen.Get(); ok {
		p.Put("nflen", iptext.Decimal(n))
	}
}

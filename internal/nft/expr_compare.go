package nft

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/uapi"
)

// A CmpOp is how a [Cmp] compares, NFT_CMP_*. Bytes are compared from the first on, so
// only numbers in network byte order have an order.
type CmpOp uint32

// Comparisons.
const (
	Equal          CmpOp = uapi.NFT_CMP_EQ
	NotEqual       CmpOp = uapi.NFT_CMP_NEQ
	Less           CmpOp = uapi.NFT_CMP_LT
	LessOrEqual    CmpOp = uapi.NFT_CMP_LTE
	Greater        CmpOp = uapi.NFT_CMP_GT
	GreaterOrEqual CmpOp = uapi.NFT_CMP_GTE
)

var cmpWords = map[CmpOp]string{Equal: "eq", NotEqual: "neq", Less: "lt", LessOrEqual: "lte", Greater: "gt", GreaterOrEqual: "gte"}

// A Cmp ends the rule unless the bytes in Source compare to Data as Op says.
type Cmp struct {
	Source  Register
	Op      CmpOp
	Data    string
	Unknown string // the attributes without a field, with headers
}

// Name returns "cmp".
func (Cmp) Name() string { return "cmp" }

// String returns text like "cmp eq reg 1 0x00000011".
func (e Cmp) String() string {
	return fmt.Sprintf("cmp %s reg %d %s", word(cmpWords, e.Op), e.Source, words32(e.Data))
}

func (e Cmp) payload(b []byte) ([]byte, error) { return encode(cmpCodec, b, e) }

func (e Cmp) canonical() Expr {
	e.Source = e.Source.canonical()
	return e
}

// words32 prints data as nft(8) does: words of 4 bytes in host byte order.
func words32(data string) string {
	var words []string
	for len(data) > 0 {
		var w [4]byte
		n := copy(w[:], data)
		words = append(words, fmt.Sprintf("0x%08x", binary.NativeEndian.Uint32(w[:])))
		data = data[n:]
	}
	return strings.Join(words, " ")
}

var cmpCodec = attr.NewCodec(func(e *Cmp) *string { return &e.Unknown },
	always(uapi.NFTA_CMP_SREG, attr.BE32[Register], func(e *Cmp) *Register { return &e.Source }),
	always(uapi.NFTA_CMP_OP, attr.BE32[CmpOp], func(e *Cmp) *CmpOp { return &e.Op }),
	attr.Nested(always(uapi.NFTA_CMP_DATA, value, func(e *Cmp) *string { return &e.Data })),
)

// A Range ends the rule unless the bytes in Source are from From to To, or are not if Not
// is set.
type Range struct {
	Source   Register
	Not      bool
	From, To string
	Unknown  string // the attributes without a field, with headers
}

// Name returns "range".
func (Range) Name() string { return "range" }

// String returns text like "range eq reg 1 0x0000aa04 0x0000af04".
func (e Range) String() string {
	op := "eq"
	if e.Not {
		op = "neq"
	}
	return fmt.Sprintf("range %s reg %d %s %s", op, e.Source, words32(e.From), words32(e.To))
}

func (e Range) payload(b []byte) ([]byte, error) { return encode(rangeCodec, b, e) }

func (e Range) canonical() Expr {
	e.Source = e.Source.canonical()
	return e
}

var rangeCodec = attr.NewCodec(func(e *Range) *string { return &e.Unknown },
	always(uapi.NFTA_RANGE_SREG, attr.BE32[Register], func(e *Range) *Register { return &e.Source }),
	always(uapi.NFTA_RANGE_OP, beFlag, func(e *Range) *bool { return &e.Not }),
	attr.Nested(always(uapi.NFTA_RANGE_FROM_DATA, value, func(e *Range) *string { return &e.From })),
	attr.Nested(always(uapi.NFTA_RANGE_TO_DATA, value, func(e *Range) *string { return &e.To })),
)

// beFlag is the kind of a uint32 in network byte order that is 0 or 1.
func beFlag() attr.Kind[bool] {
	k := attr.BE32[uint32]()
	return attr.Kind[bool]{
		Append: func(b []byte, v bool) ([]byte, error) {
			n := uint32(0)
			if v {
				n = 1
			}
			return k.Append(b, n)
		},
		Decode: func(p []byte) (bool, error) {
			n, err := k.Decode(p)
			if err == nil && n > 1 {
				err = fmt.Errorf("%d, of 0 and 1", n)
			}
			return n == 1, err
		},
	}
}

// A Bitwise computes Source & Mask ^ XOR. To set the bits of M to V, use the mask ^M and
// the XOR V.
type Bitwise struct {
	Source  Register
	Dest    Register
	Op      uint32 // NFT_BITWISE_*. Zero means the operation above.
	Len     uint32 // bytes
	Mask    string // Len bytes
	XOR     string // Len bytes
	Unknown string // the attributes without a field, with headers
}

// Name returns "bitwise".
func (Bitwise) Name() string { return "bitwise" }

// String returns text like "bitwise reg 1 = ( reg 1 & 0x00ffffff ) ^ 0x01000000".
func (e Bitwise) String() string {
	if e.Op != uapi.NFT_BITWISE_MASK_XOR {
		return fmt.Sprintf("bitwise reg %d = ( reg %d op %d %x )", e.Dest, e.Source, e.Op, e.Unknown)
	}
	return fmt.Sprintf("bitwise reg %d = ( reg %d & %s ) ^ %s", e.Dest, e.Source, words32(e.Mask), words32(e.XOR))
}

func (e Bitwise) payload(b []byte) ([]byte, error) { return encode(bitwiseCodec, b, e) }

func (e Bitwise) canonical() Expr {
	e.Source, e.Dest = e.Source.canonical(), e.Dest.canonical()
	return e
}

var bitwiseCodec = attr.NewCodec(func(e *Bitwise) *string { return &e.Unknown },
	always(uapi.NFTA_BITWISE_SREG, attr.BE32[Register], func(e *Bitwise) *Register { return &e.Source }),
	always(uapi.NFTA_BITWISE_DREG, attr.BE32[Register], func(e *Bitwise) *Register { return &e.Dest }),
	always(uapi.NFTA_BITWISE_OP, attr.BE32[uint32], func(e *Bitwise) *uint32 { return &e.Op }),
	always(uapi.NFTA_BITWISE_LEN, attr.BE32[uint32], func(e *Bitwise) *uint32 { return &e.Len }),
	attr.Nested(attr.Field(uapi.NFTA_BITWISE_MASK, value, func(e *Bitwise) *string { return &e.Mask })),
	attr.Nested(attr.Field(uapi.NFTA_BITWISE_XOR, value, func(e *Bitwise) *string { return &e.XOR })),
)

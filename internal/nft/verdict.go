package nft

import (
	"fmt"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/uapi"
)

// A Verdict is what happens to a packet. The zero Verdict is none.
type Verdict struct {
	Valid   bool
	Code    int32  // NF_ACCEPT, NF_DROP, NFT_JUMP, ...
	Chain   string // the target of a jump or goto
	Unknown string // the attributes without a field, with headers
}

// Accept returns the verdict accept.
func Accept() Verdict { return Verdict{Valid: true, Code: uapi.NF_ACCEPT} }

// Drop returns the verdict drop.
func Drop() Verdict { return Verdict{Valid: true, Code: uapi.NF_DROP} }

// Return returns the verdict return, which ends a chain.
func Return() Verdict { return Verdict{Valid: true, Code: uapi.NFT_RETURN} }

// Jump returns the verdict that goes through another chain and comes back.
func Jump(chain string) Verdict { return Verdict{Valid: true, Code: uapi.NFT_JUMP, Chain: chain} }

// Goto returns the verdict that goes to another chain and does not come back.
func Goto(chain string) Verdict { return Verdict{Valid: true, Code: uapi.NFT_GOTO, Chain: chain} }

// String returns the words of nft(8).
func (v Verdict) String() string {
	switch {
	case !v.Valid:
		return "no verdict"
	case v.Code == uapi.NF_ACCEPT:
		return "accept"
	case v.Code == uapi.NF_DROP:
		return "drop"
	case v.Code == uapi.NFT_RETURN:
		return "return"
	case v.Code == uapi.NFT_CONTINUE:
		return "continue"
	case v.Code == uapi.NFT_BREAK:
		return "break"
	case v.Code == uapi.NFT_JUMP:
		return "jump -> " + v.Chain
	case v.Code == uapi.NFT_GOTO:
		return "goto -> " + v.Chain
	}
	return fmt.Sprintf("verdict %d", v.Code)
}

var verdictCodec = attr.NewCodec(func(v *Verdict) *string { return &v.Unknown },
	always(uapi.NFTA_VERDICT_CODE, be32Signed, func(v *Verdict) *int32 { return &v.Code }),
	attr.Field(uapi.NFTA_VERDICT_CHAIN, name[string], func(v *Verdict) *string { return &v.Chain }),
)

// be32Signed is the kind of an int32 in network byte order.
func be32Signed() attr.Kind[int32] {
	k := attr.BE32[uint32]()
	return attr.Kind[int32]{
		Append: func(b []byte, v int32) ([]byte, error) { return k.Append(b, uint32(v)) },
		Decode: func(p []byte) (int32, error) {
			v, err := k.Decode(p)
			return int32(v), err
		},
	}
}

// appendData appends a verdict if there is one, and otherwise a value.
func appendData(b []byte, v *Verdict, data string) ([]byte, error) {
	if !v.Valid {
		return value().Append(b, data)
	}
	p, err := verdictCodec.Append(nil, v)
	if err != nil {
		return nil, err
	}
	return attr.AppendNested(b, uapi.NFTA_DATA_VERDICT, p), nil
}

// decodeData reads a verdict or a value.
func decodeData(p []byte, v *Verdict, data *string) (err error) {
	*v, *data = Verdict{}, ""
	if inner, ok := attr.First(p, uapi.NFTA_DATA_VERDICT); ok {
		*v = Verdict{Valid: true}
		return verdictCodec.Decode(inner, v)
	}
	*data, err = value().Decode(p)
	return err
}

package nft

import (
	"fmt"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/uapi"
)

// A Rule is a sequence of expressions in a chain.
type Rule struct {
	Family  Family
	Table   string
	Chain   string
	Exprs   []Expr
	Comment string
	// UserData is what nft(8) keeps beside the comment.
	UserData UserData

	// Handle names the rule. The kernel chooses it; a rule to be deleted or replaced needs
	// it.
	Handle uint64
	// Position, in a rule of the kernel, is the handle of the rule before it. For a rule
	// to be added it is that of the rule which it comes after, or before if it is
	// inserted. Zero means the end of the chain, or its beginning.
	Position uint64

	Unknown string // the attributes without a field, with headers
}

// String returns the words of nft(8): "rule inet filter input handle 4", or the comment
// for a rule without a handle.
func (r Rule) String() string {
	s := object("rule", r.Family, r.Table, r.Chain)
	if r.Handle != 0 {
		s += fmt.Sprintf(" handle %d", r.Handle)
	}
	if r.Comment != "" {
		s += " comment " + r.Comment
	}
	return s
}

var ruleCodec = attr.NewCodec(func(r *Rule) *string { return &r.Unknown },
	attr.Field(uapi.NFTA_RULE_TABLE, name[string], func(r *Rule) *string { return &r.Table }),
	attr.Field(uapi.NFTA_RULE_CHAIN, name[string], func(r *Rule) *string { return &r.Chain }),
	attr.Field(uapi.NFTA_RULE_HANDLE, attr.BE64[uint64], func(r *Rule) *uint64 { return &r.Handle }),
	attr.Nested(attr.Func(uapi.NFTA_RULE_EXPRESSIONS,
		func(b []byte, r *Rule) ([]byte, bool, error) {
			b, err := appendExprs(b, r.Exprs)
			return b, len(r.Exprs) > 0, err
		},
		func(p []byte, r *Rule) (err error) {
			r.Exprs, err = decodeExprs(p)
			return err
		})),
	attr.Field(uapi.NFTA_RULE_POSITION, attr.BE64[uint64], func(r *Rule) *uint64 { return &r.Position }),
	userDataRow(uapi.NFTA_RULE_USERDATA, udataComment,
		func(r *Rule) *UserData { return &r.UserData }, func(r *Rule) *string { return &r.Comment }),
	attr.Drop[Rule](uapi.NFTA_RULE_PAD),
)

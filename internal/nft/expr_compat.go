package nft

import (
	"fmt"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/uapi"
)

// A Target is a target of iptables-nft, such as "DNAT" or "MASQUERADE".
type Target struct {
	Target   string // its name
	Revision uint32
	Info     string // the struct of the target
	Unknown  string // the attributes without a field, with headers
}

// Name returns "target".
func (Target) Name() string { return "target" }

// String returns text like "target name DNAT rev 2".
func (e Target) String() string { return fmt.Sprintf("target name %s rev %d", e.Target, e.Revision) }

func (e Target) payload(b []byte) ([]byte, error) { return encode(targetCodec, b, e) }
func (e Target) canonical() Expr                  { return e }

var targetCodec = attr.NewCodec(func(e *Target) *string { return &e.Unknown },
	attr.Field(uapi.NFTA_TARGET_NAME, text[string], func(e *Target) *string { return &e.Target }),
	always(uapi.NFTA_TARGET_REV, attr.BE32[uint32], func(e *Target) *uint32 { return &e.Revision }),
	attr.Field(uapi.NFTA_TARGET_INFO, rawBytes[string], func(e *Target) *string { return &e.Info }),
)

// A Match is a match of iptables-nft, such as "addrtype" or "tcp".
type Match struct {
	Match    string // its name
	Revision uint32
	Info     string // the struct of the match
	Unknown  string // the attributes without a field, with headers
}

// Name returns "match".
func (Match) Name() string { return "match" }

// String returns text like "match name tcp rev 0".
func (e Match) String() string { return fmt.Sprintf("match name %s rev %d", e.Match, e.Revision) }

func (e Match) payload(b []byte) ([]byte, error) { return encode(matchCodec, b, e) }
func (e Match) canonical() Expr                  { return e }

var matchCodec = attr.NewCodec(func(e *Match) *string { return &e.Unknown },
	attr.Field(uapi.NFTA_MATCH_NAME, text[string], func(e *Match) *string { return &e.Match }),
	always(uapi.NFTA_MATCH_REV, attr.BE32[uint32], func(e *Match) *uint32 { return &e.Revision }),
	attr.Field(uapi.NFTA_MATCH_INFO, rawBytes[string], func(e *Match) *string { return &e.Info }),
)

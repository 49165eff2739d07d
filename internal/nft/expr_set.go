package nft

import (
	"fmt"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/uapi"
)

// A Lookup ends the rule unless a set has the key that is in Source.
type Lookup struct {
	Set    string
	SetID  uint32 // names a set of the same batch, if it is not zero; the kernel does not report it
	Source Register
	Not    bool // end the rule if the set has the key
	// Map says that the set is a map. What it has for the key goes to Dest, which for a
	// map of verdicts is RegVerdict.
	Map     bool
	Dest    Register
	Unknown string // the attributes without a field, with headers
}

// Name returns "lookup".
func (Lookup) Name() string { return "lookup" }

// String returns text like "lookup reg 1 set asked".
func (e Lookup) String() string {
	s := fmt.Sprintf("lookup reg %d set %s", e.Source, e.Set)
	if e.Map {
		s += fmt.Sprintf(" dreg %d", e.Dest)
	}
	if e.Not {
		s += " 0x1"
	}
	return s
}

func (e Lookup) payload(b []byte) ([]byte, error) { return encode(lookupCodec, b, e) }

func (e Lookup) canonical() Expr {
	e.Source, e.Dest, e.SetID = e.Source.canonical(), e.Dest.canonical(), 0
	return e
}

var lookupCodec = attr.NewCodec(func(e *Lookup) *string { return &e.Unknown },
	always(uapi.NFTA_LOOKUP_SREG, attr.BE32[Register], func(e *Lookup) *Register { return &e.Source }),
	attr.Func(uapi.NFTA_LOOKUP_DREG,
		func(b []byte, e *Lookup) ([]byte, bool, error) {
			b, err := attr.BE32[Register]().Append(b, e.Dest)
			return b, e.Map, err
		},
		func(p []byte, e *Lookup) (err error) {
			e.Map = true
			e.Dest, err = attr.BE32[Register]().Decode(p)
			return err
		}),
	attr.Field(uapi.NFTA_LOOKUP_SET, name[string], func(e *Lookup) *string { return &e.Set }),
	attr.Field(uapi.NFTA_LOOKUP_SET_ID, attr.BE32[uint32], func(e *Lookup) *uint32 { return &e.SetID }),
	attr.Field(uapi.NFTA_LOOKUP_FLAGS, beFlag, func(e *Lookup) *bool { return &e.Not }),
)

// A DynsetOp is what a [Dynset] does, NFT_DYNSET_OP_*.
type DynsetOp uint32

// Operations of a Dynset. DynsetUpdate also restarts the timeout of an element that the set
// has. DynsetDelete is of Linux 5.4.
const (
	DynsetAdd    DynsetOp = uapi.NFT_DYNSET_OP_ADD
	DynsetUpdate DynsetOp = uapi.NFT_DYNSET_OP_UPDATE
	DynsetDelete DynsetOp = uapi.NFT_DYNSET_OP_DELETE
)

// A Dynset changes a set that has the flag [Dynamic]. DynsetAdd and DynsetUpdate end the
// rule if the set is full. DynsetDelete does not end the rule, even if the set does not have
// the key.
type Dynset struct {
	Set     string
	SetID   uint32 // names a set of the same batch, if it is not zero; the kernel does not report it
	Op      DynsetOp
	Key     Register     // the key
	Data    Register     // what a map has for the key; zero for a set
	Timeout Milliseconds // zero means that of the set
	Flags   uint32       // NFT_DYNSET_F_*
	Unknown string       // the attributes without a field, with headers
}

// Name returns "dynset".
func (Dynset) Name() string { return "dynset" }

// String returns text like "dynset update reg_key 1 set asked timeout 60000ms".
func (e Dynset) String() string {
	ops := map[DynsetOp]string{DynsetAdd: "add", DynsetUpdate: "update", DynsetDelete: "delete"}
	s := fmt.Sprintf("dynset %s reg_key %d set %s", word(ops, e.Op), e.Key, e.Set)
	if e.Data != 0 {
		s += fmt.Sprintf(" sreg_data %d", e.Data)
	}
	if e.Timeout != 0 {
		s += fmt.Sprintf(" timeout %dms", e.Timeout)
	}
	return s
}

func (e Dynset) payload(b []byte) ([]byte, error) { return encode(dynsetCodec, b, e) }

func (e Dynset) canonical() Expr {
	e.Key, e.Data, e.SetID = e.Key.canonical(), e.Data.canonical(), 0
	return e
}

var dynsetCodec = attr.NewCodec(func(e *Dynset) *string { return &e.Unknown },
	always(uapi.NFTA_DYNSET_SREG_KEY, attr.BE32[Register], func(e *Dynset) *Register { return &e.Key }),
	attr.Field(uapi.NFTA_DYNSET_SREG_DATA, attr.BE32[Register], func(e *Dynset) *Register { return &e.Data }),
	always(uapi.NFTA_DYNSET_OP, attr.BE32[DynsetOp], func(e *Dynset) *DynsetOp { return &e.Op }),
	attr.Field(uapi.NFTA_DYNSET_TIMEOUT, attr.BE64[Milliseconds], func(e *Dynset) *Milliseconds { return &e.Timeout }),
	attr.Field(uapi.NFTA_DYNSET_SET_NAME, name[string], func(e *Dynset) *string { return &e.Set }),
	attr.Field(uapi.NFTA_DYNSET_SET_ID, attr.BE32[uint32], func(e *Dynset) *uint32 { return &e.SetID }),
	attr.Field(uapi.NFTA_DYNSET_FLAGS, attr.BE32[uint32], func(e *Dynset) *uint32 { return &e.Flags }),
	attr.Drop[Dynset](uapi.NFTA_DYNSET_PAD),
)

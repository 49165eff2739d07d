package nft

import (
	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/uapi"
)

// Types of base chains.
const (
	TypeFilter = "filter"
	TypeRoute  = "route" // a packet whose mark or addresses it changes is routed again
	TypeNAT    = "nat"   // sees the first packet of each connection
)

// Hooks of the families inet, ip and ip6, NF_INET_*.
const (
	Prerouting  uint32 = uapi.NF_INET_PRE_ROUTING
	Input       uint32 = uapi.NF_INET_LOCAL_IN
	Forward     uint32 = uapi.NF_INET_FORWARD
	Output      uint32 = uapi.NF_INET_LOCAL_OUT
	Postrouting uint32 = uapi.NF_INET_POST_ROUTING
)

// Priorities of chains, by their names in nft(8). Connection tracking sees a packet at
// PriorityConntrack.
const (
	PriorityRaw       int32 = uapi.NF_IP_PRI_RAW
	PriorityConntrack int32 = uapi.NF_IP_PRI_CONNTRACK
	PriorityMangle    int32 = uapi.NF_IP_PRI_MANGLE
	PriorityDstNAT    int32 = uapi.NF_IP_PRI_NAT_DST
	PriorityFilter    int32 = uapi.NF_IP_PRI_FILTER
	PrioritySrcNAT    int32 = uapi.NF_IP_PRI_NAT_SRC
)

// A Policy is what happens to a packet that a base chain has no verdict for.
type Policy uint8

// Policies. The kernel reports PolicyAccept for a base chain that was made without one.
const (
	NoPolicy Policy = iota
	PolicyAccept
	PolicyDrop
)

// A Hook is where a base chain sees packets.
type Hook struct {
	Number   uint32 // Prerouting, Input, ...
	Priority int32  // the least comes first
	Device   string // for netdev, the only interface
	Unknown  string // the attributes without a field, with headers
}

// A Chain is a sequence of rules.
type Chain struct {
	Family  Family
	Table   string
	Name    string
	Base    bool   // the chain has a Hook
	Hook    Hook   // where packets come from, if Base is set
	Type    string // of a base chain: TypeFilter, TypeRoute, TypeNAT
	Policy  Policy // of a base chain
	Flags   uint32 // NFT_CHAIN_*
	Comment string
	// UserData is what nft(8) keeps beside the comment.
	UserData UserData

	// The kernel chooses these.
	Handle   uint64
	Use      uint32 // the number of rules, and of jumps to the chain
	Counters string // the attributes of the counters of a base chain

	Unknown string // the attributes without a field, with headers
}

// String returns the words of nft(8): "chain inet filter input".
func (c Chain) String() string { return object("chain", c.Family, c.Table, c.Name) }

var hookCodec = attr.NewCodec(func(h *Hook) *string { return &h.Unknown },
	always(uapi.NFTA_HOOK_HOOKNUM, attr.BE32[uint32], func(h *Hook) *uint32 { return &h.Number }),
	always(uapi.NFTA_HOOK_PRIORITY, be32Signed, func(h *Hook) *int32 { return &h.Priority }),
	attr.Field(uapi.NFTA_HOOK_DEV, text[string], func(h *Hook) *string { return &h.Device }),
)

var chainCodec = attr.NewCodec(func(c *Chain) *string { return &c.Unknown },
	attr.Field(uapi.NFTA_CHAIN_TABLE, name[string], func(c *Chain) *string { return &c.Table }),
	attr.Field(uapi.NFTA_CHAIN_NAME, name[string], func(c *Chain) *string { return &c.Name }),
	attr.Field(uapi.NFTA_CHAIN_TYPE, text[string], func(c *Chain) *string { return &c.Type }),
	attr.Func(uapi.NFTA_CHAIN_POLICY, putPolicy, getPolicy),
	attr.Nested(attr.Func(uapi.NFTA_CHAIN_HOOK,
		func(b []byte, c *Chain) ([]byte, bool, error) {
			if !c.Base {
				return b, false, nil
			}
			b, err := hookCodec.Append(b, &c.Hook)
			return b, true, err
		},
		func(p []byte, c *Chain) error {
			c.Base, c.Hook = true, Hook{}
			return hookCodec.Decode(p, &c.Hook)
		})),
	attr.Field(uapi.NFTA_CHAIN_FLAGS, attr.BE32[uint32], func(c *Chain) *uint32 { return &c.Flags }),
	userDataRow(uapi.NFTA_CHAIN_USERDATA, udataComment,
		func(c *Chain) *UserData { return &c.UserData }, func(c *Chain) *string { return &c.Comment }),
	attr.Field(uapi.NFTA_CHAIN_HANDLE, attr.BE64[uint64], func(c *Chain) *uint64 { return &c.Handle }),
	attr.Field(uapi.NFTA_CHAIN_USE, attr.BE32[uint32], func(c *Chain) *uint32 { return &c.Use }),
	attr.Nested(attr.Field(uapi.NFTA_CHAIN_COUNTERS, rawBytes[string], func(c *Chain) *string { return &c.Counters })),
	attr.Drop[Chain](uapi.NFTA_CHAIN_PAD),
)

func putPolicy(b []byte, c *Chain) ([]byte, bool, error) {
	switch c.Policy {
	case PolicyAccept:
		return append(b, 0, 0, 0, uapi.NF_ACCEPT), true, nil
	case PolicyDrop:
		return append(b, 0, 0, 0, uapi.NF_DROP), true, nil
	}
	return b, false, nil
}

func getPolicy(p []byte, c *Chain) error {
	n, err := attr.BE32[uint32]().Decode(p)
	c.Policy = PolicyAccept
	if n == uapi.NF_DROP {
		c.Policy = PolicyDrop
	}
	return err
}

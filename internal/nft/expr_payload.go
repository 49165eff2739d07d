package nft

import (
	"fmt"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/uapi"
)

// A Payload loads bytes of a packet into the register Dest, or writes them from the
// register Source.
type Payload struct {
	Dest    Register
	Source  Register
	Base    uint32 // LinkHeader, NetworkHeader, TransportHeader
	Offset  uint32 // bytes after the start of the header
	Len     uint32 // bytes
	Sum     Checksum
	Unknown string // the attributes without a field, with headers
}

// A Checksum says what a [Payload] updates when it writes.
type Checksum struct {
	Type   uint32 // NFT_PAYLOAD_CSUM_*: of a header
	Offset uint32 // bytes after the start of the header
	// Flags with NFT_PAYLOAD_L4CSUM_PSEUDOHDR update the checksum of the transport header,
	// which also depends on the addresses.
	Flags uint32
}

// Headers that the offset of a Payload counts from.
const (
	LinkHeader      uint32 = uapi.NFT_PAYLOAD_LL_HEADER
	NetworkHeader   uint32 = uapi.NFT_PAYLOAD_NETWORK_HEADER
	TransportHeader uint32 = uapi.NFT_PAYLOAD_TRANSPORT_HEADER
)

// Offsets of addresses in the headers of IPv4 and IPv6, and of ports in those of TCP and
// UDP.
const (
	OffsetSource4    = 12
	OffsetDest4      = 16
	OffsetSource6    = 8
	OffsetDest6      = 24
	OffsetSourcePort = 0
	OffsetDestPort   = 2
	offsetChecksum4  = 10
)

// SourceAddr returns the Payload that loads the source address of a packet of IPv4 or IPv6.
func SourceAddr(f Family, dest Register) Payload {
	if f == IPv6 {
		return Payload{Dest: dest, Base: NetworkHeader, Offset: OffsetSource6, Len: 16}
	}
	return Payload{Dest: dest, Base: NetworkHeader, Offset: OffsetSource4, Len: 4}
}

// DestAddr returns the Payload that loads the destination address of a packet of IPv4 or IPv6.
func DestAddr(f Family, dest Register) Payload {
	if f == IPv6 {
		return Payload{Dest: dest, Base: NetworkHeader, Offset: OffsetDest6, Len: 16}
	}
	return Payload{Dest: dest, Base: NetworkHeader, Offset: OffsetDest4, Len: 4}
}

// SetSourceAddr returns the Payload that replaces the source address of a packet of IPv4
// or IPv6, and corrects its checksums.
func SetSourceAddr(f Family, source Register) Payload {
	p := SourceAddr(f, 0)
	p.Source = source
	p.Sum.Flags = uapi.NFT_PAYLOAD_L4CSUM_PSEUDOHDR
	if f != IPv6 { // the header of IPv6 has no checksum
		p.Sum.Type, p.Sum.Offset = uapi.NFT_PAYLOAD_CSUM_INET, offsetChecksum4
	}
	return p
}

// SourcePort returns the Payload that loads the source port of TCP or UDP.
func SourcePort(dest Register) Payload {
	return Payload{Dest: dest, Base: TransportHeader, Offset: OffsetSourcePort, Len: 2}
}

// DestPort returns the Payload that loads the destination port of TCP or UDP.
func DestPort(dest Register) Payload {
	return Payload{Dest: dest, Base: TransportHeader, Offset: OffsetDestPort, Len: 2}
}

// Name returns "payload".
func (Payload) Name() string { return "payload" }

// String returns text like "payload load 4b @ network header + 12 => reg 1".
func (e Payload) String() string {
	words := map[uint32]string{LinkHeader: "link", NetworkHeader: "network", TransportHeader: "transport", uapi.NFT_PAYLOAD_INNER_HEADER: "inner"}
	base := word(words, e.Base)
	if e.Source != 0 {
		return fmt.Sprintf("payload write reg %d => %db @ %s header + %d csum_type %d csum_off %d csum_flags 0x%x",
			e.Source, e.Len, base, e.Offset, e.Sum.Type, e.Sum.Offset, e.Sum.Flags)
	}
	return fmt.Sprintf("payload load %db @ %s header + %d => reg %d", e.Len, base, e.Offset, e.Dest)
}

func (e Payload) payload(b []byte) ([]byte, error) { return encode(payloadCodec, b, e) }

func (e Payload) canonical() Expr {
	e.Dest, e.Source = e.Dest.canonical(), e.Source.canonical()
	return e
}

var payloadCodec = attr.NewCodec(func(e *Payload) *string { return &e.Unknown },
	attr.Field(uapi.NFTA_PAYLOAD_SREG, attr.BE32[Register], func(e *Payload) *Register { return &e.Source }),
	attr.Field(uapi.NFTA_PAYLOAD_DREG, attr.BE32[Register], func(e *Payload) *Register { return &e.Dest }),
	always(uapi.NFTA_PAYLOAD_BASE, attr.BE32[uint32], func(e *Payload) *uint32 { return &e.Base }),
	always(uapi.NFTA_PAYLOAD_OFFSET, attr.BE32[uint32], func(e *Payload) *uint32 { return &e.Offset }),
	always(uapi.NFTA_PAYLOAD_LEN, attr.BE32[uint32], func(e *Payload) *uint32 { return &e.Len }),
	attr.Field(uapi.NFTA_PAYLOAD_CSUM_TYPE, attr.BE32[uint32], func(e *Payload) *uint32 { return &e.Sum.Type }),
	attr.Field(uapi.NFTA_PAYLOAD_CSUM_OFFSET, attr.BE32[uint32], func(e *Payload) *uint32 { return &e.Sum.Offset }),
	attr.Field(uapi.NFTA_PAYLOAD_CSUM_FLAGS, attr.BE32[uint32], func(e *Payload) *uint32 { return &e.Sum.Flags }),
)

package nft

import (
	"fmt"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/uapi"
)

// A Meta loads what is known of a packet into the register Dest, or sets it from the
// register Source.
type Meta struct {
	Key     MetaKey
	Dest    Register
	Source  Register
	Unknown string // the attributes without a field, with headers
}

// A MetaKey is what a [Meta] loads or sets, NFT_META_*.
type MetaKey uint32

// Keys of a Meta. A mark, an index and a family of addresses are in host byte order, names
// have 16 bytes.
const (
	MetaProtocol MetaKey = uapi.NFT_META_PROTOCOL // the EtherType, in network byte order
	MetaMark     MetaKey = uapi.NFT_META_MARK
	MetaIIF      MetaKey = uapi.NFT_META_IIF
	MetaOIF      MetaKey = uapi.NFT_META_OIF
	MetaIIFName  MetaKey = uapi.NFT_META_IIFNAME
	MetaOIFName  MetaKey = uapi.NFT_META_OIFNAME
	MetaNFProto  MetaKey = uapi.NFT_META_NFPROTO // one byte: IPv4 or IPv6
	MetaL4Proto  MetaKey = uapi.NFT_META_L4PROTO // one byte: IPPROTO_*
	MetaPktType  MetaKey = uapi.NFT_META_PKTTYPE // one byte
)

var metaWords = map[MetaKey]string{
	uapi.NFT_META_LEN: "len", uapi.NFT_META_PROTOCOL: "protocol", uapi.NFT_META_PRIORITY: "priority",
	uapi.NFT_META_MARK: "mark", uapi.NFT_META_IIF: "iif", uapi.NFT_META_OIF: "oif", uapi.NFT_META_IIFNAME: "iifname",
	uapi.NFT_META_OIFNAME: "oifname", uapi.NFT_META_IIFTYPE: "iiftype", uapi.NFT_META_OIFTYPE: "oiftype",
	uapi.NFT_META_SKUID: "skuid", uapi.NFT_META_SKGID: "skgid", uapi.NFT_META_NFTRACE: "nftrace",
	uapi.NFT_META_RTCLASSID: "rtclassid", uapi.NFT_META_SECMARK: "secmark", uapi.NFT_META_NFPROTO: "nfproto",
	uapi.NFT_META_L4PROTO: "l4proto", uapi.NFT_META_PKTTYPE: "pkttype", uapi.NFT_META_CPU: "cpu",
	uapi.NFT_META_IIFGROUP: "iifgroup", uapi.NFT_META_OIFGROUP: "oifgroup", uapi.NFT_META_CGROUP: "cgroup",
}

// Name returns "meta".
func (Meta) Name() string { return "meta" }

// String returns text like "meta load mark => reg 1".
func (e Meta) String() string { return loadOrSet("meta", word(metaWords, e.Key), e.Dest, e.Source, "") }

func (e Meta) payload(b []byte) ([]byte, error) { return encode(metaCodec, b, e) }

func (e Meta) canonical() Expr {
	e.Dest, e.Source = e.Dest.canonical(), e.Source.canonical()
	return e
}

// word returns the word of a number, or the number.
func word[K ~uint32](words map[K]string, k K) string {
	if w, ok := words[k]; ok {
		return w
	}
	return fmt.Sprint(uint32(k))
}

// loadOrSet is the text of an expression that loads something or sets it.
func loadOrSet(name, key string, dest, source Register, more string) string {
	if source != 0 {
		return fmt.Sprintf("%s set %s with reg %d%s", name, key, source, more)
	}
	return fmt.Sprintf("%s load %s => reg %d%s", name, key, dest, more)
}

var metaCodec = attr.NewCodec(func(e *Meta) *string { return &e.Unknown },
	always(uapi.NFTA_META_KEY, attr.BE32[MetaKey], func(e *Meta) *MetaKey { return &e.Key }),
	attr.Field(uapi.NFTA_META_DREG, attr.BE32[Register], func(e *Meta) *Register { return &e.Dest }),
	attr.Field(uapi.NFTA_META_SREG, attr.BE32[Register], func(e *Meta) *Register { return &e.Source }),
)

// A CT loads what connection tracking knows of a packet into the register Dest, or sets
// it from the register Source.
type CT struct {
	Key       CTKey
	Dest      Register
	Source    Register
	Direction CTDirection // for keys that each direction of a connection has
	Unknown   string      // the attributes without a field, with headers
}

// A CTKey is what a [CT] loads or sets, NFT_CT_*.
type CTKey uint32

// Keys of a CT. All values but addresses and ports are in host byte order.
const (
	CTState     CTKey = uapi.NFT_CT_STATE     // one of the bits StateNew, ...
	CTDirKey    CTKey = uapi.NFT_CT_DIRECTION // one byte: IP_CT_DIR_ORIGINAL or IP_CT_DIR_REPLY
	CTStatus    CTKey = uapi.NFT_CT_STATUS    // IPS_*
	CTMark      CTKey = uapi.NFT_CT_MARK
	CTSource    CTKey = uapi.NFT_CT_SRC // with a Direction
	CTDest      CTKey = uapi.NFT_CT_DST
	CTSourceIP  CTKey = uapi.NFT_CT_SRC_IP // an IPv4 address, in a table of family inet
	CTDestIP    CTKey = uapi.NFT_CT_DST_IP
	CTSourceIP6 CTKey = uapi.NFT_CT_SRC_IP6
	CTDestIP6   CTKey = uapi.NFT_CT_DST_IP6
)

// A CTDirection says which direction of a connection is meant.
type CTDirection uint8

// Directions. The bytes that CTDirKey loads are one less.
const (
	NoDirection CTDirection = iota
	Original
	Reply
)

// Bits of the state of a packet.
const (
	StateInvalid     uint32 = uapi.NF_CT_STATE_INVALID_BIT
	StateEstablished uint32 = 1 << (uapi.IP_CT_ESTABLISHED + 1)
	StateRelated     uint32 = 1 << (uapi.IP_CT_RELATED + 1)
	StateNew         uint32 = 1 << (uapi.IP_CT_NEW + 1)
	StateUntracked   uint32 = uapi.NF_CT_STATE_UNTRACKED_BIT
)

var ctWords = map[CTKey]string{
	uapi.NFT_CT_STATE: "state", uapi.NFT_CT_DIRECTION: "direction", uapi.NFT_CT_STATUS: "status",
	uapi.NFT_CT_MARK: "mark", uapi.NFT_CT_SECMARK: "secmark", uapi.NFT_CT_EXPIRATION: "expiration",
	uapi.NFT_CT_HELPER: "helper", uapi.NFT_CT_L3PROTOCOL: "l3protocol", uapi.NFT_CT_SRC: "src",
	uapi.NFT_CT_DST: "dst", uapi.NFT_CT_PROTOCOL: "protocol", uapi.NFT_CT_PROTO_SRC: "proto_src",
	uapi.NFT_CT_PROTO_DST: "proto_dst", uapi.NFT_CT_LABELS: "label", uapi.NFT_CT_PKTS: "packets",
	uapi.NFT_CT_BYTES: "bytes", uapi.NFT_CT_AVGPKT: "avgpkt", uapi.NFT_CT_ZONE: "zone",
	uapi.NFT_CT_EVENTMASK: "event", uapi.NFT_CT_SRC_IP: "src_ip", uapi.NFT_CT_DST_IP: "dst_ip",
	uapi.NFT_CT_SRC_IP6: "src_ip6", uapi.NFT_CT_DST_IP6: "dst_ip6", uapi.NFT_CT_ID: "ct_id",
}

// Name returns "ct".
func (CT) Name() string { return "ct" }

// String returns text like "ct load mark => reg 1".
func (e CT) String() string {
	more := ""
	switch e.Direction {
	case NoDirection:
	case Original:
		more = " , dir original"
	case Reply:
		more = " , dir reply"
	default:
		more = fmt.Sprintf(" , dir %d", e.Direction-1)
	}
	return loadOrSet("ct", word(ctWords, e.Key), e.Dest, e.Source, more)
}

func (e CT) payload(b []byte) ([]byte, error) { return encode(ctCodec, b, e) }

func (e CT) canonical() Expr {
	e.Dest, e.Source = e.Dest.canonical(), e.Source.canonical()
	return e
}

var ctCodec = attr.NewCodec(func(e *CT) *string { return &e.Unknown },
	always(uapi.NFTA_CT_KEY, attr.BE32[CTKey], func(e *CT) *CTKey { return &e.Key }),
	attr.Field(uapi.NFTA_CT_DREG, attr.BE32[Register], func(e *CT) *Register { return &e.Dest }),
	attr.Func(uapi.NFTA_CT_DIRECTION,
		func(b []byte, e *CT) ([]byte, bool, error) {
			return append(b, byte(e.Direction-1)), e.Direction != NoDirection, nil
		},
		func(p []byte, e *CT) error {
			if len(p) != 1 || p[0] == 0xff {
				return fmt.Errorf("direction %x", p)
			}
			e.Direction = CTDirection(p[0] + 1)
			return nil
		}),
	attr.Field(uapi.NFTA_CT_SREG, attr.BE32[Register], func(e *CT) *Register { return &e.Source }),
)

// A FIB looks a packet's address up in the routing tables, and loads what it finds into
// the register Dest.
type FIB struct {
	Dest    Register
	Result  uint32 // NFT_FIB_RESULT_*
	Flags   uint32 // NFTA_FIB_F_*
	Unknown string // the attributes without a field, with headers
}

// Results and flags of a FIB. FIBAddrType loads RTN_LOCAL for an address of this host, as
// a uint32 in host byte order.
const (
	FIBOIF      uint32 = uapi.NFT_FIB_RESULT_OIF
	FIBOIFName  uint32 = uapi.NFT_FIB_RESULT_OIFNAME
	FIBAddrType uint32 = uapi.NFT_FIB_RESULT_ADDRTYPE

	FIBSource uint32 = uapi.NFTA_FIB_F_SADDR // look up the source
	FIBDest   uint32 = uapi.NFTA_FIB_F_DADDR // look up the destination
	FIBMark   uint32 = uapi.NFTA_FIB_F_MARK  // with the mark of the packet
	FIBIIF    uint32 = uapi.NFTA_FIB_F_IIF   // on the interface that it came in by
	FIBOIFSel uint32 = uapi.NFTA_FIB_F_OIF   // on the interface that it goes out by
)

// Name returns "fib".
func (FIB) Name() string { return "fib" }

// String returns text like "fib daddr type => reg 1".
func (e FIB) String() string {
	s := "fib"
	for i, w := range []string{"saddr", "daddr", "mark", "iif", "oif"} {
		if e.Flags&(1<<i) != 0 {
			s += " " + w
		}
	}
	words := map[uint32]string{FIBOIF: "oif", FIBOIFName: "oifname", FIBAddrType: "type"}
	s += " " + word(words, e.Result)
	if e.Flags&uapi.NFTA_FIB_F_PRESENT != 0 {
		s += " present"
	}
	return fmt.Sprintf("%s => reg %d", s, e.Dest)
}

func (e FIB) payload(b []byte) ([]byte, error) { return encode(fibCodec, b, e) }

func (e FIB) canonical() Expr {
	e.Dest = e.Dest.canonical()
	return e
}

var fibCodec = attr.NewCodec(func(e *FIB) *string { return &e.Unknown },
	always(uapi.NFTA_FIB_FLAGS, attr.BE32[uint32], func(e *FIB) *uint32 { return &e.Flags }),
	always(uapi.NFTA_FIB_RESULT, attr.BE32[uint32], func(e *FIB) *uint32 { return &e.Result }),
	always(uapi.NFTA_FIB_DREG, attr.BE32[Register], func(e *FIB) *Register { return &e.Dest }),
)

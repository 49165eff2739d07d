package conntrack

import (
	"net/netip"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/uapi"
)

// A Family is the family of the addresses of a connection.
type Family uint8

// Families. AnyFamily is for filters.
const (
	AnyFamily Family = uapi.NFPROTO_UNSPEC
	IPv4      Family = uapi.NFPROTO_IPV4
	IPv6      Family = uapi.NFPROTO_IPV6
)

// Bits of the status of an entry, IPS_*.
const (
	SeenReply        uint32 = uapi.IPS_SEEN_REPLY // packets came both ways
	Assured          uint32 = uapi.IPS_ASSURED
	SourceTranslated uint32 = uapi.IPS_SRC_NAT
	DestTranslated   uint32 = uapi.IPS_DST_NAT
)

// An Entry is a connection. Entries can be compared with ==.
type Entry struct {
	Family   Family
	Original Tuple // of the packets of the side that began
	Reply    Tuple // of the answers; it differs from the inverse of Original if addresses are translated
	Status   uint32
	Mark     uint32
	Zone     uint16
	ID       uint32 // the kernel chooses it; the next connection with the same tuples has another one
	Timeout  uint32 // seconds until the entry is removed, unless a packet comes
	Unknown  string // the attributes without a field, with headers
}

// String returns the tuple of the side that began.
func (e Entry) String() string { return e.Original.String() }

var entryCodec = attr.NewCodec(func(e *Entry) *string { return &e.Unknown },
	attr.Nested(attr.Func(uapi.CTA_TUPLE_ORIG,
		func(b []byte, e *Entry) ([]byte, bool, error) { return putTuple(b, &e.Original) },
		func(p []byte, e *Entry) error { return getTuple(p, &e.Original) })),
	attr.Nested(attr.Func(uapi.CTA_TUPLE_REPLY,
		func(b []byte, e *Entry) ([]byte, bool, error) { return putTuple(b, &e.Reply) },
		func(p []byte, e *Entry) error { return getTuple(p, &e.Reply) })),
	attr.Field(uapi.CTA_ZONE, attr.BE16[uint16], func(e *Entry) *uint16 { return &e.Zone }),
	attr.Field(uapi.CTA_STATUS, attr.BE32[uint32], func(e *Entry) *uint32 { return &e.Status }),
	attr.Field(uapi.CTA_TIMEOUT, attr.BE32[uint32], func(e *Entry) *uint32 { return &e.Timeout }),
	attr.Field(uapi.CTA_MARK, attr.BE32[uint32], func(e *Entry) *uint32 { return &e.Mark }),
	attr.Field(uapi.CTA_ID, attr.BE32[uint32], func(e *Entry) *uint32 { return &e.ID }),
)

func putTuple(b []byte, t *Tuple) ([]byte, bool, error) {
	b, err := tupleCodec.Append(b, t)
	return b, *t != Tuple{}, err
}

func getTuple(p []byte, t *Tuple) error {
	*t = Tuple{}
	return tupleCodec.Decode(p, t)
}

// A Filter selects entries. A field that is zero selects any.
type Filter struct {
	Family   Family
	Original TupleFilter
	Reply    TupleFilter
	// Mark is that of the connection, in the bits of MarkMask. Without MarkMask, any.
	Mark, MarkMask uint32
	// Status are bits that must be set.
	Status uint32
	// Zone is compared if HasZone is set.
	Zone    uint16
	HasZone bool
}

// A TupleFilter selects tuples. A field that is zero selects any.
type TupleFilter struct {
	Source, Dest netip.Prefix
	Proto        uint8
}

func (f *TupleFilter) match(t *Tuple) bool {
	return (!f.Source.IsValid() || f.Source.Contains(t.Source)) &&
		(!f.Dest.IsValid() || f.Dest.Contains(t.Dest)) &&
		(f.Proto == 0 || f.Proto == t.Proto)
}

// Match reports whether f selects e.
func (f *Filter) Match(e *Entry) bool {
	return (f.Family == AnyFamily || f.Family == e.Family) &&
		f.Original.match(&e.Original) && f.Reply.match(&e.Reply) &&
		e.Mark&f.MarkMask == f.Mark&f.MarkMask &&
		e.Status&f.Status == f.Status &&
		(!f.HasZone || f.Zone == e.Zone)
}

// appendAttrs appends what the kernel can select by. An older kernel ignores some of it.
func (f *Filter) appendAttrs(b []byte) []byte {
	if f.MarkMask != 0 {
		b = appendBig32(b, uapi.CTA_MARK, f.Mark&f.MarkMask)
		b = appendBig32(b, uapi.CTA_MARK_MASK, f.MarkMask)
	}
	if f.Status != 0 {
		b = appendBig32(b, uapi.CTA_STATUS, f.Status)
		b = appendBig32(b, uapi.CTA_STATUS_MASK, f.Status)
	}
	return b
}

func appendBig32[A attr.Number](b []byte, num A, v uint32) []byte {
	return attr.Append(b, uint16(num), []byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
}

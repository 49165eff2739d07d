package nexthop

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// A Bucket is one of the buckets over which a [ResilientGroup] spreads packets,
// as the kernel reports it: "ip nexthop bucket", NHA_RES_BUCKET of
// linux/nexthop.h.
type Bucket struct {
	Group    uint32        // the ID of the group: id (NHA_ID)
	Index    uint16        // from zero: index (NHA_RES_BUCKET_INDEX)
	IdleTime time.Duration // since the last packet: idle_time (NHA_RES_BUCKET_IDLE_TIME)
	NextHop  uint32        // the ID of the member that the bucket belongs to: nhid (NHA_RES_BUCKET_NH_ID)
}

// String returns the line of "ip nexthop bucket" for b.
func (b Bucket) String() string {
	var p iptext.Printer
	p.Put("id", iptext.Decimal(b.Group), "index", iptext.Decimal(b.Index),
		"idle_time", seconds(b.IdleTime), "nhid", iptext.Decimal(b.NextHop))
	return p.String()
}

// A BucketFilter selects buckets. A field that is zero selects any. The kernel
// does the selection.
type BucketFilter struct {
	Group   uint32 // the ID of the group: id
	OIF     uint32 // the index of the member's interface: dev
	Master  uint32 // the index of that interface's master: master, vrf
	NextHop uint32 // the ID of the member: nhid
}

func (f *BucketFilter) payload() []byte {
	b := make([]byte, uapi.SizeofNhmsg, 64)
	if f.Group != 0 {
		b = attr.AppendU32(b, uapi.NHA_ID, f.Group)
	}
	b = appendLinks(b, f.OIF, f.Master)
	if f.NextHop != 0 {
		nested := attr.AppendU32(nil, bucketAttr(uapi.NHA_RES_BUCKET_NH_ID), f.NextHop)
		b = attr.AppendNested(b, uapi.NHA_RES_BUCKET, nested)
	}
	return b
}

// A bucketMessage is a bucket that is being decoded. Buckets are never encoded.
type bucketMessage struct {
	Bucket
	other route.Attributes
}

var (
	bucketCodec = attr.NewCodec(func(m *bucketMessage) *route.Attributes { return &m.other },
		attr.Field(uapi.NHA_ID, attr.U32, func(m *bucketMessage) *uint32 { return &m.Group }),
		attr.Nested(attr.Func(uapi.NHA_RES_BUCKET,
			func(b []byte, _ *bucketMessage) ([]byte, bool, error) { return b, false, nil },
			func(p []byte, m *bucketMessage) error { return innerBucketCodec.Decode(p, m) })),
	)
	innerBucketCodec = attr.NewCodec(func(m *bucketMessage) *route.Attributes { return &m.other },
		attr.Field(bucketAttr(uapi.NHA_RES_BUCKET_INDEX), attr.U16, func(m *bucketMessage) *uint16 { return &m.Index }),
		attr.Field(bucketAttr(uapi.NHA_RES_BUCKET_IDLE_TIME), ticks64,
			func(m *bucketMessage) *time.Duration { return &m.IdleTime }),
		attr.Field(bucketAttr(uapi.NHA_RES_BUCKET_NH_ID), attr.U32, func(m *bucketMessage) *uint32 { return &m.NextHop }),
	)
)

// A bucketAttr is the type of an attribute inside NHA_RES_BUCKET.
type bucketAttr uint16

func (a bucketAttr) String() string {
	return attrName("NHA_RES_BUCKET_", uint16(a), "PAD", "INDEX", "IDLE_TIME", "NH_ID")
}

func (m *bucketMessage) decode(b []byte) error {
	if len(b) < uapi.SizeofNhmsg {
		return shortError(len(b))
	}
	*m = bucketMessage{}
	return bucketCodec.Decode(b[uapi.SizeofNhmsg:], m)
}

// shortError reports a message that is shorter than its header.
func shortError(n int) error {
	return fmt.Errorf("%d bytes are too short for a nexthop message: its header alone has %d", n, uapi.SizeofNhmsg)
}

// AllBuckets yields the buckets that f selects, ordered by group and index, as
// "ip nexthop bucket list" does (a dump with RTM_GETNEXTHOPBUCKET). An error is
// the last value. The loop can use c, and can end early. Linux 5.13.
//
// The error is fs.ErrNotExist if there is no group with the ID of the filter.
func AllBuckets(ctx context.Context, c route.Conn, f BucketFilter) iter.Seq2[Bucket, error] {
	return func(yield func(Bucket, error) bool) {
		m := bucketCodec.Borrow()
		defer bucketCodec.Return(m)
		req := dumpRequest(uapi.RTM_GETNEXTHOPBUCKET, f.payload())
		for b, err := range dump(ctx, c, uapi.RTM_NEWNEXTHOPBUCKET, req) {
			if err == nil {
				err = m.decode(b)
			}
			if err != nil {
				yield(Bucket{}, &rtnl.Error{Package: "nexthop", Verb: "list buckets", Err: err})
				return
			}
			if !yield(m.Bucket, nil) {
				return
			}
		}
	}
}

// ListBuckets returns the buckets that f selects. See [AllBuckets].
func ListBuckets(ctx context.Context, c route.Conn, f BucketFilter) ([]Bucket, error) {
	var buckets []Bucket
	for b, err := range AllBuckets(ctx, c, f) {
		if err != nil {
			return nil, err
		}
		buckets = append(buckets, b)
	}
	return buckets, nil
}

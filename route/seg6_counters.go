package route

import (
	"encoding/binary"
	"fmt"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
)

// Seg6Counters are the counters of an action: SEG6_LOCAL_CNT_*.
type Seg6Counters struct {
	Packets, Bytes uint64 // packets that the action was applied to, and their bytes
	Errors         uint64 // packets that the action failed for
}

// A seg6Number is the type of an attribute inside another one.
type seg6Number uint16

// String returns the beginning of the kernel's name, and the number.
func (n seg6Number) String() string { return "SEG6_LOCAL_" + iptext.Decimal(n) }

// A seg6Count is a Seg6Counters that is being encoded or decoded.
type seg6Count struct {
	Seg6Counters
	unknown Attributes
}

var seg6CountCodec = attr.NewCodec(func(c *seg6Count) *Attributes { return &c.unknown },
	counter(uapi.SEG6_LOCAL_CNT_PACKETS, func(c *seg6Count) *uint64 { return &c.Packets }),
	counter(uapi.SEG6_LOCAL_CNT_BYTES, func(c *seg6Count) *uint64 { return &c.Bytes }),
	counter(uapi.SEG6_LOCAL_CNT_ERRORS, func(c *seg6Count) *uint64 { return &c.Errors }),
	attr.Drop[seg6Count](seg6Number(uapi.SEG6_LOCAL_CNT_PAD)),
)

// counter returns a row for a counter, which is written even if it is zero.
func counter(num seg6Number, at func(*seg6Count) *uint64) attr.Row[seg6Count] {
	return attr.Func(num,
		func(b []byte, c *seg6Count) ([]byte, bool, error) {
			return binary.NativeEndian.AppendUint64(b, *at(c)), true, nil
		},
		func(p []byte, c *seg6Count) error {
			if len(p) < 8 {
				return fmt.Errorf("%d bytes of payload, want 8", len(p))
			}
			*at(c) = binary.NativeEndian.Uint64(p)
			return nil
		})
}

func putSeg6Counters(b []byte, e *seg6Local) ([]byte, bool, error) {
	c, ok := e.Counters.Get()
	if !ok {
		return b, false, nil
	}
	b, err := seg6CountCodec.Append(b, &seg6Count{Seg6Counters: c})
	return b, true, err
}

func getSeg6Counters(p []byte, e *seg6Local) error {
	var c seg6Count
	if err := seg6CountCodec.Decode(p, &c); err != nil {
		return err
	}
	if c.unknown != "" {
		keepUnknown(&e.Unknown, uapi.SEG6_LOCAL_COUNTERS, p) // counters of a newer kernel
		return nil
	}
	e.Counters.Set(c.Seg6Counters)
	return nil
}

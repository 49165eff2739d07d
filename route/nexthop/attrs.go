package nexthop

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// A message is an object that is being encoded or decoded.
type message struct {
	Object
	opFlags uint32 // NHA_OP_FLAGS, what the kernel says about its reply
}

// codec has one row for each attribute of a nexthop message that Object has a
// field for. They are written in this order, which is ip(8)'s.
var codec = attr.NewCodec(func(m *message) *route.Attributes { return &m.Unknown },
	attr.Field(uapi.NHA_ID, attr.U32, func(m *message) *uint32 { return &m.ID }),
	attr.Func(uapi.NHA_GROUP, putGroup, getGroup),
	attr.Nested(attr.Func(uapi.NHA_RES_GROUP, putResilient, getResilient)),
	attr.Field(uapi.NHA_GROUP_TYPE, attr.U16, func(m *message) *GroupType { return &m.GroupType }),
	attr.Func(uapi.NHA_GATEWAY, putGateway, getGateway),
	attr.Field(uapi.NHA_OIF, attr.U32, func(m *message) *uint32 { return &m.OIF }),
	presence(uapi.NHA_BLACKHOLE, func(m *message) *bool { return &m.Blackhole }),
	presence(uapi.NHA_FDB, func(m *message) *bool { return &m.FDB }),
	// In a reply this says how to read it. The kernel refuses it elsewhere.
	attr.Func(uapi.NHA_OP_FLAGS,
		func(b []byte, _ *message) ([]byte, bool, error) { return b, false, nil },
		func(p []byte, m *message) (err error) {
			m.opFlags, err = attr.U32[uint32]().Decode(p)
			return err
		}),
)

// presence returns a row for an attribute without a payload.
func presence(num uapi.NHA, at func(*message) *bool) attr.Row[message] {
	return attr.Func(num,
		func(b []byte, m *message) ([]byte, bool, error) { return b, *at(m), nil },
		func(_ []byte, m *message) error {
			*at(m) = true
			return nil
		})
}

func putGateway(b []byte, m *message) ([]byte, bool, error) {
	if !m.Gateway.IsValid() {
		return b, false, nil
	}
	return attr.AppendAddr(b, m.Gateway), true, attr.CheckAddr(m.Family, m.Gateway)
}

func getGateway(p []byte, m *message) error { return attr.DecodeAddr(p, m.Family, &m.Gateway) }

// NHA_GROUP is a sequence of struct nexthop_grp. The wire has the weight minus
// one, its low and its high half in one byte each. A weight of zero becomes
// 65536, which the kernel refuses.
func putGroup(b []byte, m *message) ([]byte, bool, error) {
	for _, g := range m.Group {
		b = binary.NativeEndian.AppendUint32(b, g.ID)
		b = append(b, uint8(g.Weight-1), uint8((g.Weight-1)>>8), 0, 0)
	}
	return b, len(m.Group) > 0, nil
}

func getGroup(p []byte, m *message) error {
	if len(p)%uapi.SizeofNexthopGrp != 0 {
		return fmt.Errorf("%d bytes are not a multiple of %d, the size of an entry", len(p), uapi.SizeofNexthopGrp)
	}
	m.Group = nil
	for ; len(p) > 0; p = p[uapi.SizeofNexthopGrp:] {
		m.Group = append(m.Group, Member{
			ID:     binary.NativeEndian.Uint32(p),
			Weight: (uint16(p[uapi.NexthopGrpWeight]) | uint16(p[uapi.NexthopGrpWeightHigh])<<8) + 1,
		})
	}
	return nil
}

// NHA_RES_GROUP holds attributes of its own.
func putResilient(b []byte, m *message) ([]byte, bool, error) {
	b, err := resilientCodec.Append(b, &m.Resilient)
	return b, m.Resilient != (ResilientGroup{}), err
}

func getResilient(p []byte, m *message) error {
	m.Resilient = ResilientGroup{}
	return resilientCodec.Decode(p, &m.Resilient)
}

var resilientCodec = attr.NewCodec(func(m *ResilientGroup) *route.Attributes { return &m.Unknown },
	attr.KeepZero(attr.Field(resilientAttr(uapi.NHA_RES_GROUP_BUCKETS), attr.U16,
		func(m *ResilientGroup) *uint16 { return &m.Buckets })),
	attr.OptField(resilientAttr(uapi.NHA_RES_GROUP_IDLE_TIMER), ticks32,
		func(m *ResilientGroup) *route.Opt[time.Duration] { return &m.IdleTimer }),
	attr.OptField(resilientAttr(uapi.NHA_RES_GROUP_UNBALANCED_TIMER), ticks32,
		func(m *ResilientGroup) *route.Opt[time.Duration] { return &m.UnbalancedTimer }),
	attr.Field(resilientAttr(uapi.NHA_RES_GROUP_UNBALANCED_TIME), ticks64,
		func(m *ResilientGroup) *time.Duration { return &m.UnbalancedTime }),
	attr.Drop[ResilientGroup](resilientAttr(uapi.NHA_RES_GROUP_PAD)),
)

// A resilientAttr is the type of an attribute inside NHA_RES_GROUP.
type resilientAttr uint16

func (a resilientAttr) String() string {
	return attrName("NHA_RES_GROUP_", uint16(a), "PAD", "BUCKETS", "IDLE_TIMER", "UNBALANCED_TIMER", "UNBALANCED_TIME")
}

func attrName(prefix string, num uint16, names ...string) string {
	if int(num) < len(names) {
		return prefix + names[num]
	}
	return prefix + strconv.Itoa(int(num))
}

// tick is the kernel's unit of time in messages: USER_HZ ticks are a second.
const tick = time.Second / 100

// ticks32 and ticks64 are times in ticks, in host byte order.
func ticks32() attr.Kind[time.Duration] { return ticks(4) }
func ticks64() attr.Kind[time.Duration] { return ticks(8) }

func ticks(size int) attr.Kind[time.Duration] {
	return attr.Kind[time.Duration]{
		Append: func(b []byte, d time.Duration) ([]byte, error) {
			switch n := uint64(d / tick); {
			case d < 0 || d%tick != 0:
				return b, fmt.Errorf("%v is not a multiple of %v", d, tick)
			case size == 8:
				return binary.NativeEndian.AppendUint64(b, n), nil
			case n > math.MaxUint32:
				return b, fmt.Errorf("%v is longer than %v", d, math.MaxUint32*tick)
			default:
				return binary.NativeEndian.AppendUint32(b, uint32(n)), nil
			}
		},
		Decode: func(p []byte) (time.Duration, error) {
			var n uint64
			switch {
			case len(p) < size:
				return 0, fmt.Errorf("%d bytes of payload, want %d", len(p), size)
			case size == 8:
				n = binary.NativeEndian.Uint64(p)
			default:
				n = uint64(binary.NativeEndian.Uint32(p))
			}
			if n > uint64(math.MaxInt64/tick) {
				return 0, fmt.Errorf("%d times %v is too long for a time.Duration", n, tick)
			}
			return time.Duration(n) * tick, nil
		},
	}
}

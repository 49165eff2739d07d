package route

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/uapi"
)

// objectMessage is a nexthop object on its way to or from the wire.
type objectMessage struct {
	NextHopObject
	opFlags uint32 // what the kernel says about its reply
}

// objectCodec has one row for each attribute of a nexthop message that
// NextHopObject has a field for. They are written in this order, which is that
// of ip(8).
var objectCodec = attr.NewCodec(func(m *objectMessage) *Attributes { return &m.Unknown },
	attr.Field(uapi.NHA_ID, attr.U32, func(m *objectMessage) *uint32 { return &m.ID }),
	attr.Func(uapi.NHA_GROUP, putGroup, getGroup),
	attr.Nested(attr.Func(uapi.NHA_RES_GROUP, putResilient, getResilient)),
	attr.Field(uapi.NHA_GROUP_TYPE, attr.U16, func(m *objectMessage) *GroupType { return &m.GroupType }),
	attr.Func(uapi.NHA_GATEWAY,
		func(b []byte, m *objectMessage) ([]byte, bool, error) {
			if !m.Gateway.IsValid() {
				return b, false, nil
			}
			return attr.AppendAddr(b, m.Gateway), true, checkFamily(m.Family, m.Gateway)
		},
		getObjectGateway),
	attr.Field(uapi.NHA_OIF, attr.U32, func(m *objectMessage) *uint32 { return &m.OIF }),
	presence(uapi.NHA_BLACKHOLE, func(m *objectMessage) *bool { return &m.Blackhole }),
	presence(uapi.NHA_FDB, func(m *objectMessage) *bool { return &m.FDB }),
	// In a reply this says how to read it. The kernel refuses it elsewhere.
	attr.Func(uapi.NHA_OP_FLAGS,
		func(b []byte, _ *objectMessage) ([]byte, bool, error) { return b, false, nil },
		func(p []byte, m *objectMessage) (err error) {
			m.opFlags, err = attr.U32[uint32]().Decode(p)
			return err
		}),
)

// presence is a row for an attribute without a payload.
func presence(num uapi.NHA, at func(*objectMessage) *bool) attr.Row[objectMessage] {
	return attr.Func(num,
		func(b []byte, m *objectMessage) ([]byte, bool, error) { return b, *at(m), nil },
		func(_ []byte, m *objectMessage) error {
			*at(m) = true
			return nil
		})
}

func getObjectGateway(p []byte, m *objectMessage) error {
	a, err := attr.Addr().Decode(p)
	if err == nil && !m.Family.Has(a) {
		err = fmt.Errorf("%d bytes of address in a message of family %s", len(p), m.Family)
	}
	if err == nil {
		m.Gateway = a
	}
	return err
}

// NHA_GROUP is a sequence of struct nexthop_grp. A weight is less one there,
// its low and its high half in two bytes: zero stands for 65536, which the
// kernel does not take.
func putGroup(b []byte, m *objectMessage) ([]byte, bool, error) {
	for _, g := range m.Group {
		b = binary.NativeEndian.AppendUint32(b, g.ID)
		b = append(b, uint8(g.Weight-1), uint8((g.Weight-1)>>8), 0, 0)
	}
	return b, len(m.Group) > 0, nil
}

func getGroup(p []byte, m *objectMessage) error {
	if len(p)%uapi.SizeofNexthopGrp != 0 {
		return fmt.Errorf("%d bytes are no entries of %d", len(p), uapi.SizeofNexthopGrp)
	}
	m.Group = nil
	for ; len(p) > 0; p = p[uapi.SizeofNexthopGrp:] {
		m.Group = append(m.Group, GroupMember{
			ID:     binary.NativeEndian.Uint32(p),
			Weight: (uint16(p[uapi.NexthopGrpWeight]) | uint16(p[uapi.NexthopGrpWeightHigh])<<8) + 1,
		})
	}
	return nil
}

// NHA_RES_GROUP holds attributes of its own.
func putResilient(b []byte, m *objectMessage) ([]byte, bool, error) {
	b, err := resilientCodec.Append(b, &m.Resilient)
	return b, m.Resilient != (ResilientGroup{}), err
}

func getResilient(p []byte, m *objectMessage) error {
	m.Resilient = ResilientGroup{}
	return resilientCodec.Decode(p, &m.Resilient)
}

var resilientCodec = attr.NewCodec(func(m *ResilientGroup) *Attributes { return &m.Unknown },
	attr.Field(resilientAttr(uapi.NHA_RES_GROUP_BUCKETS), attr.U16,
		func(m *ResilientGroup) *uint16 { return &m.Buckets }),
	attr.OptField(resilientAttr(uapi.NHA_RES_GROUP_IDLE_TIMER), ticks32,
		func(m *ResilientGroup) *Opt[time.Duration] { return &m.IdleTimer }),
	attr.OptField(resilientAttr(uapi.NHA_RES_GROUP_UNBALANCED_TIMER), ticks32,
		func(m *ResilientGroup) *Opt[time.Duration] { return &m.UnbalancedTimer }),
	attr.Field(resilientAttr(uapi.NHA_RES_GROUP_UNBALANCED_TIME), ticks64,
		func(m *ResilientGroup) *time.Duration { return &m.UnbalancedTime }),
	attr.Drop[ResilientGroup](resilientAttr(uapi.NHA_RES_GROUP_PAD)),
)

// resilientAttr is the number of an attribute inside NHA_RES_GROUP.
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

// tick is the kernel's unit of time in messages: one of USER_HZ in a second.
const tick = time.Second / 100

// ticks32 and ticks64 are times in ticks, in host byte order.
func ticks32() attr.Kind[time.Duration] { return ticks(4) }
func ticks64() attr.Kind[time.Duration] { return ticks(8) }

func ticks(size int) attr.Kind[time.Duration] {
	return attr.Kind[time.Duration]{
		Append: func(b []byte, d time.Duration) ([]byte, error) {
			switch n := uint64(d / tick); {
			case d < 0 || d%tick != 0:
				return b, fmt.Errorf("%v is no number of times %v", d, tick)
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
				return 0, fmt.Errorf("%d times %v is no time.Duration", n, tick)
			}
			return time.Duration(n) * tick, nil
		},
	}
}

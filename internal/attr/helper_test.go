package attr

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/internal/uapi"
)

// recorded turns what a little-endian machine sent or received into what this
// machine would have. Words of 4 and of 8 digits are numbers in host byte
// order, a word after = is bytes in any order.
func recorded(t testing.TB, s string) []byte {
	t.Helper()
	var out []byte
	for _, word := range strings.Fields(s) {
		digits, plain := strings.CutPrefix(word, "=")
		b, err := hex.DecodeString(digits)
		if err != nil || !plain && len(b) != 2 && len(b) != 4 {
			t.Fatalf("bad word %q in a recording: %v", word, err)
		}
		if !plain && bigEndian() {
			slices.Reverse(b)
		}
		out = append(out, b...)
	}
	return out
}

func bigEndian() bool { return binary.NativeEndian.Uint16([]byte{0, 1}) == 1 }

// A message is a rule in little: enough of it to have each kind once.
type message struct {
	priority  opt[uint32]
	src       netip.Addr
	iif       string
	flow      realms
	tunID     uint64
	table     uint32
	l3mdev    bool
	proto     uint8
	flowLabel uint32
	portMask  uint16
	port      uint16
	odd       []byte // payload of a row that no kind describes; its own error
	oddErr    error
	unknown   string
}

type realms struct{ src, dst uint16 }

// opt is a Setter.
type opt[T any] struct {
	v   T
	set bool
}

func (o *opt[T]) Get() (T, bool) { return o.v, o.set }
func (o *opt[T]) Set(v T)        { *o = opt[T]{v, true} }

// Two numbers that the kernel does not have.
const (
	portNum uapi.FRA = 0x3ffe // the highest but one: the index grows that far
	oddNum  uapi.FRA = 100
)

var errOdd = errors.New("odd")

// newCodec has the rows in an order that is neither that of the numbers nor
// that of the fields.
func newCodec() *Codec[message] {
	return NewCodec(func(m *message) *string { return &m.unknown },
		OptField(uapi.FRA_PRIORITY, U32, func(m *message) *opt[uint32] { return &m.priority }),
		Field(uapi.FRA_SRC, Addr, func(m *message) *netip.Addr { return &m.src }),
		Field(uapi.FRA_IIFNAME, IfName, func(m *message) *string { return &m.iif }),
		Field(portNum, BE16, func(m *message) *uint16 { return &m.port }),
		Field(uapi.FRA_FLOWLABEL, BE32, func(m *message) *uint32 { return &m.flowLabel }),
		Field(uapi.FRA_TUN_ID, BE64, func(m *message) *uint64 { return &m.tunID }),
		Field(uapi.FRA_FLOW, halves, func(m *message) *realms { return &m.flow }),
		Field(uapi.FRA_TABLE, U32, func(m *message) *uint32 { return &m.table }),
		Field(uapi.FRA_IP_PROTO, U8, func(m *message) *uint8 { return &m.proto }),
		Field(uapi.FRA_DPORT_MASK, U16, func(m *message) *uint16 { return &m.portMask }),
		Field(uapi.FRA_L3MDEV, Flag, func(m *message) *bool { return &m.l3mdev }),
		Func(oddNum,
			func(b []byte, m *message) ([]byte, bool, error) {
				return append(b, m.odd...), m.odd != nil, m.oddErr
			},
			func(p []byte, m *message) error {
				if len(p) == 13 {
					return errOdd
				}
				m.odd = append([]byte{}, p...)
				return nil
			}),
		Drop[message](uapi.FRA_PAD),
	)
}

func halves() Kind[realms] {
	return Halves(func(high, low uint16) realms { return realms{high, low} },
		func(r realms) (high, low uint16) { return r.src, r.dst })
}

package attr

import (
	"encoding/hex"
	"testing"

	"github.com/policyroute/policyroute/internal/uapi"
)

// A zeroMessage has a field that says zero, one that keeps a zero, and a part.
type zeroMessage struct {
	plain, kept uint32
	part        *zeroPart
	unknown     string
}

type zeroPart struct{ v uint8 }

func newZeroCodec() *Codec[zeroMessage] {
	return NewCodec(func(m *zeroMessage) *string { return &m.unknown },
		Field(uapi.FRA_TABLE, U32, func(m *zeroMessage) *uint32 { return &m.plain }),
		KeepZero(Field(uapi.FRA_FLOW, U32, func(m *zeroMessage) *uint32 { return &m.kept })),
		KeepZero(Part(func(m *zeroMessage) **zeroPart { return &m.part },
			Field(uapi.FRA_IP_PROTO, U8, func(p *zeroPart) *uint8 { return &p.v }))),
	)
}

// The last of several attributes counts, zero or not, as it does for the kernel.
func TestKeepZero(t *testing.T) {
	c := newZeroCodec()
	for _, tt := range []struct{ message, want, without string }{
		{"0800 0f00 00000000", "", ""},
		{"0800 0b00 00000000", "0800 0b00 00000000", ""},
		{"0c00 0b00 =0000000000000001", "0800 0b00 00000000", ""}, // the kernel reads four bytes
		{"0800 0b00 05000000", "0800 0b00 05000000", "0800 0b00 05000000"},
		{"0800 0b00 05000000 0800 0b00 00000000", "0800 0b00 00000000", ""},
		{"0800 0b00 00000000 0800 0b00 05000000", "0800 0b00 05000000", "0800 0b00 05000000"},
		{"0800 0b00 00000000 0800 0b00 00000000", "0800 0b00 00000000", ""},
		{"0500 1600 =00 =000000", "0500 1600 =00 =000000", ""},
		{"0500 1600 =00 =000000 0600 6400 =0000 =0000 0800 0b00 00000000",
			"0500 1600 =00 =000000 0600 6400 =0000 =0000 0800 0b00 00000000", "0600 6400 =0000 =0000"},
	} {
		var m zeroMessage
		if err := c.Decode(recorded(t, tt.message), &m); err != nil {
			t.Errorf("%s: %v", tt.message, err)
			continue
		}
		got, err := c.Append(nil, &m)
		if want := recorded(t, tt.want); err != nil || string(got) != string(want) {
			t.Errorf("%s:\n got %x, %v\nwant %x", tt.message, got, err, want)
		}
		m.unknown = c.WithoutZeros(m.unknown)
		if got, _ := c.Append(nil, &m); string(got) != string(recorded(t, tt.without)) {
			t.Errorf("%s: without zeros %x, want %s", tt.message, got, tt.without)
		}
	}
	var m zeroMessage
	if err := c.Decode(recorded(t, "0600 0b00 =0000 =0000"), &m); err == nil {
		t.Error("a payload that is too short is no zero")
	}
}

func TestZeros(t *testing.T) {
	z := Zeros[uapi.FRA]{uapi.FRA_FLOW: 4, uapi.FRA_IP_PROTO: 1}
	unknown := z.With("", uapi.FRA_FLOW, true)
	unknown = z.With(unknown, uapi.FRA_FLOW, true) // once is enough
	other := string(Append(nil, 100, []byte{0}))
	unknown += other
	if !z.Has(unknown, uapi.FRA_FLOW) || z.Has(unknown, uapi.FRA_IP_PROTO) || z.Has(unknown, 100) || z.Rest(unknown) != other {
		t.Errorf("%x: rest %x", unknown, z.Rest(unknown))
	}
	if got := z.With(unknown, uapi.FRA_FLOW, false); got != other {
		t.Errorf("without it: %x", got)
	}
	for _, payload := range []string{"00000001", "0000", "0000000000"} { // no zero of four bytes
		p, _ := hex.DecodeString(payload)
		raw := string(Append(nil, uint16(uapi.FRA_FLOW), p))
		if z.Has(raw, uapi.FRA_FLOW) || z.Rest(raw) != raw {
			t.Errorf("%s is a zero", payload)
		}
	}
}

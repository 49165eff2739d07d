package attr

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
)

// A nested attribute is written with the flag, and read with it and without.
func TestNested(t *testing.T) {
	report := testrun.Limit(t)
	type message struct {
		value   uint32
		unknown string
	}
	c := NewCodec(func(m *message) *string { return &m.unknown },
		Nested(Field(uapi.NHA_OIF, U32, func(m *message) *uint32 { return &m.value })))
	m := message{value: 7}
	b, err := c.Append(nil, &m)
	if err != nil {
		t.Fatal(err)
	}
	payload := binary.NativeEndian.AppendUint32(nil, 7)
	if want := AppendNested(nil, uapi.NHA_OIF, payload); !bytes.Equal(b, want) {
		report.Errorf("%x, want %x", b, want)
	}
	if typ := binary.NativeEndian.Uint16(b[2:]); typ != 0x8005 {
		report.Errorf("type %#x", typ)
	}
	for _, b := range [][]byte{b, Append(nil, 5, payload)} {
		var back message
		if err := c.Decode(b, &back); err != nil || back != m {
			report.Errorf("%x: %+v, %v", b, back, err)
		}
	}
}

func TestMarkNested(t *testing.T) {
	b := Append(Append(Append(nil, 4, []byte{1}), 5, []byte{1, 2, 3, 4}), 6, nil)
	MarkNested(b, uapi.NHA_OIF)
	want := Append(Append(Append(nil, 4, []byte{1}), 0x8005, []byte{1, 2, 3, 4}), 6, nil)
	if !bytes.Equal(b, want) {
		t.Errorf("%x, want %x", b, want)
	}
	MarkNested(b[:3], uapi.NHA_OIF) // no attribute
}

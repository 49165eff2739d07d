package attr

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/policyroute/policyroute/internal/testrun"
)

// FuzzDecode reads any bytes as attributes. What can be read can be written,
// but for a name that is too long, and is the same when read again; no byte of
// an unknown attribute is lost, but for what is in its padding.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		goldenFull, goldenNested, goldenThree, goldenFull + goldenNested + goldenThree,
		"0800 0f00 01000000 0800 0f00 02000000", "0400 1200", "0300 0100", "0700 0f00 =010203 =00",
	} {
		f.Add(recorded(f, s))
	}
	c := newCodec()
	var seeds testrun.Seeds
	f.Fuzz(func(t *testing.T, b []byte) {
		seeds.Next(t)
		input := bytes.Clone(b)
		var m message
		if err := c.Decode(b, &m); err != nil {
			return
		}
		if !bytes.Equal(b, input) {
			t.Fatalf("Decode wrote to its input:\nwas %x\nis  %x", input, b)
		}
		if want := unknownOf(c, b); m.unknown != want {
			t.Fatalf("kept %x\nwant %x", m.unknown, want)
		}
		encoded, err := c.Append([]byte("header"), &m)
		if err != nil {
			var named *Error
			if !errors.As(err, &named) || named.Attr != "FRA_IIFNAME" || len(m.iif) <= 15 {
				t.Fatalf("what was read cannot be written: %v", err)
			}
			return
		}
		var again message
		if err := c.Decode(encoded[len("header"):], &again); err != nil {
			t.Fatalf("what was written cannot be read: %v\n%x", err, encoded)
		}
		if !equal(&m, &again) {
			t.Fatalf("read, written and read:\ngot  %+v\nwant %+v", again, m)
		}
		twice, err := c.Append([]byte("header"), &again)
		if err != nil || !bytes.Equal(twice, encoded) {
			t.Fatalf("written again: %v\ngot  %x\nwant %x", err, twice, encoded)
		}
	})
}

// unknownOf are the attributes of b, which are whole, that c has no row for:
// byte for byte, with zeros for padding.
func unknownOf(c *Codec[message], b []byte) string {
	var out []byte
	for pos := 0; pos < len(b); {
		n := int(binary.NativeEndian.Uint16(b[pos:]))
		padding := (4 - n%4) % 4
		if c.Name(binary.NativeEndian.Uint16(b[pos+2:])&0x3fff) == "" {
			out = append(out, b[pos:pos+n]...)
			out = append(out, make([]byte, padding)...)
		}
		pos += n + padding
	}
	return string(out)
}

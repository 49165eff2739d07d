package testrun

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// WantZeros wants each attribute that a codec has a name for to survive with a payload of
// zeros: recode decodes an attribute, and encodes what it has decoded. The attributes of
// lost, by name, do not survive, for the reason that is given.
func WantZeros(t testing.TB, name func(num uint16) string, recode func(attribute []byte) ([]byte, error), lost map[string]string) {
	t.Helper()
	report := Limit(t)
	tried := 0
	for num := uint16(1); num < 256; num++ {
		if name(num) == "" {
			continue
		}
		tried++
		switch attribute, got := recodeZero(num, recode); {
		case attribute == nil || bytes.Contains(got, attribute):
			if lost[name(num)] != "" {
				report.Errorf("%s is kept if it is zero; take it out", name(num))
			}
		case lost[name(num)] == "":
			report.Errorf("%s is lost if it is zero", name(num))
		}
	}
	if tried < 2 {
		report.Errorf("%d attributes", tried)
	}
}

// recodeZero tries payloads of zeros until one can be decoded. No payload of zeros can be
// if the attribute is nil.
func recodeZero(num uint16, recode func([]byte) ([]byte, error)) (attribute, got []byte) {
	for _, size := range []int{1, 2, 4, 8, 16, 32} {
		attribute = binary.NativeEndian.AppendUint16(nil, uint16(4+size))
		attribute = binary.NativeEndian.AppendUint16(attribute, num)
		attribute = append(attribute, make([]byte, (size+3)&^3)...)
		if got, err := recode(attribute); err == nil {
			return attribute, got
		}
	}
	return nil, nil
}

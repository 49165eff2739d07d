package rule

import (
	"encoding"
	"testing"

	"github.com/policyroute/policyroute/internal/testrun"
)

// The mask of a selector is that which was given, else all bits, and none of a
// selector that is unset.
func TestMask(t *testing.T) {
	report := testrun.Limit(t)
	for _, tt := range []struct {
		name      string
		got, want uint32
	}{
		{"no mark", Mark{}.Mask(), 0},
		{"a mark", FwMark(0).Mask(), 0xffffffff},
		{"a mark with a mask", FwMark(0x10).Masked(0xf0).Mask(), 0xf0},
		{"no code point", uint32(CodePoint{}.Mask()), 0},
		{"a code point", uint32(DSCP(0).Mask()), 0x3f},
		{"a code point with a mask", uint32(DSCP(8).Masked(0x38).Mask()), 0x38},
		{"no flow label", Label{}.Mask(), 0},
		{"a flow label", FlowLabel(0).Mask(), 0xfffff},
		{"a flow label with a mask", FlowLabel(8).Masked(0x38).Mask(), 0x38},
		{"no ports", uint32(Ports{}.Mask()), 0},
		{"a port", uint32(Port(25).Mask()), 0xffff},
		{"a range of ports", uint32(PortRange(25, 26).Mask()), 0xffff},
		{"a port with a mask", uint32(Port(16).Masked(0xfff0).Mask()), 0xfff0},
	} {
		if tt.got != tt.want {
			report.Errorf("the mask of %s is %#x, want %#x", tt.name, tt.got, tt.want)
		}
	}
}

// A selector is set if it has a value, be it zero, and its parts are those that
// it was made of.
func TestSelectorParts(t *testing.T) {
	if (Mark{}).IsSet() || (CodePoint{}).IsSet() || (Label{}).IsSet() || (Ports{}).IsSet() || (UIDs{}).IsSet() {
		t.Error("a zero selector is set")
	}
	if !FwMark(0).IsSet() || !DSCP(0).IsSet() || !FlowLabel(0).IsSet() || !Port(0).IsSet() || !UID(0).IsSet() {
		t.Error("a selector for the value 0 is not set")
	}
	if m := FwMark(5).Masked(7); m.Value() != 5 {
		t.Errorf("the value of %s is %d", m, m.Value())
	}
	if d := DSCP(5).Masked(7); d.Value() != 5 {
		t.Errorf("the value of %s is %d", d, d.Value())
	}
	if f := FlowLabel(5).Masked(7); f.Value() != 5 {
		t.Errorf("the value of %s is %d", f, f.Value())
	}
	if p := PortRange(5, 7); p.First() != 5 || p.Last() != 7 {
		t.Errorf("%s is from %d to %d", p, p.First(), p.Last())
	}
	if u := UIDRange(5, 7); u.First() != 5 || u.Last() != 7 || UID(5) != UIDRange(5, 5) {
		t.Errorf("%s is from %d to %d", u, u.First(), u.Last())
	}
}

// A textSelector is a selector that is written as text and read from it.
type textSelector interface {
	encoding.TextMarshaler
	encoding.TextUnmarshaler
}

// What MarshalText returns, UnmarshalText reads.
func TestSelectorText(t *testing.T) {
	report := testrun.Limit(t)
	for text, got := range map[string]textSelector{
		"0x10": new(Mark), "0x10/0xf0": new(Mark), "0/0xff": new(Mark),
		"10": new(CodePoint), "0xa/0x3e": new(CodePoint),
		"0x5": new(Label), "0x300/0xff00": new(Label),
		"25": new(Ports), "80-443": new(Ports), "0x10/0xfff0": new(Ports),
		"0-999": new(UIDs), "5-5": new(UIDs),
	} {
		if err := got.UnmarshalText([]byte(text)); err != nil {
			report.Error(err)
		}
		if back, err := got.MarshalText(); err != nil || string(back) != text {
			report.Errorf("%T: %q is written as %q, %v", got, text, back, err)
		}
		if err := got.UnmarshalText([]byte("x")); err == nil {
			report.Errorf("%T: x was read as %v", got, got)
		}
		if back, err := got.MarshalText(); err != nil || string(back) != text {
			report.Errorf("%T: an error has changed %q to %q, %v", got, text, back, err)
		}
	}
}

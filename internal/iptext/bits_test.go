package iptext

import (
	"errors"
	"slices"
	"testing"

	"github.com/policyroute/policyroute/internal/testrun"
)

var testBits = Bits{{1, "one"}, {4, "four"}, {2, "two"}}

func TestBits(t *testing.T) {
	report := testrun.Limit(t)
	for _, tt := range []struct {
		n     uint32
		names []string
		rest  uint32
		text  string
	}{
		{0, nil, 0, ""},
		{3, []string{"one", "two"}, 0, "one,two"},
		{7, []string{"one", "four", "two"}, 0, "one,four,two"},
		{1<<31 | 8 | 4, []string{"four"}, 1<<31 | 8, "four,0x80000008"},
	} {
		names, rest := testBits.Names(tt.n)
		if !slices.Equal(names, tt.names) || rest != tt.rest {
			report.Errorf("%d: %q and %d, want %q and %d", tt.n, names, rest, tt.names, tt.rest)
		}
		if got := testBits.Text(tt.n, ","); got != tt.text {
			report.Errorf("%d: %q, want %q", tt.n, got, tt.text)
		}
		back := uint32(99)
		if err := UnmarshalBits(testBits, 32, "rule", "bits", []byte(tt.text), ",", &back); err != nil || back != tt.n {
			report.Errorf("%q: %d, %v, want %d", tt.text, back, err, tt.n)
		}
	}
}

func TestUnmarshalBitsError(t *testing.T) {
	report := testrun.Limit(t)
	for text, want := range map[string]string{
		"one,":      `rule: "one," is not bits`,
		"fuor":      `rule: "fuor" is not bits; did you mean four?`,
		"one two":   `rule: "one two" is not bits`,
		"8":         `rule: "8" is not bits`,
		"0x10000":   `rule: "0x10000" is not bits`,
		"one,0xfFf": "",
	} {
		n := uint16(99)
		err := UnmarshalBits(testBits, 16, "rule", "bits", []byte(text), ",", &n)
		if want == "" {
			if err != nil || n != 0xfff {
				report.Errorf("%q: %d, %v", text, n, err)
			}
			continue
		}
		if err == nil || err.Error() != want || n != 99 || !errors.As(err, new(*NameError)) {
			report.Errorf("%q: %d, %v, want %s", text, n, err, want)
		}
	}
}

func TestFlagsWord(t *testing.T) {
	report := testrun.Limit(t)
	type object struct{ flags uint32 }
	table := Table[object]{FlagsWord(func(o *object) *uint32 { return &o.flags })}
	for _, text := range []string{"", "dead", "onlink", "dead onlink pervasive", "linkdown flags 0x40000000", "flags 0x40000000"} {
		var o object
		w := Split("route", text)
		for w.More() {
			if err := table.Parse(w, &o, "a flag"); err != nil {
				t.Fatal(err)
			}
		}
		var p Printer
		if table.Print(&p, &o); p.String() != text || FlagsText(o.flags) != text {
			report.Errorf("%q is %#x, which is %q and %q", text, o.flags, p.String(), FlagsText(o.flags))
		}
		back := uint32(99)
		if err := UnmarshalFlags("route", []byte(text), &back); err != nil || back != o.flags {
			report.Errorf("%q is %#x, %v, want %#x", text, back, err, o.flags)
		}
	}
	for text, want := range map[string]string{
		"onlnk":        `route: word 1 "onlnk": not a flag; did you mean onlink?`,
		"onlink flags": `route: word 3: a number is missing after "flags"`,
		"flags dead":   `route: word 2 "dead": not a number: want a number of at most 32 bits`,
	} {
		flags := uint32(99)
		if err := UnmarshalFlags("route", []byte(text), &flags); err == nil || err.Error() != want || flags != 99 {
			report.Errorf("%q: %d, %v, want %s", text, flags, err, want)
		}
	}
}

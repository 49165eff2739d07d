package iptext

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/testrun"
)

func TestWords(t *testing.T) {
	w := Split("rule", " from\t10.0.0.0/8  \n table 5 ")
	if !w.More() || w.Peek() != "from" || w.Last() != "" {
		t.Errorf("at the start: more %t, peek %q, last %q", w.More(), w.Peek(), w.Last())
	}
	if w.Accept("to") || w.Peek() != "from" {
		t.Error("Accept took another word")
	}
	if !w.Accept("from") || w.Last() != "from" {
		t.Errorf("Accept did not take the word: last %q", w.Last())
	}
	if s, err := w.Arg("a prefix"); s != "10.0.0.0/8" || err != nil {
		t.Errorf("Arg: got %q, %v", s, err)
	}
	if got := []string{w.Take(), w.Take(), w.Take(), w.Peek()}; !cmp.Equal(got, []string{"table", "5", "", ""}) {
		t.Errorf("Take to the end and beyond: got %q", got)
	}
	if w.More() || w.Accept("") || w.Last() != "5" {
		t.Errorf("at the end: more %t, last %q", w.More(), w.Last())
	}
	if w := Split("rule", " \n\t"); w.More() {
		t.Errorf("words in blanks: %q", w.Peek())
	}
}

func TestWordsErrors(t *testing.T) {
	report := testrun.Limit(t)
	w := Split("rule", "from 10.0.0.0/8 dprot")
	_, missing := Split("rule", "").Arg("a rule")
	w.Take()
	second := w.Errorf("not %s", "good")
	w.Take()
	w.Take()
	last := w.Errorf("not good")
	_, end := w.Arg("a port")
	for _, tt := range []struct {
		err  error
		want Error
		text string
	}{
		{missing, Error{"rule", 1, "", "a rule is missing", ""}, "rule: word 1: a rule is missing"},
		{second, Error{"rule", 1, "from", "not good", ""}, `rule: word 1 "from": not good`},
		{last, Error{"rule", 3, "dprot", "not good", ""}, `rule: word 3 "dprot": not good`},
		{end, Error{"rule", 4, "", `a port is missing after "dprot"`, ""}, `rule: word 4: a port is missing after "dprot"`},
	} {
		var got *Error
		if !errors.As(tt.err, &got) || *got != tt.want || tt.err.Error() != tt.text {
			report.Errorf("got  %#v: %v\nwant %#v: %s", got, tt.err, &tt.want, tt.text)
		}
	}
}

// What iproute2 6.1 takes for the value of "fwmark", and what it does not; but
// for signs and blanks, which strtoul accepts before a number.
func TestUint(t *testing.T) {
	report := testrun.Limit(t)
	for s, want := range map[string]uint32{
		"0": 0, "1": 1, "4294967295": math.MaxUint32, "0x1f": 31, "0X1F": 31, "0xffffffff": math.MaxUint32,
		"010": 8, "00": 0, "0017": 15,
	} {
		if got, ok := Uint[uint32](s, 32); got != want || !ok {
			report.Errorf("Uint(%q): got %d, %t, want %d", s, got, ok, want)
		}
	}
	for _, s := range []string{
		"", " 1", "1 ", "-1", "+2", "08", "0x", "0xg", "1_0", "0x_1", "0_1", "0b1", "0B1", "0o7", "0O7", "1e3", "1.0",
		"4294967296", "0x100000000", "99999999999999999999", "one",
	} {
		if got, ok := Uint[uint32](s, 32); ok {
			report.Errorf("Uint(%q): got %d, want nothing", s, got)
		}
	}
	for bits, s := range map[int]string{8: "256", 16: "65536", 20: "1048576", 32: "4294967296"} {
		if got, ok := Uint[uint64](s, bits); ok {
			report.Errorf("Uint(%q) of %d bits: got %d, want nothing", s, bits, got)
		}
	}
	if got, ok := Uint[uint64]("0xffffffffffffffff", 64); got != math.MaxUint64 || !ok {
		report.Errorf("the largest: got %d, %t", got, ok)
	}
}

func TestNumberText(t *testing.T) {
	report := testrun.Limit(t)
	for _, n := range []uint64{0, 9, 10, 255, 1 << 32, math.MaxUint64} {
		for _, s := range []string{Decimal(n), Hex(n)} {
			if got, ok := Uint[uint64](s, 64); got != n || !ok {
				report.Errorf("%d prints as %q and reads as %d, %t", n, s, got, ok)
			}
		}
	}
	if d, h := Decimal(uint16(6500)), Hex(uint8(31)); d != "6500" || h != "0x1f" {
		report.Errorf("got %q and %q", d, h)
	}
}

// each runs parse on the word "word" and its argument, if there is one.
func each(t *testing.T, parse func(w *Words) error, wants map[string]string) {
	t.Helper()
	for arg, want := range wants {
		w := Split("rule", "word "+arg)
		w.Take()
		err := parse(w)
		if got := fmt.Sprint(err); got != want {
			t.Errorf("%q:\ngot  %s\nwant %s", arg, got, want)
		}
	}
}

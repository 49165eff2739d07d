package iptext

import (
	"testing"

	"github.com/policyroute/policyroute/internal/testrun"
)

func TestEnumNames(t *testing.T) {
	report := testrun.Limit(t)
	e := Enum{{N: 1, Name: "one"}, {N: 255, Name: "all"}}
	for n, want := range map[uint32]string{1: "one", 255: "all", 2: "2", 256: "256", 257: "257", 1<<32 - 1: "4294967295"} {
		if got := NameOf(e, n); got != want {
			report.Errorf("%d: %q, want %q", n, got, want)
		}
		back := ^n
		if err := UnmarshalName(e, 32, "rule", "a number", []byte(want), &back); err != nil || back != n {
			report.Errorf("%q: %d, %v, want %d", want, back, err, n)
		}
	}
	for text, want := range map[string]string{
		"":      `rule: "" is not a number`,
		"on":    `rule: "on" is not a number; did you mean one?`,
		"65536": `rule: "65536" is not a number`,
	} {
		n := uint16(99)
		if err := UnmarshalName(e, 16, "rule", "a number", []byte(text), &n); err == nil || err.Error() != want || n != 99 {
			report.Errorf("%q: %d, %v, want %s", text, n, err, want)
		}
	}
}

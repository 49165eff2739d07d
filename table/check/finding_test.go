package check

import (
	"testing"
)

func TestSeverityText(t *testing.T) {
	for s, want := range map[Severity]string{Note: "note", Warning: "warning", Fault: "fault", 9: "9"} {
		b, err := s.MarshalText()
		if err != nil || string(b) != want || s.String() != want {
			t.Errorf("%d is %q, %v", uint8(s), b, err)
		}
		var back Severity
		if err := back.UnmarshalText(b); err != nil || back != s {
			t.Errorf("%q is read as %d, %v", b, back, err)
		}
	}
	var s Severity
	if err := s.UnmarshalText([]byte("warn")); err == nil || s != 0 {
		t.Errorf("got %v, %d", err, s)
	}
}

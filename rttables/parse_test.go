package rttables

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/testrun"
)

func entry(id ID, name, comment string) Entry { return Entry{ID: id, Name: name, Comment: comment} }

// Lines of these forms, in random order, were given to ip of iproute2 6.1.0, which
// read the same from them. The one exception is meant: where the rest of a line
// that is too long reads as an entry, ip goes on.
var lineTests = []struct {
	in     string
	want   Entry
	ok     bool
	reason string // part of it; empty: none
}{
	{in: ""},
	{in: "\n"},
	{in: " \t \n"},
	{in: "# 20 lan2\n"},
	{in: "  # 20 lan2\n"},
	{in: "\x00 20 lan2\n"},
	{in: "20 lan2\n", want: entry(20, "lan2", ""), ok: true},
	{in: "20\tlan2", want: entry(20, "lan2", ""), ok: true},
	{in: " \t20 \v\f lan2 \n", want: entry(20, "lan2", ""), ok: true},
	{in: "20 lan2\r\n", want: entry(20, "lan2", ""), ok: true},
	{in: "\r20 lan2\n", want: entry(20, "lan2", ""), ok: true},
	{in: "20 lan2 # up link \r\n", want: entry(20, "lan2", "up link"), ok: true},
	{in: "20 lan2 #\n", want: entry(20, "lan2", ""), ok: true},
	{in: "20 lan2 junk # no\n", want: entry(20, "lan2", ""), ok: true},
	{in: "20 lan2#x\n", want: entry(20, "lan2#x", ""), ok: true},
	{in: "20 # x\n", want: entry(20, "#", ""), ok: true},
	{in: "20 #x\n", want: entry(20, "#x", ""), ok: true},
	{in: "20lan2\n", want: entry(20, "lan2", ""), ok: true},
	{in: "+20 a\n", want: entry(20, "a", ""), ok: true},
	{in: "0x14 a\n", want: entry(20, "a", ""), ok: true},
	{in: "0x 14 a\n", want: entry(20, "a", ""), ok: true},
	{in: "0x0x14 a\n", want: entry(20, "a", ""), ok: true},
	{in: "0x14zip\n", want: entry(20, "zip", ""), ok: true},
	{in: "0xabe\n", want: entry(0, "xabe", ""), ok: true},
	{in: "0X14 a\n", want: entry(0, "X14", ""), ok: true},
	{in: "010 a\n", want: entry(10, "a", ""), ok: true},
	{in: "20 21\n", want: entry(20, "21", ""), ok: true},
	{in: "20 a\x00b\n", want: entry(20, "a", ""), ok: true},
	{in: "2147483647 a\n", want: entry(2147483647, "a", ""), ok: true},
	{in: "2147483648 a\n"},
	{in: "4294967295 a\n"},
	{in: "0xffffffff a\n"},
	{in: "-5 a\n"},
	{in: "4294967316 a\n", want: entry(20, "a", ""), ok: true},
	{in: "99999999999999999999 a\n"},
	{in: "-99999999999999999999 a\n", want: entry(0, "a", ""), ok: true},
	{in: "0x99999999999999999999 a\n"},
	{in: "0x-99999999999999999999 a\n"},
	{in: "0x-fffffffe a\n", want: entry(2, "a", ""), ok: true},
	{in: "20\n", reason: "no name"},
	{in: "9\n", reason: "no name"},
	{in: "-9\n", reason: "no name"},
	{in: "20", reason: "no name"},
	{in: "20 \r\n", reason: "no name"},
	{in: "lan2 20\n", reason: "does not begin with a number"},
	{in: "-\n", reason: "does not begin with a number"},
	{in: "\ufeff20 lan2\n", reason: "byte order mark"},
	{in: "\ufeff# 20 lan2\n", reason: "byte order mark"},
	{in: "\ufeff\n", reason: "byte order mark"},
	{in: "20 \ufefflan2\n", want: entry(20, "\ufefflan2", ""), ok: true},
	{in: "\r\n", reason: "carriage return"},
	{in: "\r", reason: "carriage return"},
	{in: "#" + strings.Repeat("x", 509) + "\n"},
	{in: "#" + strings.Repeat("x", 510) + "\n"}, // the end is a line of its own
	{in: "#" + strings.Repeat("x", 511) + "\n", reason: "too long"},
	{in: "#" + strings.Repeat("x", 510) + "20 lan2\n", reason: "too long"},
	{in: "#" + strings.Repeat("x", 510) + "# more\n"},
	{in: "20 lan2 #" + strings.Repeat("x", 511) + "\n", want: entry(20, "lan2", strings.Repeat("x", 502)), ok: true, reason: "too long"},
}

func TestParseLine(t *testing.T) {
	report := testrun.Limit(t)
	for _, tt := range lineTests {
		got, ok, reason := parseLine(tt.in)
		if ok != tt.ok || (reason == "") != (tt.reason == "") || !strings.Contains(reason, tt.reason) {
			report.Errorf("parseLine(%.40q) = %v, %v, %q, want %v, %v, %q", tt.in, got, ok, reason, tt.want, tt.ok, tt.reason)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			report.Errorf("parseLine(%.40q) (-want +got):\n%s", tt.in, diff)
		}
	}
}

func TestLooksNumeric(t *testing.T) {
	report := testrun.Limit(t)
	for _, s := range []string{"0", "20", "010", "0x14", "0Xff", "+20", "-20", "-0x1", "0b101", "0B1", "99999999999999999999999"} {
		if !looksNumeric(s) {
			report.Errorf("looksNumeric(%q) = false", s)
		}
	}
	for _, s := range []string{"", "+", "lan2", "08", "09", "20a", "0x", "0xg", "0b", "0b2", "2.0", "x20", "++1"} {
		if looksNumeric(s) {
			report.Errorf("looksNumeric(%q) = true", s)
		}
	}
}

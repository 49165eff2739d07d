package iptext

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestPrintable(t *testing.T) {
	for _, c := range []struct{ in, want, json string }{
		{"", "", ""},
		{"eth0 (é, \ufffd)", "eth0 (é, \ufffd)", "eth0 (é, \ufffd)"},
		{"\x1b[2J", `\x1b[2J`, `\u001b[2J`},
		{"a\nb\tc\r", `a\x0ab\x09c\x0d`, "a\nb\tc\\u000d"},
		{"\x9b2J\xff", `\x9b2J\xff`, `\ufffd2J\ufffd`},
		{"\u009b2J\x7f", `\xc2\x9b2J\x7f`, `\u009b2J\u007f`},
		{"evil\u202egnp.exe\u2028", `evil\u202egnp.exe\u2028`, `evil\u202egnp.exe\u2028`},
		{"\U000e0041", `\U000e0041`, `\udb40\udc41`},
		{`a\x1b`, `a\x1b`, `a\x1b`},
	} {
		if got := Printable(c.in); got != c.want {
			t.Errorf("Printable(%q) is %s, want %s", c.in, got, c.want)
		}
		if got := PrintableJSON(c.in); got != c.json {
			t.Errorf("PrintableJSON(%q) is %s, want %s", c.in, got, c.json)
		}
	}
	if got, want := PrintableLines("a\x1b\n\tb\u202e\n"), "a\\x1b\n\tb\\u202e\n"; got != want {
		t.Errorf("PrintableLines is %q, want %q", got, want)
	}
}

// Whatever comes from outside, the result is UTF-8 that a terminal only shows, text that is
// already that stays as it is, and JSON keeps its value.
func FuzzPrintable(f *testing.F) {
	for _, s := range []string{"", "lan1", "\x1b]0;x\a", "\x9b2J", "a\nREADY=1", "\u202e", "\xff\xfe", "\U000e0041\u0085"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		check := func(name, got, keep string) {
			for _, r := range got {
				if !unicode.IsPrint(r) && !strings.ContainsRune(keep, r) || !utf8.ValidString(got) {
					t.Errorf("%s(%q) is %q", name, s, got)
				}
			}
		}
		p := Printable(s)
		check("Printable", p, "")
		if Printable(p) != p || p != s && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 && utf8.ValidString(s) {
			t.Errorf("%q becomes %q", s, p)
		}
		check("PrintableLines", PrintableLines(s), "\n\t")
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		j := PrintableJSON(string(b))
		check("PrintableJSON", j, "")
		var got string
		if err := json.Unmarshal([]byte(j), &got); err != nil || got != strings.ToValidUTF8(s, "\ufffd") && utf8.ValidString(s) {
			t.Errorf("%q is %s as JSON, which means %q, %v", s, j, got, err)
		}
		// Where no backslash was, the escapes are those of Go.
		if !strings.ContainsAny(s, `\"`) {
			if back, err := strconv.Unquote(`"` + p + `"`); err != nil || back != s {
				t.Errorf("%q becomes %s, which means %q, %v", s, p, back, err)
			}
		}
	})
}

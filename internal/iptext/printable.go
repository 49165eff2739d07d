package iptext

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Printable returns s with an escape of Go in the place of all that is not printed as itself:
// \x1b for a control character or a byte that is not UTF-8, and \u202e for other characters
// that a terminal does not show or takes for a command, line breaks among them. A backslash
// stays as it is. Names that come from outside, such as those of processes and interfaces,
// can have any of these.
func Printable(s string) string {
	return escape(s, "", func(b *strings.Builder, s string, r rune) {
		switch {
		case r < 0x100, len(s) == 1: // a byte that is not UTF-8
			for i := range len(s) {
				fmt.Fprintf(b, `\x%02x`, s[i])
			}
		case r < 0x10000:
			fmt.Fprintf(b, `\u%04x`, r)
		default:
			fmt.Fprintf(b, `\U%08x`, r)
		}
	})
}

// PrintableLines is [Printable] for a text of several lines: it keeps line breaks and tabs.
func PrintableLines(s string) string {
	if !strings.ContainsAny(s, "\n\t") {
		return Printable(s)
	}
	var b strings.Builder
	for {
		i := strings.IndexAny(s, "\n\t")
		if i < 0 {
			b.WriteString(Printable(s))
			return b.String()
		}
		b.WriteString(Printable(s[:i]))
		b.WriteByte(s[i])
		s = s[i+1:]
	}
}

// PrintableJSON returns a JSON text with escapes of JSON in the place of what [Printable]
// replaces. The value is the same. What is not UTF-8 becomes U+FFFD, as encoding/json has
// it.
func PrintableJSON(s string) string {
	return escape(s, "\n\t", func(b *strings.Builder, s string, r rune) {
		if r >= 0x10000 {
			r -= 0x10000
			fmt.Fprintf(b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
			return
		}
		fmt.Fprintf(b, `\u%04x`, r)
	})
}

// escape returns s with the result of put in the place of characters that are not printed
// as themselves, except for those that are kept.
func escape(s, keep string, put func(b *strings.Builder, s string, r rune)) string {
	suspect := func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }
	if strings.IndexFunc(s, suspect) < 0 {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		isByte := r == utf8.RuneError && n == 1 // which is not UTF-8
		if unicode.IsPrint(r) && !isByte || strings.ContainsRune(keep, r) && !isByte {
			b.WriteString(s[:n])
		} else {
			put(&b, s[:n], r)
		}
		s = s[n:]
	}
	return b.String()
}

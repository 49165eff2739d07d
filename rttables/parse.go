package rttables

import (
	"math"
	"strings"
)

// maxLine is how many bytes of a line iproute2 reads at once, including the line
// end: fgets(3) into 512 bytes. It reads the rest as another line.
const maxLine = 511

// byteOrderMark is what some editors write at the head of a file in UTF-8. iproute2
// cannot read the line behind it, not even a comment.
const byteOrderMark = "\ufeff"

// An Entry is one line of a file that gives a name to a number.
type Entry struct {
	ID      ID
	Name    string
	Comment string // the text after a # that follows the name, trimmed; empty if there is none
	Line    int    // from 1
}

// parseLine reads one line, with its line end, as iproute2 does. It returns no
// entry for a line that iproute2 skips, and the reason if iproute2 stops at the
// line. For a good line that is too long it returns both.
func parseLine(raw string) (e Entry, ok bool, reason string) {
	head := raw[:min(len(raw), maxLine)]
	e, ok, reason = parseChunk(head)
	for rest := raw[len(head):]; rest != "" && reason == ""; {
		n := min(len(rest), maxLine)
		// If the rest is an entry, iproute2 goes on, with a name that nobody
		// meant to give. That is an error here, too.
		if _, more, bad := parseChunk(rest[:n]); more || bad != "" {
			reason = "line too long: iproute2 takes what follows byte 511 for another line"
		}
		rest = rest[n:]
	}
	return e, ok, reason
}

// parseChunk reads the bytes that one call of fgets(3) returns to iproute2.
func parseChunk(s string) (e Entry, ok bool, reason string) {
	s, _, _ = strings.Cut(s, "\x00") // a C string ends there
	s = strings.TrimLeft(s, " \t")
	if s == "" || s[0] == '#' || s[0] == '\n' {
		return Entry{}, false, ""
	}
	id, name, rest, ok := scanEntry(s)
	switch {
	case !ok && strings.Trim(s, "\r\n") == "":
		return Entry{}, false, "iproute2 takes no carriage return on a blank line"
	case !ok && strings.HasPrefix(s, byteOrderMark):
		return Entry{}, false, "a byte order mark before the line, which has to go"
	case !ok && !isDigit(strings.TrimLeft(s, "+-")):
		return Entry{}, false, "the line does not begin with a number"
	case !ok:
		return Entry{}, false, "no name after the number"
	case id < 0:
		return Entry{}, false, "" // 2^31 or more: iproute2 skips it
	}
	rest = strings.TrimSpace(rest)
	comment, found := strings.CutPrefix(rest, "#")
	if !found {
		comment = "" // iproute2 ignores whatever follows the name
	}
	return Entry{ID: ID(id), Name: name, Comment: strings.TrimSpace(comment)}, true, ""
}

// scanEntry is sscanf(3) with "0x%x %s" and, if that does not match, "%d %s". Like
// these it needs no blank after the number: "20lan" is an ID and a name.
func scanEntry(s string) (id int32, name, rest string, ok bool) {
	if hex, found := strings.CutPrefix(s, "0x"); found {
		if v, after, ok := scanInt(hex, 16); ok {
			if name, rest = scanWord(after); name != "" {
				return v, name, rest, true
			}
		}
	}
	v, after, ok := scanInt(s, 10)
	if !ok {
		return 0, "", "", false
	}
	name, rest = scanWord(after)
	return v, name, rest, name != ""
}

// scanInt is the %d or %x of glibc on a 64-bit machine: strtol(3), which saturates
// at the largest long, converted to an int.
func scanInt(s string, base uint64) (v int32, rest string, ok bool) {
	s = strings.TrimLeft(s, cBlanks)
	neg := strings.HasPrefix(s, "-")
	if neg || strings.HasPrefix(s, "+") {
		s = s[1:]
	}
	if base == 16 {
		if after, found := cutHex(s); found {
			// The 0 counts as a digit even if none follows the x.
			s, ok = after, true
		}
	}
	limit := uint64(math.MaxInt64)
	if base == 16 {
		limit = math.MaxUint64
	} else if neg {
		limit++
	}
	n, digits, over := scanDigits(s, base, limit)
	if digits == 0 && !ok {
		return 0, "", false
	}
	if neg && !(over && base == 16) {
		n = -n
	}
	return int32(uint32(n)), s[digits:], true
}

// scanDigits reads the digits at the beginning of s. The value saturates at limit.
func scanDigits(s string, base, limit uint64) (n uint64, digits int, over bool) {
	for ; digits < len(s); digits++ {
		d := digitValue(s[digits])
		if d >= base {
			break
		}
		if over || n > (limit-d)/base {
			n, over = limit, true
			continue
		}
		n = n*base + d
	}
	return n, digits, over
}

// scanWord is %s: it skips blanks, and reads up to the next one.
func scanWord(s string) (word, rest string) {
	s = strings.TrimLeft(s, cBlanks)
	if i := strings.IndexAny(s, cBlanks); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}

// cBlanks is isspace(3) in the C locale, which is the one that ip runs in.
const cBlanks = " \t\n\v\f\r"

// digitValue returns 255 for a byte that is not a digit in any base.
func digitValue(c byte) uint64 {
	switch {
	case '0' <= c && c <= '9':
		return uint64(c - '0')
	case 'a' <= c && c <= 'z':
		return uint64(c-'a') + 10
	case 'A' <= c && c <= 'Z':
		return uint64(c-'A') + 10
	}
	return 255
}

// isDigit reports whether s begins with a decimal digit.
func isDigit(s string) bool { return s != "" && digitValue(s[0]) < 10 }

// parseNumber is strtoul(3) on the whole word, base 0 or 16, with a +. It refuses
// a -, with which ip would get a number out of range.
func parseNumber(word string, base uint64) (v uint64, ok bool) {
	word = strings.TrimPrefix(word, "+")
	if rest, found := cutHex(word); found && rest != "" {
		word, base = rest, 16
	} else if base == 0 {
		base = 10
		if strings.HasPrefix(word, "0") {
			base = 8
		}
	}
	n, digits, _ := scanDigits(word, base, math.MaxUint64)
	return n, digits > 0 && digits == len(word)
}

// looksNumeric reports whether strtoul(3) with base 0 reads the whole word, which
// as a name would hide a number. The C library of C23 also reads 0b.
func looksNumeric(word string) bool {
	if strings.HasPrefix(word, "-") {
		word = "+" + word[1:]
	}
	if _, ok := parseNumber(word, 0); ok {
		return true
	}
	bits, ok := strings.CutPrefix(strings.ToLower(strings.TrimPrefix(word, "+")), "0b")
	return ok && bits != "" && strings.Trim(bits, "01") == ""
}

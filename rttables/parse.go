package rttables

import (
	"math"
	"strings"
)

// maxLine is how many bytes of a line iproute2 reads at once, its end included:
// fgets(3) into 512 bytes. It takes the rest for a line of its own.
const maxLine = 511

// An Entry is one line of a file that gives a name to a number.
type Entry struct {
	ID      ID
	Name    string
	Comment string // the text after a # that follows the name, trimmed; empty: none
	Line    int    // counted from 1
}

// parseLine reads one line, its end included, as iproute2 does. It returns no
// entry for a line that iproute2 skips, and the reason if iproute2 stops there.
// Both an entry and a reason come back for a good line that is too long.
func parseLine(raw string) (e Entry, ok bool, reason string) {
	head := raw[:min(len(raw), maxLine)]
	e, ok, reason = parseChunk(head)
	for rest := raw[len(head):]; rest != "" && reason == ""; {
		n := min(len(rest), maxLine)
		// Were the rest to read as an entry, ip would go on, with a name that
		// nobody gave. Nothing good comes of calling that sound.
		if _, more, bad := parseChunk(rest[:n]); more || bad != "" {
			reason = "line too long: iproute2 takes what follows byte 511 for another line"
		}
		rest = rest[n:]
	}
	return e, ok, reason
}

// parseChunk reads what one call of fgets(3) gives iproute2.
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
	case !ok && !isDigit(strings.TrimLeft(s, "+-")):
		return Entry{}, false, "no number at the head of the line"
	case !ok:
		return Entry{}, false, "no name after the number"
	case id < 0:
		return Entry{}, false, "" // from 2^31 up: iproute2 passes over it
	}
	rest = strings.TrimSpace(rest)
	comment, found := strings.CutPrefix(rest, "#")
	if !found {
		comment = "" // iproute2 ignores whatever follows the name
	}
	return Entry{ID: ID(id), Name: name, Comment: strings.TrimSpace(comment)}, true, ""
}

// scanEntry is sscanf(3) with "0x%x %s", and if that does not match, "%d %s". It
// leans on no blank where these lean on none: "20lan" is an ID and a name.
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

// scanInt is the %d or %x of glibc on a 64-bit machine: strtol(3), which stops
// at the largest long, then cut down to an int.
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

// scanDigits reads the digits at the head of s, and stops counting at limit.
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

// digitValue returns 255 for what is no digit in any base.
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

// parseNumber is strtoul(3) on the whole word, base 0 or 16, with a + but without
// a -, which ip would turn into a number out of range.
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

// looksNumeric reports whether strtoul(3) with base 0 takes the whole word, so
// that as a name it would hide a number. The C library of C23 also knows 0b.
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

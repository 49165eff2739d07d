package iptext

import (
	"fmt"
	"strconv"
	"strings"
)

// Words are the words of one object, read from the first to the last.
type Words struct {
	pkg   string
	words []string
	next  int
}

// Split splits text at blanks. Errors begin with pkg.
func Split(pkg, text string) *Words {
	return &Words{pkg: pkg, words: strings.Fields(text)}
}

// More reports whether a word is left.
func (w *Words) More() bool { return w.next < len(w.words) }

// Peek returns the next word without taking it; "" at the end.
func (w *Words) Peek() string {
	if !w.More() {
		return ""
	}
	return w.words[w.next]
}

// Take takes the next word; "" at the end.
func (w *Words) Take() string {
	s := w.Peek()
	if w.More() {
		w.next++
	}
	return s
}

// Last returns the word that was taken last.
func (w *Words) Last() string {
	if w.next == 0 {
		return ""
	}
	return w.words[w.next-1]
}

// replaceLast puts s in the place of the word that was taken last: its full
// form, for those who ask for it with Last.
func (w *Words) replaceLast(s string) {
	if w.next > 0 {
		w.words[w.next-1] = s
	}
}

// Accept takes the next word if it is s.
func (w *Words) Accept(s string) bool {
	if w.More() && w.words[w.next] == s {
		w.next++
		return true
	}
	return false
}

// An Error reports a word that cannot be read.
type Error struct {
	Package string
	Pos     int    // 1 for the first word; one past the last where one is missing
	Word    string // empty where one is missing
	Reason  string
	Keyword string // whose argument it is; empty where a keyword was expected
}

// Error reads `rule: word 3 "dprot": not a selector; did you mean dport?`
func (e *Error) Error() string {
	if e.Word == "" {
		return fmt.Sprintf("%s: word %d: %s", e.Package, e.Pos, e.Reason)
	}
	return fmt.Sprintf("%s: word %d %q: %s", e.Package, e.Pos, e.Word, e.Reason)
}

// Errorf reports a fault of the word that was taken last.
func (w *Words) Errorf(format string, args ...any) error {
	e := &Error{Package: w.pkg, Pos: w.next, Reason: fmt.Sprintf(format, args...)}
	e.Word = w.Last()
	return e
}

// Arg takes the argument of the word that was taken last; what says what it is.
func (w *Words) Arg(what string) (string, error) {
	if !w.More() {
		after := ""
		if w.next > 0 {
			after = fmt.Sprintf(" after %q", w.Last())
		}
		return "", &Error{Package: w.pkg, Pos: w.next + 1, Reason: what + " is missing" + after}
	}
	return w.Take(), nil
}

// Number is the types of the numbers in text.
type Number interface {
	~uint8 | ~uint16 | ~uint32 | ~uint64
}

// Uint reads s, of at most the given bits, in the forms that C's strtoul has for
// a number without a sign: decimal, hexadecimal after 0x, octal after 0.
func Uint[V Number](s string, bits int) (V, bool) {
	if strings.ContainsRune(s, '_') || strings.HasPrefix(s, "0b") || strings.HasPrefix(s, "0o") ||
		strings.HasPrefix(s, "0B") || strings.HasPrefix(s, "0O") {
		return 0, false // Go's own forms
	}
	n, err := strconv.ParseUint(s, 0, bits)
	return V(n), err == nil
}

// ArgUint takes an argument that is a number of at most the given bits.
func ArgUint[V Number](w *Words, what string, bits int) (V, error) {
	s, err := w.Arg(what)
	if err != nil {
		return 0, err
	}
	v, ok := Uint[V](s, bits)
	if !ok {
		return 0, w.Errorf("not %s: want a number of at most %d bits", what, bits)
	}
	return v, nil
}

// Decimal is n in decimal.
func Decimal[V Number](n V) string { return strconv.FormatUint(uint64(n), 10) }

// Hex is n in hexadecimal after 0x.
func Hex[V Number](n V) string { return "0x" + strconv.FormatUint(uint64(n), 16) }

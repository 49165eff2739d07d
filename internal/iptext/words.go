package iptext

import (
	"fmt"
	"strconv"
	"strings"
)

// Words are the words of one object, taken from the first to the last.
type Words struct {
	pkg   string
	words []string
	next  int
}

// Split splits text at blanks. Errors start with pkg.
func Split(pkg, text string) *Words {
	return &Words{pkg: pkg, words: Fields(text)}
}

// Fields splits text at blanks, tabs and line ends. Other spaces of Unicode do not count:
// the name of an interface may contain them.
func Fields(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\n\v\f\r", r) })
}

// More reports whether there is another word.
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

// Last returns the last word that was taken.
func (w *Words) Last() string {
	if w.next == 0 {
		return ""
	}
	return w.words[w.next-1]
}

// replaceLast replaces the last word that was taken by its full form, which Last then
// returns.
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
	Pos     int    // the position, from 1; one past the last word if a word is missing
	Word    string // empty if a word is missing
	Reason  string
	Keyword string // the keyword of an argument; empty if a keyword was expected
}

// Error returns text like `rule: word 3 "dprot": not a selector; did you mean dport?`
func (e *Error) Error() string {
	if e.Word == "" {
		return fmt.Sprintf("%s: word %d: %s", e.Package, e.Pos, e.Reason)
	}
	return fmt.Sprintf("%s: word %d %q: %s", e.Package, e.Pos, e.Word, e.Reason)
}

// Errorf returns an error about the last word that was taken.
func (w *Words) Errorf(format string, args ...any) error {
	e := &Error{Package: w.pkg, Pos: w.next, Reason: fmt.Sprintf(format, args...)}
	e.Word = w.Last()
	return e
}

// Arg takes an argument of the last word that was taken. what describes the argument
// in errors.
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

// Number is the constraint for numbers in text.
type Number interface {
	~uint8 | ~uint16 | ~uint32 | ~uint64
}

// Uint reads a number of at most the given bits in the forms of strtoul(3), without a
// sign: decimal, hexadecimal after 0x, octal after 0.
func Uint[V Number](s string, bits int) (V, bool) {
	if strings.ContainsRune(s, '_') || strings.HasPrefix(s, "0b") || strings.HasPrefix(s, "0o") ||
		strings.HasPrefix(s, "0B") || strings.HasPrefix(s, "0O") {
		return 0, false // forms that only Go has
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

// Decimal formats n in decimal.
func Decimal[V Number](n V) string { return strconv.FormatUint(uint64(n), 10) }

// Hex formats n in hexadecimal after 0x.
func Hex[V Number](n V) string { return "0x" + strconv.FormatUint(uint64(n), 16) }

// WordsOf returns words that are split already. pkg begins the errors.
func WordsOf(pkg string, words []string) *Words { return &Words{pkg: pkg, words: words} }

package iptext

import (
	"errors"
	"slices"
	"strings"
)

// A Word is a keyword with its arguments, which set or print a part of a T.
type Word[T any] struct {
	// Names are the keyword and its other names. Print writes the first.
	Names []string
	// Parse takes the arguments. The keyword has been taken.
	Parse func(w *Words, v *T) error
	// Print writes the keyword and the arguments, or nothing if v does not have
	// that part. It is nil for a word that another one prints.
	Print func(p *Printer, v *T)
	// Short is the only field of an element that lists names which can be
	// abbreviated, in the order in which ip(8) compares them. An abbreviation
	// means the first name that begins with it.
	Short []string
}

// A Table is the words of an object, in the order in which they are printed.
type Table[T any] []Word[T]

// Find returns the word with a name, which can be abbreviated.
func (t Table[T]) Find(name string) (*Word[T], bool) {
	word, _ := t.find(name)
	return word, word != nil
}

// find returns the word and its full name.
func (t Table[T]) find(name string) (*Word[T], string) {
	for i := range t {
		if slices.Contains(t[i].Names, name) {
			return &t[i], name
		}
	}
	for i := range t {
		if full, ok := Expand(name, t[i].Short); ok {
			return t.find(full)
		}
	}
	return nil, name
}

// Expand returns the first of names that begins with s. ok is false if there is none,
// or if s is empty.
func Expand(s string, names []string) (name string, ok bool) {
	for _, n := range names {
		if s != "" && strings.HasPrefix(n, s) {
			return n, true
		}
	}
	return "", false
}

// Parse takes the next word and its arguments. what describes, for the error about an
// unknown word, what is expected.
func (t Table[T]) Parse(w *Words, v *T, what string) error {
	name := w.Take()
	word, full := t.find(name)
	if word == nil {
		return w.Errorf("not %s%s", what, t.Suggest(name))
	}
	w.replaceLast(full)
	return word.Read(w, v)
}

// Read takes the arguments of the word, which has been taken. An error gets the
// keyword.
func (x *Word[T]) Read(w *Words, v *T) error {
	keyword := w.Last()
	err := x.Parse(w, v)
	var e *Error
	if errors.As(err, &e) && e.Keyword == "" {
		e.Keyword = keyword
	}
	return err
}

// Print writes all words of v.
func (t Table[T]) Print(p *Printer, v *T) {
	for i := range t {
		if t[i].Print != nil {
			t[i].Print(p, v)
		}
	}
}

// Suggest is [Suggest] for the names of the table.
func (t Table[T]) Suggest(name string) string {
	var all []string
	for i := range t {
		all = append(all, t[i].Names...)
	}
	return Suggest(name, all)
}

// Suggest returns "; did you mean x?", where x is the name that is most similar to
// word, or "" if none is similar.
func Suggest(word string, names []string) string {
	best, bestDist := "", 3
	for _, n := range names {
		if d := distance(word, n); d < bestDist && d < len(n) {
			best, bestDist = n, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

// maxSuggest is the length of the longest word that distance compares.
const maxSuggest = 32

// distance returns how many letters must be inserted, deleted, replaced or swapped
// with the next one to turn a into b.
func distance(a, b string) int {
	if len(a) > maxSuggest || len(b) > maxSuggest {
		return maxSuggest
	}
	var d [maxSuggest + 1][maxSuggest + 1]int
	for i := range len(a) + 1 {
		for j := range len(b) + 1 {
			switch {
			case i == 0 || j == 0:
				d[i][j] = i + j
				continue
			case a[i-1] == b[j-1]:
				d[i][j] = d[i-1][j-1]
			default:
				d[i][j] = 1 + min(d[i-1][j-1], d[i-1][j], d[i][j-1])
			}
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}

// A Printer collects words.
type Printer struct {
	buf []byte
}

// Put writes words with blanks between them.
func (p *Printer) Put(words ...string) {
	for _, s := range words {
		if len(p.buf) > 0 {
			p.buf = append(p.buf, ' ')
		}
		p.buf = append(p.buf, s...)
	}
}

// String returns what was written.
func (p *Printer) String() string { return string(p.buf) }

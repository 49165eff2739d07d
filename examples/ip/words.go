package main

import (
	"slices"

	"github.com/policyroute/policyroute/internal/iptext"
)

// words are arguments, read from the first to the last.
type words struct {
	args []string
	next int
}

func (w *words) more() bool { return w.next < len(w.args) }

// rest are the words that are left.
func (w *words) rest() []string { return w.args[w.next:] }

// take takes the next word, of which there must be one.
func (w *words) take() string {
	w.next++
	return w.args[w.next-1]
}

// arg takes the argument of the word that was taken last.
func (w *words) arg() (string, error) {
	if !w.more() {
		return "", incomplete()
	}
	return w.take(), nil
}

// accept takes the next word if it is s, or the beginning of it.
func (w *words) accept(s string) bool {
	if w.more() && begins(w.args[w.next], s) {
		w.next++
		return true
	}
	return false
}

// begins reports whether s stands for name by its beginning.
func begins(s string, names ...string) bool {
	_, ok := iptext.Expand(s, names)
	return ok
}

// A keyword is a word with its arguments, and what becomes of them in a T.
// Tables of keywords have the order of ip(8), in which the first one counts that
// a word stands for.
type keyword[T any] struct {
	names []string // that must be written out
	short []string // of which the beginning is enough
	read  func(*T, *words) error
}

// find returns the keyword that s stands for, or nil.
func find[T any](table []keyword[T], s string) *keyword[T] {
	i := slices.IndexFunc(table, func(k keyword[T]) bool {
		return slices.Contains(k.names, s) || begins(s, k.short...)
	})
	if i < 0 {
		return nil
	}
	return &table[i]
}

package main

import (
	"slices"

	"github.com/policyroute/policyroute/internal/iptext"
)

// words are the arguments of a command. They are read from the first to the last.
type words struct {
	args []string
	next int
}

func (w *words) more() bool { return w.next < len(w.args) }

// rest returns the words that were not taken.
func (w *words) rest() []string { return w.args[w.next:] }

// take takes the next word. There must be one.
func (w *words) take() string {
	w.next++
	return w.args[w.next-1]
}

// arg takes the argument of the word that was taken last.
func (w *words) arg() (string, error) {
	if !w.more() {
		return "", missingWord()
	}
	return w.take(), nil
}

// accept takes the next word if it is s or an abbreviation of s.
func (w *words) accept(s string) bool {
	if w.more() && abbreviates(w.args[w.next], s) {
		w.next++
		return true
	}
	return false
}

// abbreviates reports whether s is one of the names or an abbreviation of one.
func abbreviates(s string, names ...string) bool {
	_, ok := iptext.Expand(s, names)
	return ok
}

// A keyword is a word and the function that reads its arguments into a T. Tables of keywords
// have the order of ip(8): an abbreviation stands for the first keyword that it fits.
type keyword[T any] struct {
	names []string // cannot be abbreviated
	short []string // can be abbreviated
	read  func(*T, *words) error
}

// find returns the keyword that s stands for, or nil.
func find[T any](table []keyword[T], s string) *keyword[T] {
	i := slices.IndexFunc(table, func(k keyword[T]) bool {
		return slices.Contains(k.names, s) || abbreviates(s, k.short...)
	})
	if i < 0 {
		return nil
	}
	return &table[i]
}

package main

import (
	"errors"
	"strings"
	"unicode"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/route"
)

// A parserInput is the words for rule.Parse or route.Parse that stand for arguments.
type parserInput struct {
	words []string
	first int // index of the first argument among the words
}

// invalidWord replaces an argument that is not a single word, or that Parse accepts and
// ip(8) does not. Parse refuses it in every place.
const invalidWord = "\x00"

// newParserInput returns the option for a family, the words before, and the arguments.
func newParserInput(f route.Family, before, args []string) *parserInput {
	s := new(parserInput)
	if f != 0 {
		s.words = iptext.FamilyOption(f)
	}
	s.words = append(s.words, before...)
	s.first = len(s.words)
	s.words = append(s.words, args...)
	for i, a := range args {
		switch {
		case a == "", strings.ContainsFunc(a, unicode.IsSpace), strings.Contains(a, invalidWord):
			s.invalidate(i)
		case i == 0 && (a[0] == '-' || strings.HasSuffix(a, ":")):
			s.invalidate(i) // an option, or a priority in the form of a list
		}
	}
	return s
}

// invalidate replaces argument i by a word that Parse refuses.
func (s *parserInput) invalidate(i int) { s.words[s.first+i] = invalidWord }

func (s *parserInput) String() string { return strings.Join(s.words, " ") }

// A wordError is an error of Parse about an argument.
type wordError struct {
	err     error
	keyword string // the keyword before the argument; empty if a keyword was expected
	index   int    // of the argument, or of the last one
	missing bool   // there should be another argument after the last
}

func (e *wordError) Error() string { return e.err.Error() }

// wordError returns an error of Parse with the argument that it is about.
func (s *parserInput) wordError(err error) error {
	var e *iptext.Error
	if !errors.As(err, &e) {
		return err
	}
	i := e.Pos - 1 - s.first
	n := len(s.words) - s.first
	return &wordError{err: e, keyword: e.Keyword, index: max(0, min(i, n-1)), missing: i >= n}
}

// wrongPort returns the failure for a port: a number, a range, or a number with a mask.
func wrongPort(arg string) error {
	first, last, ok := strings.Cut(arg, "-")
	if ok {
		if !isUint(first, 16) {
			return wrongArg(first, "invalid port range start")
		}
		return wrongArg(last, "invalid port range end")
	}
	port, mask, ok := strings.Cut(arg, "/")
	if ok && isUint(port, 16) {
		return wrongArg(mask, "invalid mask")
	}
	return wrongArg(port, "invalid port")
}

// maskNames has the messages of ip(8) about masks, by keyword.
var maskNames = map[string]string{
	"fwmark": "fwmask value is invalid", "dscp": "invalid dscp mask", "flowlabel": "invalid flowlabel mask",
}

// wrongMasked returns the failure for a value with or without a mask.
func wrongMasked(keyword, arg string) error {
	value, mask, ok := strings.Cut(arg, "/")
	if ok && isUint(value, 32) {
		return wrongArg(mask, maskNames[keyword])
	}
	return wrongArg(value, ruleWrong[keyword])
}

func isUint(s string, bits int) bool {
	_, ok := iptext.Uint[uint32](s, bits)
	return ok
}

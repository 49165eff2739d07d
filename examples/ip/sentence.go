package main

import (
	"errors"
	"strings"
	"unicode"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/route"
)

// A sentence is arguments on their way to Parse of rule or route.
type sentence struct {
	words []string
	first int // of the arguments among the words
}

// noWord stands for an argument that is not one word, or that Parse would take
// for what ip(8) does not know. Parse refuses it, whatever is expected there.
const noWord = "\x00"

// newSentence puts the option for a family and some words before arguments.
func newSentence(f route.Family, before, args []string) *sentence {
	s := new(sentence)
	if f != 0 {
		s.words = iptext.FamilyOption(f)
	}
	s.words = append(s.words, before...)
	s.first = len(s.words)
	s.words = append(s.words, args...)
	for i, a := range args {
		switch {
		case a == "", strings.ContainsFunc(a, unicode.IsSpace), strings.Contains(a, noWord):
			s.spoil(i)
		case i == 0 && (a[0] == '-' || strings.HasSuffix(a, ":")):
			s.spoil(i) // an option, or a priority as it is listed
		}
	}
	return s
}

// spoil makes argument i one that Parse refuses.
func (s *sentence) spoil(i int) { s.words[s.first+i] = noWord }

func (s *sentence) String() string { return strings.Join(s.words, " ") }

// A wordError is an error of Parse about one of the arguments.
type wordError struct {
	err     error
	keyword string // whose argument it is; empty where a keyword was expected
	index   int    // of the argument; of the last one if the error is about none
	missing bool   // it is about one after the last
}

func (e *wordError) Error() string { return e.err.Error() }

// wordError finds the argument that an error of Parse is about.
func (s *sentence) wordError(err error) error {
	var e *iptext.Error
	if !errors.As(err, &e) {
		return err
	}
	i := e.Pos - 1 - s.first
	n := len(s.words) - s.first
	return &wordError{err: e, keyword: e.Keyword, index: max(0, min(i, n-1)), missing: i >= n}
}

// A port is one number, two with a dash between them, or one with a mask.
func wrongPort(arg string) error {
	first, last, ok := strings.Cut(arg, "-")
	if ok {
		if !isUint(first, 16) {
			return wrong(first, "invalid port range start")
		}
		return wrong(last, "invalid port range end")
	}
	port, mask, ok := strings.Cut(arg, "/")
	if ok && isUint(port, 16) {
		return wrong(mask, "invalid mask")
	}
	return wrong(port, "invalid port")
}

// maskNames are the masks of values that have one.
var maskNames = map[string]string{
	"fwmark": "fwmask value is invalid", "dscp": "invalid dscp mask", "flowlabel": "invalid flowlabel mask",
}

// wrongMasked is for a value with or without a mask.
func wrongMasked(keyword, arg string) error {
	value, mask, ok := strings.Cut(arg, "/")
	if ok && isUint(value, 32) {
		return wrong(mask, maskNames[keyword])
	}
	return wrong(value, ruleWrong[keyword])
}

func isUint(s string, bits int) bool {
	_, ok := iptext.Uint[uint32](s, bits)
	return ok
}

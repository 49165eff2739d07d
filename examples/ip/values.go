package main

import (
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/route"
)

// readNumber takes a number of 32 bits.
func readNumber(w *words, why string, o *route.Opt[uint32]) error {
	s, err := w.arg()
	if err != nil {
		return err
	}
	n, ok := iptext.Uint[uint32](s, 32)
	if !ok {
		return wrongArg(s, why)
	}
	o.Set(n)
	return nil
}

// readName takes a name or a number into an option.
func readName[V iptext.Number](w *words, why string, parse func(string) (uint32, error), o *route.Opt[V]) error {
	s, err := w.arg()
	if err != nil {
		return err
	}
	n, err := parse(s)
	if err != nil || uint32(V(n)) != n {
		return wrongArg(s, why)
	}
	o.Set(V(n))
	return nil
}

// readNameOrAll is like readName, and also takes the word all, which selects any value.
func readNameOrAll[V iptext.Number](w *words, why string, parse func(string) (uint32, error), o *route.Opt[V]) error {
	if w.more() && w.args[w.next] == "all" {
		w.take()
		*o = route.Opt[V]{}
		return nil
	}
	return readName(w, why, parse, o)
}

// readValue takes a name or a number into a value.
func readValue[V iptext.Number](w *words, why string, parse func(string) (uint32, error), v *V) error {
	var o route.Opt[V]
	err := readName(w, why, parse, &o)
	*v = o.Or(0)
	return err
}

func parseUint(s string) (uint32, error) {
	n, ok := iptext.Uint[uint32](s, 32)
	if !ok {
		return 0, wrongArg(s, "not a number")
	}
	return n, nil
}

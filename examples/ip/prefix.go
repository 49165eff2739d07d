package main

import (
	"net/netip"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/route"
)

// A prefix is one of a selector, which ip(8) compares in ways that depend on how
// it was written.
type prefix struct {
	family route.Family // zero: any
	addr   netip.Addr   // zero: all bits are
	bits   int
	// length is set where the length was written: "default" has one, "all"
	// has none.
	length bool
	label  uint32 // instead of the address, in the family mpls
}

// readPrefix takes a prefix of family f, or of any if that is zero.
func readPrefix(w *words, f route.Family) (prefix, error) {
	s, err := w.arg()
	if err != nil {
		return prefix{}, err
	}
	return parsePrefix(s, f)
}

func parsePrefix(s string, f route.Family) (prefix, error) {
	if f == route.MPLS {
		label, ok := iptext.Uint[uint32](s, 20)
		if !ok {
			return prefix{}, notPrefix(f, s)
		}
		return prefix{family: f, bits: 20, label: label}, nil
	}
	switch s {
	case "default":
		return prefix{family: f, length: true}, nil
	case "all", "any":
		return prefix{family: f}, nil
	}
	n, ok := iptext.Prefix(s)
	if !ok || f != 0 && !f.Has(n.Addr()) {
		return prefix{}, notPrefix(f, s)
	}
	return prefix{family: route.FamilyOf(n.Addr()), addr: n.Addr(), bits: n.Bits(), length: true}, nil
}

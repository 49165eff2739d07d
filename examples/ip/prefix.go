package main

import (
	"net/netip"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/route"
)

// A prefix is the prefix of a selector. ip(8) compares it in ways that depend on how it was
// written.
type prefix struct {
	family route.Family // zero means any
	addr   netip.Addr   // invalid means an address of zeros
	bits   int
	// length is set if the prefix has a length: "default" has one, "all" does not.
	length bool
	label  uint32 // in the family mpls, instead of the address
}

// readPrefix takes a prefix of family f. Zero means any family.
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
			return prefix{}, prefixExpected(f, s)
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
		return prefix{}, prefixExpected(f, s)
	}
	return prefix{family: route.FamilyOf(n.Addr()), addr: n.Addr(), bits: n.Bits(), length: true}, nil
}

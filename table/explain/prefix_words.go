package explain

import (
	"net/netip"
	"strings"
)

// addressWords returns the words for addresses: the fewest prefixes, some of which are
// exceptions from the ones before, as in
//
//	10.0.0.0/8 but 10.1.0.0/16
//
// Everything is the word for all addresses.
func (a *atoms) addressWords(some set, v4 bool, everything string) string {
	c := prefixCounter{atoms: a, some: some, bits: 128, v4: v4}
	if v4 {
		c.bits = 32
	}
	list := c.list(key{}, 0, false)
	if len(list) == 1 {
		return c.words(&list[0], everything)
	}
	words := make([]string, len(list))
	for i := range list {
		if words[i] = c.words(&list[i], everything); len(list[i].but) > 0 {
			words[i] = "(" + words[i] + ")"
		}
	}
	return strings.Join(words, ", ")
}

// A prefixExcept is a prefix without others, which can have exceptions themselves.
type prefixExcept struct {
	addr key
	bits int
	but  []prefixExcept
}

// A prefixCounter finds the fewest prefixes for a set of addresses.
type prefixCounter struct {
	*atoms
	some set
	bits int // of an address
	v4   bool
}

// words returns the words for a prefix and its exceptions.
func (c *prefixCounter) words(p *prefixExcept, everything string) string {
	text := everything
	switch {
	case p.bits == c.bits:
		text = p.addr.addr(c.v4).String()
	case p.bits > 0:
		text = netip.PrefixFrom(p.addr.addr(c.v4), p.bits).String()
	}
	if len(p.but) == 0 {
		return text
	}
	except := make([]string, len(p.but))
	for i := range p.but {
		if except[i] = c.words(&p.but[i], everything); len(p.but[i].but) > 0 {
			except[i] = "(" + except[i] + ")"
		}
	}
	return text + " but " + strings.Join(except, ", ")
}

// uniform reports whether all addresses of a prefix are in the set, or none.
func (c *prefixCounter) uniform(addr key, bits int) (in, ok bool) {
	first, last := c.ofKey(addr), c.ofKey(addr.or(maskOf(bits).not().and(maskOf(c.bits))))
	in = c.some.has(first)
	part := c.some.and(set{{first, last + 1}})
	if in {
		return in, part.len() == last+1-first
	}
	return in, part.isEmpty()
}

// count returns how many prefixes a prefix needs, if the addresses around it are in the
// set, and if not.
func (c *prefixCounter) count(addr key, bits int) (out, in int) {
	if all, ok := c.uniform(addr, bits); ok {
		if all {
			return 1, 0
		}
		return 0, 1
	}
	leftOut, leftIn := c.count(addr, bits+1)
	rightOut, rightIn := c.count(addr.or(bitAt(bits)), bits+1)
	out, in = leftOut+rightOut, leftIn+rightIn
	return min(out, in+1), min(in, out+1)
}

// bitAt is a key with one bit, counted from the first.
func bitAt(n int) key {
	if n < 64 {
		return key{hi: 1 << (63 - n)}
	}
	return key{lo: 1 << (127 - n)}
}

// list returns the prefixes that a prefix needs, if the addresses around it are in the set
// or not, as around says. They are in the set if those around it are not.
func (c *prefixCounter) list(addr key, bits int, around bool) []prefixExcept {
	if all, ok := c.uniform(addr, bits); ok {
		if all == around {
			return nil
		}
		return []prefixExcept{{addr: addr, bits: bits}}
	}
	right := addr.or(bitAt(bits))
	leftOut, leftIn := c.count(addr, bits+1)
	rightOut, rightIn := c.count(right, bits+1)
	same, other := leftOut+rightOut, leftIn+rightIn
	if around {
		same, other = other, same
	}
	if other+1 < same || other+1 == same && bits == 0 {
		but := append(c.list(addr, bits+1, !around), c.list(right, bits+1, !around)...)
		return []prefixExcept{{addr, bits, but}}
	}
	return append(c.list(addr, bits+1, around), c.list(right, bits+1, around)...)
}

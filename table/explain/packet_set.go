package explain

import (
	"fmt"
	"strings"

	"github.com/policyroute/policyroute/route"
)

// A PacketSet is a set of packets. It has a set of values for each property, and contains
// all packets whose properties have such values.
type PacketSet struct {
	space *space
	r     region
}

// Contains reports whether p is in s. If p names an interface that neither host has, p is
// in no set.
func (s PacketSet) Contains(p Packet) bool {
	if s.space == nil {
		return false
	}
	at, ok := s.space.atomsOf(&p)
	return ok && s.r.has(&at)
}

// conditions returns how many properties s restricts.
func (s *PacketSet) conditions() int {
	n := 0
	for x := range axisCount {
		if s.words(x) != "" {
			n++
		}
	}
	return n
}

// String returns the properties of s in words, as in
//
//	from 192.168.2.2 to anything but 192.168.1.0/24, 192.168.2.0/24
//
// A property that can have any value has no words, except the destination. The property oif
// also has no words if the packets come from sockets that are not bound to an interface.
// The word iif means that the packets come in.
func (s PacketSet) String() string {
	if s.space == nil {
		return ""
	}
	var words []string
	for x := range axisCount {
		if w := s.words(x); w != "" {
			words = append(words, w)
		}
	}
	return strings.Join(words, " ")
}

// words returns the words for a property.
func (s *PacketSet) words(x axis) string {
	a, some := &s.space.axes[x], s.r[x]
	switch x {
	case axisIIF, axisOIF:
		return s.interfaces(x)
	case axisFrom:
		return s.sources()
	case axisTo:
		return "to " + a.addressWords(some, s.space.v4, "anything")
	}
	full := all(a.len())
	if some.equal(full) {
		return ""
	}
	yes, no := s.numbers(x, some), s.numbers(x, full.without(some))
	return axisWords[x] + " " + but(yes, no)
}

// but returns the shorter of two lists: what there is, or what there is not.
func but(yes, no []string) string {
	if len(no) > 0 && len(no) < len(yes) {
		return "anything but " + strings.Join(no, ", ")
	}
	return strings.Join(yes, ", ")
}

// sources returns the words for sources. A packet of a socket that is not bound has none.
// The address of the first atom is none as well.
func (s *PacketSet) sources() string {
	a, some, unbound := &s.space.axes[axisFrom], s.r[axisFrom], one(0)
	switch {
	case some.equal(all(a.len())):
		return ""
	case some.equal(unbound):
		return "from no address"
	}
	words := a.addressWords(some.or(unbound), s.space.v4, "any address")
	if !some.has(0) {
		if other := a.addressWords(some, s.space.v4, "any address"); len(other) < len(words) {
			words = other
		}
		return "from " + words
	}
	return "from no address, " + words
}

// interfaces returns the words for interfaces. The first atom is none.
func (s *PacketSet) interfaces(x axis) string {
	names, some := s.space.axes[x].names, s.r[x]
	full := all(int32(len(names)))
	if x == axisIIF {
		full = full.without(one(0))
	}
	if some.equal(one(0)) || x == axisOIF && some.equal(full) {
		return ""
	}
	list := func(of set) (words []string) {
		for _, p := range of {
			for i := p.first; i < p.end; i++ {
				if i == 0 {
					words = append(words, "none")
				} else {
					words = append(words, names[i])
				}
			}
		}
		return words
	}
	return axisWords[x] + " " + but(list(some), list(full.without(some)))
}

// numbers returns the words for numbers.
func (s *PacketSet) numbers(x axis, some set) (words []string) {
	a := &s.space.axes[x]
	if a.bySign != nil {
		return a.cellWords(some)
	}
	for _, p := range some {
		first, last := a.numbers[p.first], limits[x]
		if int(p.end) < len(a.numbers) {
			last = a.numbers[p.end] - 1
		}
		words = append(words, numberText(x, first, last))
	}
	return words
}

func numberText(x axis, first, last uint64) string {
	switch {
	case x == axisTOS:
		return rangeText(fmt.Sprintf("%#x", first), fmt.Sprintf("%#x", last&^ecn))
	case x == axisProto && first == last:
		return route.IPProto(first).String()
	}
	return rangeText(fmt.Sprint(first), fmt.Sprint(last))
}

func rangeText(first, last string) string {
	if first == last {
		return first
	}
	return first + "-" + last
}

// cellWords returns the words for cells: the masked values that decide, or a number of
// each cell.
func (a *atoms) cellWords(some set) (words []string) {
	for _, v := range a.masked {
		s := a.where(func(n uint64) bool { return uint32(n)&v.mask == v.value })
		if rest := some.without(s); !s.isEmpty() && some.and(s).equal(s) {
			words = append(words, maskedText(v))
			if some = rest; some.isEmpty() {
				return words
			}
		}
	}
	for _, p := range some {
		for i := p.first; i < p.end; i++ {
			words = append(words, a.cellText(a.numbers[i]))
		}
	}
	return words
}

// cellText returns the words for the cell of a number: what it is equal to, or that it is
// equal to nothing.
func (a *atoms) cellText(n uint64) string {
	var is []string
	for _, v := range a.masked {
		if uint32(n)&v.mask == v.value {
			is = append(is, maskedText(v))
		}
	}
	if len(is) == 0 {
		return "any other"
	}
	return strings.Join(is, " and ")
}

func maskedText(v maskedValue) string {
	if v.mask == 1<<32-1 {
		return fmt.Sprintf("%#x", v.value)
	}
	return fmt.Sprintf("%#x/%#x", v.value, v.mask)
}

// String returns the way in the words of ip-route(8), such as via 192.168.1.1 dev eth0.
func (w Way) String() string {
	if w.Hops != "" {
		return w.Hops + w.sourceWords()
	}
	var words []string
	switch w.Verdict {
	case Unicast:
		if w.Via.IsValid() {
			words = append(words, "via "+w.Via.String())
		}
	case None:
		if w.Refusal == 0 {
			return "no route"
		}
		return "refused: " + w.Refusal.String()
	default:
		words = append(words, w.Verdict.String())
	}
	if w.Dev != "" {
		words = append(words, "dev "+w.Dev)
	}
	return strings.Join(words, " ") + w.sourceWords()
}

func (w *Way) sourceWords() string {
	if w.Source.IsValid() {
		return " src " + w.Source.String()
	}
	return ""
}

// String returns a line for each class: the packets, the way before, and the way after.
func (d Difference) String() string {
	var b strings.Builder
	for i := range d {
		c := &d[i]
		fmt.Fprintf(&b, "%s: %s → %s\n", c.Packets, c.Before, c.After)
	}
	return b.String()
}

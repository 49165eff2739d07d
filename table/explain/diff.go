package explain

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/policyroute/policyroute/route"
)

// A Difference is a list of the classes of packets that go different ways on two hosts.
// [Diff] returns it.
type Difference []Class

// A Class is a set of packets that go one way before and another way after.
type Class struct {
	Packets       PacketSet
	Before, After Way
	// Witness is one of the packets. If some of the packets have a common protocol, such as
	// TCP, Witness is one of these.
	Witness Packet
}

// A Way is what a host does with a packet. It has names instead of indexes, so that ways of
// two hosts can be compared.
type Way struct {
	Verdict Verdict
	// Dev is the interface that the packet leaves through. It is empty if there is none, or
	// if there are Hops.
	Dev string
	// Via is the next router. It is zero if there is none, or if there are Hops.
	Via netip.Addr
	// Hops has the next hops, in the words of ip-route(8), if the kernel chooses one of
	// several by a hash.
	Hops string
	// Source is the source that the kernel gives to a packet without a source. It is zero if
	// there is none, or if it is the destination itself.
	Source netip.Addr
	// Refusal and Error say why the packet is refused, as in [Decision].
	Refusal Refusal
	Error   Errno
}

// maxClasses is how many classes of packets Diff looks at.
const maxClasses = 1 << 20

// Diff returns the packets that go one way on the host before and another way on the host
// after. For example, they leave through another interface or router, are refused instead
// of sent, or get another source. Diff finds all such packets: a packet that is in no class
// goes the same way on both hosts.
//
// Diff distinguishes packets by the fields of [Packet]. If a way depends on state that
// cannot be read, Diff compares what [FIB.Decide] returns.
//
// The cost grows with the number of classes of packets that the rules, routes and
// interfaces distinguish. If there are more than a million classes in one family, Diff
// returns an error.
func Diff(before, after *FIB) (Difference, error) {
	var d Difference
	for _, family := range families {
		s, err := newSpace(family, before, after)
		if err != nil {
			return nil, err
		}
		c := comparison{space: s, before: newCover(s, before), after: newCover(s, after), changed: make(map[[2]Way][]region)}
		if err := c.run(); err != nil {
			return nil, err
		}
		d = append(d, c.classes()...)
	}
	return d, nil
}

// A comparison compares what two FIBs do with the packets of a family.
type comparison struct {
	space         *space
	before, after *cover
	changed       map[[2]Way][]region
	order         [][2]Way
	looked        int
}

// run looks at a packet of what is left, and takes away the region of packets that are
// like it, until nothing is left.
func (c *comparison) run() error {
	left := c.space.whole()
	for len(left) > 0 {
		r := left[len(left)-1]
		left = left[:len(left)-1]
		if c.looked++; c.looked > maxClasses {
			return fmt.Errorf("explain: more than %d classes of packets are told apart: compare fewer rules, routes or interfaces", maxClasses)
		}
		alike, ways := c.look(&r)
		if ways[0] != ways[1] {
			if c.changed[ways] == nil {
				c.order = append(c.order, ways)
			}
			c.changed[ways] = append(c.changed[ways], alike)
		}
		left = append(left, r.without(&alike)...)
	}
	return nil
}

// look returns the packets of a region that are like its first one, and their ways.
func (c *comparison) look(r *region) (alike region, ways [2]Way) {
	p := c.space.packet(r)
	at := r.first()
	alike = *r
	for i, cover := range [...]*cover{c.before, c.after} {
		e := cover.fib.Explain(p)
		same := cover.of(&p, &at, &e)
		alike = alike.and(&same)
		ways[i] = cover.fib.way(&p, &e.Decision)
	}
	return alike, ways
}

// first returns the first atom of each axis.
func (r *region) first() (at [axisCount]int32) {
	for x := range r {
		at[x] = r[x][0].first
	}
	return at
}

// way returns what becomes of a packet.
func (f *FIB) way(p *Packet, d *Decision) Way {
	w := Way{Verdict: d.Verdict, Via: d.Via, Refusal: d.Refusal, Error: d.Error}
	if d.OIF != 0 {
		w.Dev = f.nameOf(d.OIF)
	}
	if !p.From.IsValid() && p.IIF == "" && (d.Verdict == Unicast || d.Source != p.To) {
		w.Source = d.Source
	}
	var hops []string
	for _, c := range d.Candidates {
		words := "dev " + f.nameOf(c.OIF)
		if c.Via.IsValid() {
			words = "via " + c.Via.String() + " " + words
		}
		hops = append(hops, fmt.Sprintf("nexthop %s weight %d", words, c.Weight))
	}
	w.Hops = strings.Join(hops, " ")
	return w
}

func (f *FIB) nameOf(index uint32) string {
	if d := f.device(index); d != nil {
		return d.Name
	}
	return fmt.Sprintf("if%d", index)
}

// classes returns the classes that have changed, the packets that this host sends first.
func (c *comparison) classes() []Class {
	var out, in []Class
	for _, ways := range c.order {
		var sent, received []region
		for _, r := range c.changed[ways] {
			if r[axisIIF].has(0) {
				sent = append(sent, r)
			} else {
				received = append(received, r)
			}
		}
		out = c.add(out, ways, sent)
		in = c.add(in, ways, received)
	}
	slices.SortStableFunc(out, compareClasses)
	slices.SortStableFunc(in, compareClasses)
	return append(out, in...)
}

// add adds the classes of regions.
func (c *comparison) add(list []Class, ways [2]Way, regions []region) []Class {
	for _, r := range merge(regions) {
		list = append(list, Class{
			Packets: PacketSet{c.space, r}, Before: ways[0], After: ways[1], Witness: c.space.witness(&r),
		})
	}
	return list
}

// compareClasses orders classes by what is simple to read: those with fewer conditions
// first, and then by source.
func compareClasses(a, b Class) int {
	an, bn := a.Packets.conditions(), b.Packets.conditions()
	if an != bn {
		return an - bn
	}
	return strings.Compare(a.Packets.String(), b.Packets.String())
}

// merge joins regions that differ in one axis only, until there are none.
func merge(regions []region) []region {
	for {
		n := len(regions)
		for x := range axisCount {
			regions = mergeBy(regions, x)
		}
		if len(regions) == n {
			return regions
		}
	}
}

// mergeBy joins regions that are the same in all axes but one.
func mergeBy(regions []region, x axis) []region {
	places := make(map[string]int)
	var joined []region
	spans := make(map[int][]span)
	for _, r := range regions {
		k := r.keyWithout(x)
		i, ok := places[k]
		if !ok {
			i = len(joined)
			places[k], joined = i, append(joined, r)
		}
		spans[i] = append(spans[i], r[x]...)
	}
	for i := range joined {
		joined[i][x] = join(spans[i])
	}
	return joined
}

// keyWithout returns a text that regions share which are the same but for an axis.
func (r *region) keyWithout(x axis) string {
	var b []byte
	for y := range r {
		if axis(y) == x {
			continue
		}
		b = binary.AppendUvarint(b, uint64(len(r[y])))
		for _, p := range r[y] {
			b = binary.AppendUvarint(b, uint64(p.first))
			b = binary.AppendUvarint(b, uint64(p.end))
		}
	}
	return string(b)
}

// families are the families of packets.
var families = [...]route.Family{route.IPv4, route.IPv6}

package explain

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/policyroute/policyroute/route"
)

// An axis is a property of packets.
type axis uint8

// The axes, in the order in which a class of packets is described.
const (
	axisFrom axis = iota
	axisTo
	axisIIF
	axisOIF
	axisMark
	axisTOS
	axisUID
	axisProto
	axisSPort
	axisDPort
	axisLabel
	axisTunID
	axisCount
)

// A space is all packets of a family as some FIBs tell them apart. The values of each
// axis are divided into atoms: no rule, route, address or setting of the FIBs tells the
// values of an atom apart.
type space struct {
	v4   bool
	axes [axisCount]atoms
}

// Atoms are the atoms of an axis. Each has its first value, which stands for the others.
type atoms struct {
	keys    []key    // of addresses, the first is zero
	numbers []uint64 // of numbers, the first is zero
	names   []string // of interfaces, the first is empty
	// The numbers of an axis whose values are compared by masks stand for cells. bySign has
	// the cell of each signature: the masked values that its numbers are equal to.
	masked []maskedValue
	bySign map[string]int32
}

func (a *atoms) len() int32 { return int32(len(a.keys) + len(a.numbers) + len(a.names)) }

// ofKey returns the atom of an address.
func (a *atoms) ofKey(k key) int32 { return atomOf(a.keys, k, key.compare) }

// ofNumber returns the atom of a number, if the atoms are ranges.
func (a *atoms) ofNumber(n uint64) int32 {
	return atomOf(a.numbers, n, cmp.Compare[uint64])
}

func atomOf[V any](starts []V, v V, compare func(a, b V) int) int32 {
	i, ok := slices.BinarySearchFunc(starts, v, compare)
	if !ok {
		i--
	}
	return int32(i)
}

// prefix returns the atoms of a prefix that the axis knows.
func (a *atoms) prefix(addr, mask key) set {
	first := a.ofKey(addr)
	if end, more := addr.or(mask.not()).next(); more {
		return set{{first, a.ofKey(end)}}
	}
	return set{{first, a.len()}}
}

// where returns the atoms whose number has a property.
func (a *atoms) where(has func(n uint64) bool) (s set) {
	for i, n := range a.numbers {
		if has(n) {
			s = s.add(span{int32(i), int32(i) + 1})
		}
	}
	return s
}

// setCells makes cells the atoms.
func (a *atoms) setCells(masked []maskedValue, cells []uint64) {
	a.masked, a.numbers, a.bySign = masked, cells, make(map[string]int32)
	for i, n := range cells {
		a.bySign[a.sign(n)] = int32(i)
	}
}

// sign returns the signature of a number.
func (a *atoms) sign(n uint64) string {
	var b []byte
	for i, v := range a.masked {
		if uint32(n)&v.mask == v.value {
			b = binary.AppendUvarint(b, uint64(i))
		}
	}
	return string(b)
}

// cellOf returns the cell of a number.
func (a *atoms) cellOf(n uint64) int32 { return a.bySign[a.sign(n)] }

// maxCells is how many cells the marks or the flow labels of a space can have.
const maxCells = 1 << 16

// newSpace returns the packets of a family as some FIBs tell them apart.
func newSpace(family route.Family, fibs ...*FIB) (*space, error) {
	b := borders{v4: family == route.IPv4}
	for i := range b.numbers {
		b.numbers[i] = map[uint64]bool{0: true}
	}
	b.keys[0], b.keys[1] = map[key]bool{{}: true}, map[key]bool{{}: true}
	names := map[string]bool{"": true}
	for _, f := range fibs {
		h := &f.v6
		if b.v4 {
			h = &f.v4
		}
		b.addRules(h)
		b.addTables(h)
		b.addAddresses(f)
		for i := range f.world.Links {
			names[f.world.Links[i].Name] = true
		}
	}
	b.addKernel()
	s := &space{v4: b.v4}
	for i := range b.keys {
		s.axes[int(axisFrom)+i].keys = sorted(b.keys[i], key.compare)
	}
	for x := axisMark; x < axisCount; x++ {
		s.axes[x].numbers = sorted(b.numbers[x], cmp.Compare[uint64])
	}
	all := sorted(names, cmp.Compare[string])
	s.axes[axisIIF].names, s.axes[axisOIF].names = all, all
	for _, x := range [...]axis{axisMark, axisLabel} {
		bits := 32
		if x == axisLabel {
			bits = 20
		}
		masked := compactMasked(b.masked[x])
		cells, ok := cellsOf(masked, bits, maxCells)
		if !ok {
			return nil, fmt.Errorf("explain: the masks of %s tell more than %d groups of values apart", axisWords[x], maxCells)
		}
		s.axes[x].setCells(masked, cells)
	}
	return s, nil
}

// packet returns the packet that stands for the first atom of each axis of a region.
func (s *space) packet(r *region) Packet {
	at := r.first()
	return s.packetAt(&at)
}

// witness returns a packet of a region. Its protocol is one that "ip route get" can ask
// for, if the region has one.
func (s *space) witness(r *region) Packet {
	at := r.first()
	for _, proto := range s.usualProtos() {
		if i := s.axes[axisProto].ofNumber(uint64(proto)); r[axisProto].has(i) && s.axes[axisProto].numbers[i] == uint64(proto) {
			at[axisProto] = i
		}
	}
	return s.packetAt(&at)
}

// usualProtos returns the protocols that "ip route get" can ask for, and none.
func (s *space) usualProtos() []route.IPProto {
	if s.v4 {
		return []route.IPProto{route.ICMP, route.TCP, route.UDP, 0}
	}
	return []route.IPProto{route.ICMPv6, route.TCP, route.UDP, 0}
}

func (s *space) packetAt(at *[axisCount]int32) Packet {
	number := func(x axis) uint64 { return s.axes[x].numbers[at[x]] }
	p := Packet{
		To:  s.axes[axisTo].keys[at[axisTo]].addr(s.v4),
		IIF: s.axes[axisIIF].names[at[axisIIF]], OIF: s.axes[axisOIF].names[at[axisOIF]],
		Mark: uint32(number(axisMark)), TOS: uint8(number(axisTOS)), UID: uint32(number(axisUID)),
		IPProto: route.IPProto(number(axisProto)), SPort: uint16(number(axisSPort)), DPort: uint16(number(axisDPort)),
		FlowLabel: uint32(number(axisLabel)), TunID: number(axisTunID),
	}
	if k := s.axes[axisFrom].keys[at[axisFrom]]; !k.isZero() {
		p.From = k.addr(s.v4)
	}
	return p
}

// atomsOf returns the atoms of a packet. ok is false if the space has no such packet: it
// is of the other family, or names an interface that no FIB has.
func (s *space) atomsOf(p *Packet) (at [axisCount]int32, ok bool) {
	if p.To.Is4() != s.v4 {
		return at, false
	}
	from := key{}
	if p.From.IsValid() {
		from = keyOf(p.From)
	}
	at[axisFrom], at[axisTo] = s.axes[axisFrom].ofKey(from), s.axes[axisTo].ofKey(keyOf(p.To))
	for x, name := range map[axis]string{axisIIF: p.IIF, axisOIF: p.OIF} {
		i := slices.Index(s.axes[x].names, name)
		if i < 0 {
			return at, false
		}
		at[x] = int32(i)
	}
	at[axisMark], at[axisLabel] = s.axes[axisMark].cellOf(uint64(p.Mark)), s.axes[axisLabel].cellOf(uint64(p.FlowLabel))
	for x, n := range map[axis]uint64{
		axisTOS: uint64(p.TOS &^ ecn), axisUID: uint64(p.UID), axisProto: uint64(p.IPProto),
		axisSPort: uint64(p.SPort), axisDPort: uint64(p.DPort), axisTunID: p.TunID,
	} {
		at[x] = s.axes[x].ofNumber(n)
	}
	return at, true
}

// A region is a product of sets of atoms: one for each axis.
type region [axisCount]set

// whole returns the regions of a space: what this host sends, and what comes in.
func (s *space) whole() []region {
	var out, in region
	for x := range axisCount {
		out[x] = all(s.axes[x].len())
		in[x] = out[x]
	}
	out[axisIIF], in[axisOIF] = one(0), one(0)
	in[axisIIF] = in[axisIIF].without(one(0))
	if in[axisIIF].isEmpty() {
		return []region{out}
	}
	return []region{out, in}
}

// and returns the packets that are in both regions.
func (r *region) and(o *region) (both region) {
	for x := range r {
		both[x] = r[x].and(o[x])
	}
	return both
}

// without returns the packets of r that are not in o, a part of r, as regions that have
// no packet in common.
func (r *region) without(o *region) (rest []region) {
	left := *r
	for x := range left {
		if others := left[x].without(o[x]); !others.isEmpty() {
			part := left
			part[x] = others
			rest = append(rest, part)
		}
		left[x] = o[x]
	}
	return rest
}

// has reports whether a region has a packet.
func (r *region) has(at *[axisCount]int32) bool {
	for x := range r {
		if !r[x].has(at[x]) {
			return false
		}
	}
	return true
}

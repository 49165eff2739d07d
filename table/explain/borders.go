package explain

import (
	"maps"
	"math/bits"
	"slices"

	"github.com/policyroute/policyroute/route"
)

// Borders are the values at which atoms begin.
type borders struct {
	v4      bool
	keys    [2]map[key]bool // of sources and destinations
	numbers [axisCount]map[uint64]bool
	masked  [axisCount][]maskedValue
}

// A maskedValue tells values apart that are equal to it in the bits of the mask from
// others.
type maskedValue struct{ value, mask uint32 }

// sorted returns the keys of a map in order.
func sorted[K comparable](m map[K]bool, compare func(a, b K) int) []K {
	return slices.SortedFunc(maps.Keys(m), compare)
}

// addPrefix adds the borders of a prefix: of sources if x is axisFrom, else of
// destinations.
func (b *borders) addPrefix(x axis, addr key, bits int) {
	m := maskOf(bits)
	addr = addr.and(m)
	b.keys[x-axisFrom][addr] = true
	if end, more := addr.or(m.not()).next(); more {
		b.keys[x-axisFrom][end] = true
	}
}

// addAround adds the borders of a prefix to sources and destinations: the check of the
// reverse path looks up the one in the place of the other.
func (b *borders) addAround(addr key, bits int) {
	b.addPrefix(axisFrom, addr, bits)
	b.addPrefix(axisTo, addr, bits)
}

// addRange adds the borders of a range of numbers.
func (b *borders) addRange(x axis, first, last uint64) {
	b.numbers[x][first] = true
	if last < limits[x] {
		b.numbers[x][last+1] = true
	}
}

// limits are the highest numbers of the axes.
var limits = [axisCount]uint64{
	axisMark: 1<<32 - 1, axisTOS: 1<<8 - 1, axisUID: 1<<32 - 1, axisProto: 1<<8 - 1,
	axisSPort: 1<<16 - 1, axisDPort: 1<<16 - 1, axisLabel: 1<<20 - 1, axisTunID: 1<<64 - 1,
}

// axisWords are the words of ip-route(8) for the axes.
var axisWords = [axisCount]string{
	"from", "to", "iif", "oif", "mark", "tos", "uid", "ipproto", "sport", "dport", "flowlabel", "tun_id",
}

// ones returns the number of bits that are set: the length of a prefix, of its mask.
func (k key) ones() int { return bits.OnesCount64(k.hi) + bits.OnesCount64(k.lo) }

func (b *borders) addRules(h *half) {
	for i := range h.rules {
		r := &h.rules[i]
		if r.hasSource {
			b.addAround(r.src, r.srcMask.ones())
		}
		b.addAround(r.dst, r.dstMask.ones())
		if r.markMask != 0 {
			b.masked[axisMark] = append(b.masked[axisMark], maskedValue{r.mark & r.markMask, r.markMask})
		}
		if r.labelMask != 0 {
			b.masked[axisLabel] = append(b.masked[axisLabel], maskedValue{r.label & r.labelMask, r.labelMask})
		}
		b.addRange(axisUID, uint64(r.uidFirst), uint64(r.uidLast))
		if r.proto != 0 {
			b.addRange(axisProto, uint64(r.proto), uint64(r.proto))
		}
		if r.tunID != 0 {
			b.addRange(axisTunID, r.tunID, r.tunID)
		}
		// The check of the reverse path exchanges the ports.
		for _, ports := range [...]portRange{r.sport, r.dport} {
			b.addPorts(ports)
		}
	}
}

func (b *borders) addPorts(r portRange) {
	was := r.has(0)
	for n := range 1 << 16 {
		if has := r.has(uint16(n)); has != was {
			b.numbers[axisSPort][uint64(n)], b.numbers[axisDPort][uint64(n)] = true, true
			was = has
		}
	}
}

func (b *borders) addTables(h *half) {
	for i := range h.tables {
		for _, n := range h.tables[i].prefixes.nodes {
			b.addAround(n.addr, int(n.bits))
		}
		for j := range h.tables[i].entries {
			if e := &h.tables[i].entries[j]; e.srcBits > 0 {
				b.addAround(e.src, int(e.srcBits))
			}
		}
	}
}

// addAddresses adds this host's addresses. The choice of an IPv6 source looks at how many
// bits an address has in common with the destination.
func (b *borders) addAddresses(f *FIB) {
	for i := range f.world.Addresses {
		a := &f.world.Addresses[i]
		if a.Addr.Is4() != b.v4 {
			continue
		}
		k := keyOf(a.Addr)
		b.addAround(k, a.Addr.BitLen())
		if b.v4 {
			continue
		}
		for n := 1; n <= int(a.Bits); n++ {
			b.addPrefix(axisTo, k, n)
		}
	}
}

// addKernel adds what the kernel tells apart on each host.
func (b *borders) addKernel() {
	for n := range uint64(64) {
		b.numbers[axisTOS][n<<2] = true
	}
	for _, proto := range [...]route.IPProto{0, route.ICMP, route.ICMPv6, route.TCP, route.UDP} {
		b.addRange(axisProto, uint64(proto), uint64(proto))
	}
	if b.v4 {
		b.addRange(axisProto, protoIGMP, protoIGMP)
		v4 := func(addr uint32, bits int) { b.addAround(key{hi: uint64(addr) << 32}, bits) }
		v4(0, 32)
		v4(0x7f000000, 8)
		v4(0xe0000000, 4)
		v4(0xe0000000, 24)
		v4(0xe0000001, 32)
		v4(0xffffffff, 32)
		return
	}
	b.addAround(key{}, 128)
	b.addAround(key{lo: 1}, 128)
	b.addAround(key{hi: 0xfe80 << 48}, 10)
	b.addAround(key{hi: 0xff << 56}, 8)
	for n := range uint64(16) { // the scopes of groups, whatever their flags
		for flags := range uint64(16) {
			b.addPrefix(axisTo, key{hi: (0xff00 | flags<<4 | n) << 48}, 16)
		}
	}
	b.addPrefix(axisTo, key{hi: 0x20010010 << 32}, 28)
	for i := range labels6 {
		b.addPrefix(axisTo, labels6[i].prefix, labels6[i].bits)
	}
}

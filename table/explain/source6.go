package explain

import "math/bits"

// The scopes of IPv6 addresses: __IPV6_ADDR_SCOPE_* of linux/ipv6.h.
const (
	scopeLink   = 2
	scopeSite   = 5
	scopeGlobal = 14
)

// scope6 is __ipv6_addr_src_scope of net/ipv6/addrconf.c: the scope of an address for
// the choice of a source.
func scope6(k key) int {
	switch {
	case k.isZero():
		return -1
	case isMulticast6(k):
		return int(k.hi >> 48 & 0xf)
	case isLinkLocal6(k), isLoopback6(k):
		return scopeLink
	case is6(k, 10, 0xfec0<<48):
		return scopeSite
	}
	return scopeGlobal
}

// labels6 are the labels of addresses, the longest prefix first: ip6addrlbl_init_table of
// net/ipv6/addrlabel.c.
var labels6 = []struct {
	prefix key
	bits   int
	label  int
}{
	{key{lo: 1}, 128, 0}, {key{lo: 0xffff << 32}, 96, 4}, {key{}, 96, 3}, {key{hi: 0x20010000 << 32}, 32, 6},
	{key{hi: 0x20010010 << 32}, 28, 7}, {key{hi: 0x2002 << 48}, 16, 2}, {key{hi: 0x3ffe << 48}, 16, 12},
	{key{hi: 0xfec0 << 48}, 10, 11}, {key{hi: 0xfc00 << 48}, 7, 5},
}

// label6 is ipv6_addr_label, for a host whose labels are the kernel's own.
func label6(k key) int {
	for i := range labels6 {
		if l := &labels6[i]; k.and(maskOf(l.bits)) == l.prefix {
			return l.label
		}
	}
	return 1
}

// isORCHID reports whether an address is of 2001:10::/28.
func isORCHID(k key) bool { return is6(k, 28, 0x20010010<<32) }

// A candidate6 is an address that may become the source, and what it is compared by.
type candidate6 struct {
	*Address
	dev       *device
	addr      key
	scopeDist int
}

// source6 chooses the source of a packet that leaves by an interface: ipv6_dev_get_saddr
// of net/ipv6/addrconf.c, RFC 6724. ok is false if there is none.
func (f *FIB) source6(dev *device, dst key) (k key, ok bool) {
	var best candidate6
	c := chooser6{dst: dst, scope: scope6(dst), label: label6(dst), dev: dev}
	if dev != nil && (isMulticast6(dst) || c.scope <= scopeLink || dev.oifAddrsOnly) {
		c.consider(dev, &best)
		return best.addr, best.Address != nil
	}
	vrf := uint32(0)
	if dev != nil {
		vrf = dev.vrf
	}
	if m := f.device(vrf); vrf != 0 && m != nil {
		c.consider(dev, &best)
		if best.Address != nil && best.scopeDist >= 0 {
			return best.addr, true
		}
		if m != dev {
			c.consider(m, &best)
		}
		if best.Address != nil && best.scopeDist >= 0 {
			return best.addr, true
		}
	}
	for i := range f.devices {
		if d := &f.devices[i]; d.vrf == vrf {
			c.consider(d, &best)
		}
	}
	return best.addr, best.Address != nil
}

// A chooser6 compares addresses for a destination.
type chooser6 struct {
	dst   key
	scope int
	label int
	dev   *device
}

// consider compares the addresses of an interface with the best so far.
func (c *chooser6) consider(d *device, best *candidate6) {
	for _, a := range d.addrs6 {
		if a.Flags&FlagTentative != 0 && a.Flags&FlagOptimistic == 0 {
			continue
		}
		next := candidate6{Address: a, dev: d, addr: keyOf(a.Addr)}
		if next.addr.isZero() || isMulticast6(next.addr) {
			continue
		}
		next.scopeDist = c.distance(next.addr)
		switch rule, order := c.compare(best, &next); {
		case order < 0:
			*best = next
		case order > 0 && rule == rulePreferScope && next.scopeDist > 0:
			return // the addresses behind have smaller scopes
		}
	}
}

// distance says how well the scope of an address fits: the higher the better.
func (c *chooser6) distance(k key) int {
	if n := scope6(k); n < c.scope {
		return n - 128
	} else {
		return -n
	}
}

// The rules of RFC 6724, section 5, in the kernel's order.
const (
	rulePreferSame = iota
	rulePreferScope
	ruleAvoidDeprecated
	rulePreferHome
	rulePreferInterface
	rulePreferLabel
	rulePreferPublic
	rulePreferORCHID
	ruleLongestPrefix
	ruleAvoidOptimistic
	rules6
)

// compare returns the rule that decides, and 1 if best stays, −1 if next is better.
func (c *chooser6) compare(best, next *candidate6) (rule, order int) {
	if best.Address == nil {
		return 0, -1
	}
	for rule := range rules6 {
		a, b := c.score(best, rule), c.score(next, rule)
		if a != b {
			if a > b {
				return rule, 1
			}
			return rule, -1
		}
	}
	return rules6, 0
}

// score is ipv6_get_saddr_eval of net/ipv6/addrconf.c.
func (c *chooser6) score(x *candidate6, rule int) int {
	has := func(flag AddressFlags) bool { return x.Flags&flag != 0 }
	switch rule {
	case rulePreferSame:
		return number(x.addr == c.dst)
	case rulePreferScope:
		return x.scopeDist
	case ruleAvoidDeprecated:
		avoid := has(FlagDeprecated) || has(FlagOptimistic) && !x.dev.useOptimistic
		return number(isLoopback6(x.addr) || !avoid)
	case rulePreferHome:
		return number(has(FlagHome))
	case rulePreferInterface:
		return number(c.dev == nil || c.dev.Index == x.Index)
	case rulePreferLabel:
		return number(label6(x.addr) == c.label)
	case rulePreferPublic:
		return number(has(FlagTemporary) == x.dev.useTempAddr)
	case rulePreferORCHID:
		return number(isORCHID(x.addr) == isORCHID(c.dst))
	case ruleLongestPrefix:
		return min(commonBits(x.addr, c.dst), int(x.Bits))
	}
	return number(!has(FlagOptimistic))
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

// commonBits returns how many bits at the beginning are the same.
func commonBits(a, b key) int {
	if a.hi != b.hi {
		return bits.LeadingZeros64(a.hi ^ b.hi)
	}
	return 64 + bits.LeadingZeros64(a.lo^b.lo)
}

// sourceFits chooses the source of a packet, if a rule asks for that, and reports whether
// the rule has it: fib6_rule_saddr of net/ipv6/fib6_rules.c.
func (f *FIB) sourceFits(r *ruleEntry, fl *flow, res *found) bool {
	if !r.findSource || !r.hasSource || fl.hasSrc || len(res.entry.hops) == 0 {
		return true
	}
	k, ok := f.source6(f.device(res.entry.hops[max(res.hop, 0)].oif), fl.dst)
	return ok && k.and(r.srcMask) == r.src
}

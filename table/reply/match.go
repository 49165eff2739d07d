package reply

import (
	"net/netip"

	"github.com/policyroute/policyroute/internal/nft"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
)

// A match builds a rule of nf_tables, one condition or action after the other. It loads
// into the same registers as nft(8), and asks for the protocol where nft(8) does.
type match struct {
	exprs               []nft.Expr
	hasFamily, hasProto bool
}

func (m *match) add(exprs ...nft.Expr) *match {
	m.exprs = append(m.exprs, exprs...)
	return m
}

// nftFamily returns the family of packets as nf_tables has it.
func nftFamily(f route.Family) nft.Family {
	if f == route.IPv6 {
		return nft.IPv6
	}
	return nft.IPv4
}

// equal goes on if what is in the first register is a value.
func equal(data string) nft.Cmp { return nft.Cmp{Source: nft.Reg1, Op: nft.Equal, Data: data} }

// family goes on for packets of a family.
func (m *match) family(f route.Family) *match {
	if m.hasFamily {
		return m
	}
	m.hasFamily = true
	return m.add(nft.Meta{Key: nft.MetaNFProto, Dest: nft.Reg1}, equal(nft.Byte(uint8(nftFamily(f)))))
}

// udp goes on for packets of UDP.
func (m *match) udp() *match {
	if m.hasProto {
		return m
	}
	m.hasProto = true
	return m.add(nft.Meta{Key: nft.MetaL4Proto, Dest: nft.Reg1}, equal(nft.Byte(uapi.IPPROTO_UDP)))
}

// notUDP goes on for packets of other protocols.
func (m *match) notUDP() *match {
	m.hasProto = true
	return m.add(nft.Meta{Key: nft.MetaL4Proto, Dest: nft.Reg1},
		nft.Cmp{Source: nft.Reg1, Op: nft.NotEqual, Data: nft.Byte(uapi.IPPROTO_UDP)})
}

// port goes on if a port that load loads is in a range.
func (m *match) port(load nft.Payload, r rule.Ports) *match {
	m.udp().add(load)
	if r.First() == r.Last() {
		return m.add(equal(nft.Big16(r.First())))
	}
	return m.add(
		nft.Cmp{Source: nft.Reg1, Op: nft.GreaterOrEqual, Data: nft.Big16(r.First())},
		nft.Cmp{Source: nft.Reg1, Op: nft.LessOrEqual, Data: nft.Big16(r.Last())},
	)
}

// source goes on for packets from an address.
func (m *match) source(a netip.Addr) *match {
	f := route.FamilyOf(a)
	return m.family(f).add(nft.SourceAddr(nftFamily(f), nft.Reg1), equal(nft.Addr(a)))
}

// dest goes on for packets to an address.
func (m *match) dest(a netip.Addr) *match {
	f := route.FamilyOf(a)
	return m.family(f).add(nft.DestAddr(nftFamily(f), nft.Reg1), equal(nft.Addr(a)))
}

// notFrom goes on for packets that do not come from a prefix. A whole number of bytes is
// compared without a mask.
func (m *match) notFrom(p netip.Prefix) *match {
	f := route.FamilyOf(p.Addr())
	load := nft.SourceAddr(nftFamily(f), nft.Reg1)
	data := nft.Addr(p.Masked().Addr())
	m.family(f)
	if p.Bits()%8 == 0 {
		load.Len = uint32(p.Bits() / 8)
		data = data[:load.Len]
		m.add(load)
	} else {
		mask := make([]byte, load.Len)
		for i := range p.Bits() {
			mask[i/8] |= 0x80 >> (i % 8)
		}
		m.add(load, nft.Bitwise{
			Source: nft.Reg1, Dest: nft.Reg1, Len: load.Len, Mask: string(mask), XOR: string(make([]byte, load.Len)),
		})
	}
	return m.add(nft.Cmp{Source: nft.Reg1, Op: nft.NotEqual, Data: data})
}

// from goes on for packets that came in by an interface.
func (m *match) from(dev string) *match {
	return m.add(nft.Meta{Key: nft.MetaIIFName, Dest: nft.Reg1}, equal(nft.IfName(dev)))
}

// to goes on for packets that leave by an interface.
func (m *match) to(dev string) *match {
	return m.add(nft.Meta{Key: nft.MetaOIFName, Dest: nft.Reg1}, equal(nft.IfName(dev)))
}

// original goes on for packets in the direction of the first packet of their connection.
func (m *match) original() *match {
	return m.add(nft.CT{Key: nft.CTDirKey, Dest: nft.Reg1}, equal(nft.Byte(uapi.IP_CT_DIR_ORIGINAL)))
}

// connMark compares the bits of a mask of the connection's mark.
func (m *match) connMark(mask uint32, op nft.CmpOp, value uint32) *match {
	return m.add(
		nft.CT{Key: nft.CTMark, Dest: nft.Reg1},
		nft.Bitwise{Source: nft.Reg1, Dest: nft.Reg1, Len: 4, Mask: nft.Host32(mask), XOR: nft.Host32(0)},
		nft.Cmp{Source: nft.Reg1, Op: op, Data: nft.Host32(value)},
	)
}

// marked goes on for packets that have any mark.
func (m *match) marked() *match {
	return m.add(nft.Meta{Key: nft.MetaMark, Dest: nft.Reg1}, nft.Cmp{Source: nft.Reg1, Op: nft.NotEqual, Data: nft.Host32(0)})
}

// setConnMark sets the bits of a mask of the connection's mark.
func (m *match) setConnMark(mask, value uint32) *match {
	return m.add(nft.CT{Key: nft.CTMark, Dest: nft.Reg1}, setBits(mask, value), nft.CT{Key: nft.CTMark, Source: nft.Reg1})
}

// setMark sets the bits of a mask of the packet's mark.
func (m *match) setMark(mask, value uint32) *match {
	return m.add(nft.Meta{Key: nft.MetaMark, Dest: nft.Reg1}, setBits(mask, value), nft.Meta{Key: nft.MetaMark, Source: nft.Reg1})
}

func setBits(mask, value uint32) nft.Bitwise {
	return nft.Bitwise{Source: nft.Reg1, Dest: nft.Reg1, Len: 4, Mask: nft.Host32(^mask), XOR: nft.Host32(value)}
}

// key loads a client's address and port, and the port of this host: of a question, or of
// the answer to it.
func (m *match) key(f route.Family, isAnswer bool) *match {
	m.family(f).udp()
	second, third := nft.Reg32(1), nft.Reg32(2)
	if f == route.IPv6 {
		second, third = nft.Reg2, nft.Reg32(5)
	}
	if isAnswer {
		return m.add(nft.DestAddr(nftFamily(f), nft.Reg1), nft.DestPort(second), nft.SourcePort(third))
	}
	return m.add(nft.SourceAddr(nftFamily(f), nft.Reg1), nft.SourcePort(second), nft.DestPort(third))
}

// setSource replaces the source address.
func (m *match) setSource(a netip.Addr) *match {
	return m.add(nft.Immediate{Dest: nft.Reg1, Data: nft.Addr(a)}, nft.SetSourceAddr(nftFamily(route.FamilyOf(a)), nft.Reg1))
}

// foreignSource goes on for packets whose source is no address of this host.
func (m *match) foreignSource() *match {
	return m.add(nft.FIB{Dest: nft.Reg1, Result: nft.FIBAddrType, Flags: nft.FIBSource},
		nft.Cmp{Source: nft.Reg1, Op: nft.NotEqual, Data: nft.Host32(uapi.RTN_LOCAL)})
}

// accept ends the chain. Chains of other programs still see the packet.
func (m *match) accept() *match { return m.add(nft.Immediate{Verdict: nft.Accept()}) }

// goTo goes on in another chain.
func (m *match) goTo(chain string) *match { return m.add(nft.Immediate{Verdict: nft.Goto(chain)}) }

package route

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/uapi"
)

// message makes a route as any message may have it: also what a kernel reports
// of its own, what is only looked up, and MPLS.
func (g generator) message() Route {
	if g.maybe(6) {
		return g.mpls()
	}
	r := g.route().Canonical()
	if g.maybe(6) {
		r.NextHopID = 1 + g.Uint32N(1000)
	}
	if g.maybe(6) {
		r.Packet = &Packet{
			IIF: pick(g, 0, 1+g.Uint32N(9)), Mark: g.Uint32(), UID: pick(g, Opt[uint32]{}, Some(g.Uint32())),
			IPProto: pick(g, 0, TCP, UDP, 200), SPort: uint16(g.Uint32()), DPort: uint16(g.Uint32()),
			FlowLabel: pick(g, Opt[uint32]{}, Some(g.Uint32N(1<<20))),
		}
	}
	if g.maybe(6) {
		r.Expires = Some(g.Uint32())
	}
	if g.maybe(6) {
		r.MPLS = &MPLSRoute{TTLPropagate: Some(g.maybe(2))}
	}
	if g.maybe(6) {
		r.CacheInfo = CacheInfo{ClntRef: g.Uint32(), LastUse: g.Uint32(), Expires: int32(g.Uint32()), Error: g.Uint32(),
			Used: g.Uint32(), ID: g.Uint32(), TS: g.Uint32(), TSAge: g.Uint32()}
	}
	if g.maybe(6) {
		r.Unknown = g.unknown()
	}
	return r
}

// unknown makes attributes of a kernel from the future.
func (g generator) unknown() Attributes {
	var b []byte
	for range 1 + g.IntN(3) {
		b = attr.Append(b, uint16(40+g.IntN(1000)), binary.NativeEndian.AppendUint64(nil, g.Uint64())[:g.IntN(9)])
	}
	return Attributes(b)
}

// mpls makes an MPLS route that the kernel accepts.
func (g generator) mpls() Route {
	r := Route{Family: MPLS, MPLS: &MPLSRoute{Label: Some(16 + g.Uint32N(80))}, Type: TypeUnicast, Table: 254, Protocol: ProtoStatic}
	r.MPLS.TTLPropagate = pick(g, Opt[bool]{}, Some(true), Some(false))
	labels := func() Labels {
		return pick(g, "", MakeLabels(16+g.Uint32N(1000)), MakeLabels(16+g.Uint32N(1000), 16+g.Uint32N(1000)))
	}
	router := func(link int) netip.Addr { return gateways[pick(g, IPv4, IPv6)][link] }
	if g.maybe(3) {
		for i, index := range []uint32{eth0, eth1} {
			r.Multipath = append(r.Multipath, NextHop{Gateway: router(i), OIF: index, Weight: 1, NewDst: labels()})
		}
		return r
	}
	r.Gateway, r.OIF, r.MPLS.NewDst = router(0), eth0, labels()
	return r
}

// wantRows fails for each attribute with a row that was not seen, but for those
// that there is a reason for.
func wantRows(t *testing.T, seen map[uapi.RTA]bool, without map[uapi.RTA]string) {
	t.Helper()
	for num := range uapi.RTA(256) {
		if codec.Name(uint16(num)) != "" && !seen[num] && without[num] == "" {
			t.Errorf("no random route had %s", num)
		}
	}
}

// see notes the attributes of a route's message.
func see(t *testing.T, seen map[uapi.RTA]bool, b []byte) {
	t.Helper()
	for num := range Attributes(b[uapi.SizeofRtMsg:]).All() {
		seen[uapi.RTA(num&^0xc000)] = true // without flags
	}
}

// Random messages of all attributes together, through bytes and through text.
func TestRoundTripAny(t *testing.T) {
	g := newGenerator(3)
	seen := map[uapi.RTA]bool{}
	for range 20000 {
		r := g.message()
		b, err := r.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		see(t, seen, b)
		var back Route
		if err := back.UnmarshalBinary(b); err != nil || !back.Equal(r) {
			t.Fatalf("%x: %s is %s, %v", b, r, back, err)
		}
		again, err := back.MarshalBinary()
		if err != nil || string(again) != string(b) {
			t.Fatalf("%s:\n got %x, %v\nwant %x", r, again, err, b)
		}
		if back := parse(t, r.String()); !back.Equal(r) {
			t.Fatalf("%q is %s", r, back)
		}
		if c := r.Canonical(); !c.Equal(c.Canonical()) {
			t.Fatalf("the canonical form %s has another, %s", c, c.Canonical())
		}
	}
	wantRows(t, seen, map[uapi.RTA]string{uapi.RTA_PAD: "never written"})
}

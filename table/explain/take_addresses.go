package explain

import (
	"encoding/binary"
	"net/netip"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// readAddresses reads the addresses of both families.
func (w *World) readAddresses(c route.Conn) error {
	return dump(c, uapi.RTM_GETADDR, make([]byte, uapi.SizeofIfAddrmsg), func(b []byte) error {
		if a := decodeAddress(b); a.Addr.IsValid() {
			w.Addresses = append(w.Addresses, a)
		}
		return nil
	})
}

// decodeAddress reads a message of type RTM_NEWADDR, which has its header at least. IPv4
// always has IFA_LOCAL, and IFA_ADDRESS is the same or the peer's; IPv6 has IFA_LOCAL only
// beside a peer's address.
func decodeAddress(b []byte) Address {
	a := Address{
		Index: binary.NativeEndian.Uint32(b[uapi.IfAddrmsgIndex:]), Bits: b[uapi.IfAddrmsgPrefixlen],
		Scope: route.Scope(b[uapi.IfAddrmsgScope]), Flags: AddressFlags(b[uapi.IfAddrmsgFlags]),
	}
	for num, p := range attr.All(b[uapi.SizeofIfAddrmsg:]) {
		switch num {
		case uapi.IFA_ADDRESS:
			a.Peer, _ = netip.AddrFromSlice(p)
		case uapi.IFA_LOCAL:
			a.Addr, _ = netip.AddrFromSlice(p)
		case uapi.IFA_FLAGS:
			flags, _ := u32(p)
			a.Flags |= AddressFlags(flags)
		}
	}
	if !a.Addr.IsValid() {
		a.Addr = a.Peer
	}
	if a.Peer == a.Addr {
		a.Peer = netip.Addr{}
	}
	return a
}

// readNeighbours reads the neighbours that are gateways of routes or nexthop objects.
func (w *World) readNeighbours(c route.Conn) error {
	gateways := make(map[netip.Addr]bool)
	for i := range w.Routes {
		r := &w.Routes[i]
		gateways[r.Gateway] = true
		for _, n := range r.Multipath {
			gateways[n.Gateway] = true
		}
	}
	for i := range w.NextHops {
		gateways[w.NextHops[i].Gateway] = true
	}
	delete(gateways, netip.Addr{})
	if len(gateways) == 0 {
		return nil
	}
	return dump(c, uapi.RTM_GETNEIGH, make([]byte, uapi.SizeofNdMsg), func(b []byte) error {
		n := Neighbour{
			Index: binary.NativeEndian.Uint32(b[uapi.NdMsgIndex:]),
			State: NeighbourState(binary.NativeEndian.Uint16(b[uapi.NdMsgState:])),
		}
		for num, p := range attr.All(b[uapi.SizeofNdMsg:]) {
			if num == uapi.NDA_DST {
				n.Addr, _ = netip.AddrFromSlice(p)
			}
		}
		if gateways[n.Addr] {
			w.Neighbours = append(w.Neighbours, n)
		}
		return nil
	})
}

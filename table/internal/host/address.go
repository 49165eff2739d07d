package host

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// An Address is an address of this host.
type Address struct {
	Index  uint32 // of the interface
	Addr   netip.Addr
	Subnet netip.Prefix // what the address makes reachable on the link; a peer's, on a point-to-point link
	Global bool         // as opposed to link and host scope
	// Tentative means that duplicate address detection has not finished, or has failed.
	Tentative bool
	// Dynamic means that the address has a lifetime, like addresses from DHCP and from
	// router advertisements.
	Dynamic bool
	// Deprecated means that new connections should not use the address, because its
	// preferred lifetime is over.
	Deprecated bool
	// Secondary means that an IPv4 address is not the first one of its subnet on the
	// interface. The kernel chooses only primary addresses.
	Secondary bool
	// Temporary means that an IPv6 address changes often, for privacy (RFC 8981).
	Temporary bool
}

// ListAddresses reads the addresses of a family, or of all families if it is zero, in the
// network namespace of c, in the kernel's order (RTM_GETADDR).
func ListAddresses(ctx context.Context, c route.Conn, f route.Family) ([]Address, error) {
	addrs, err := listAddresses(ctx, c, f)
	if err != nil {
		return nil, fmt.Errorf("table: list addresses: %w", err)
	}
	return addrs, nil
}

func listAddresses(ctx context.Context, c route.Conn, f route.Family) ([]Address, error) {
	return listAddressesOf(ctx, c, f, 0)
}

// listAddressesOf is listAddresses for the interface with an index, or for all with zero.
func listAddressesOf(ctx context.Context, c route.Conn, f route.Family, index uint32) ([]Address, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	req := netlink.Message{
		Header: netlink.Header{Type: uapi.RTM_GETADDR, Flags: netlink.Request | netlink.Dump},
		Data:   make([]byte, uapi.SizeofIfAddrmsg),
	}
	req.Data[uapi.IfAddrmsgFamily] = uint8(f)
	binary.NativeEndian.PutUint32(req.Data[uapi.IfAddrmsgIndex:], index)
	addrs := []Address{}
	for m, err := range rtnl.Dump(c, req) {
		if err != nil {
			return nil, err
		}
		a, err := decodeAddress(m.Data)
		if err != nil {
			return nil, err
		}
		if a.Addr.IsValid() && (index == 0 || a.Index == index) {
			addrs = append(addrs, a)
		}
	}
	return addrs, nil
}

// decodeAddress reads a message of type RTM_NEWADDR. IPv4 always has IFA_LOCAL, and
// IFA_ADDRESS is the same or the peer's; IPv6 has IFA_LOCAL only beside a peer's
// address.
func decodeAddress(b []byte) (Address, error) {
	if len(b) < uapi.SizeofIfAddrmsg {
		return Address{}, fmt.Errorf("an address message has %d bytes, but its header alone has %d", len(b), uapi.SizeofIfAddrmsg)
	}
	var peer, own netip.Addr
	flags := uint32(b[uapi.IfAddrmsgFlags])
	for num, p := range attr.All(b[uapi.SizeofIfAddrmsg:]) {
		switch {
		case num == uapi.IFA_ADDRESS:
			peer, _ = netip.AddrFromSlice(p)
		case num == uapi.IFA_LOCAL:
			own, _ = netip.AddrFromSlice(p)
		case num == uapi.IFA_FLAGS && len(p) == 4:
			flags |= binary.NativeEndian.Uint32(p)
		}
	}
	own, peer = cmp.Or(own, peer), cmp.Or(peer, own)
	a := Address{
		Index:     binary.NativeEndian.Uint32(b[uapi.IfAddrmsgIndex:]),
		Addr:      own,
		Global:    b[uapi.IfAddrmsgScope] == uapi.RT_SCOPE_UNIVERSE,
		Dynamic:   flags&uapi.IFA_F_PERMANENT == 0,
		Tentative: own.Is6() && flags&(uapi.IFA_F_TENTATIVE|uapi.IFA_F_DADFAILED) != 0 && flags&uapi.IFA_F_OPTIMISTIC == 0,
	}
	a.Deprecated = flags&uapi.IFA_F_DEPRECATED != 0
	a.Secondary = own.Is4() && flags&uapi.IFA_F_SECONDARY != 0
	a.Temporary = own.Is6() && flags&uapi.IFA_F_TEMPORARY != 0
	if p, err := peer.Prefix(int(b[uapi.IfAddrmsgPrefixlen])); err == nil && p != netip.PrefixFrom(own, own.BitLen()) {
		a.Subnet = p
	}
	return a, nil
}

package check

import (
	"encoding/binary"
	"net/netip"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/uapi"
)

// A udpSocket is a UDP socket that is not connected.
type udpSocket struct {
	addr   netip.AddrPort
	only6  bool   // takes no IPv4
	bound  uint32 // the index of the interface that the socket is bound to
	kernel bool   // the kernel's own, of a tunnel
}

// unconnected is the bit of TCP_CLOSE, the state of a UDP socket that is not connected.
const unconnected = 1 << 7

// listUDP lists the UDP sockets of the calling thread's namespace.
func listUDP() ([]udpSocket, error) {
	c, err := netlink.Dial(uapi.NETLINK_SOCK_DIAG, nil)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var sockets []udpSocket
	for _, family := range []uint8{uapi.AF_INET, uapi.AF_INET6} {
		b := make([]byte, uapi.SizeofInetDiagReqV2)
		b[uapi.InetDiagReqV2Family] = family
		b[uapi.InetDiagReqV2Protocol] = uapi.IPPROTO_UDP
		binary.NativeEndian.PutUint32(b[uapi.InetDiagReqV2States:], unconnected)
		msgs, err := c.Execute(netlink.Message{
			Header: netlink.Header{Type: uapi.SOCK_DIAG_BY_FAMILY, Flags: netlink.Request | netlink.Dump}, Data: b,
		})
		if err != nil {
			return nil, err
		}
		for _, m := range msgs {
			if s, ok := decodeUDP(m.Data); ok && m.Header.Type == uapi.SOCK_DIAG_BY_FAMILY {
				sockets = append(sockets, s)
			}
		}
	}
	return sockets, nil
}

// decodeUDP reads a message of type SOCK_DIAG_BY_FAMILY.
func decodeUDP(b []byte) (udpSocket, bool) {
	if len(b) < uapi.SizeofInetDiagMsg {
		return udpSocket{}, false
	}
	var a netip.Addr
	switch src := b[uapi.InetDiagMsgSrc:]; b[uapi.InetDiagMsgFamily] {
	case uapi.AF_INET:
		a = netip.AddrFrom4([4]byte(src[:4]))
	case uapi.AF_INET6:
		a = netip.AddrFrom16([16]byte(src[:16]))
	default:
		return udpSocket{}, false
	}
	s := udpSocket{
		addr:   netip.AddrPortFrom(a, binary.BigEndian.Uint16(b[uapi.InetDiagMsgSPort:])),
		bound:  binary.NativeEndian.Uint32(b[uapi.InetDiagMsgIf:]),
		kernel: binary.NativeEndian.Uint32(b[uapi.InetDiagMsgInode:]) == 0,
	}
	for num, p := range attr.All(string(b[uapi.SizeofInetDiagMsg:])) {
		if num == uapi.INET_DIAG_SKV6ONLY && len(p) > 0 {
			s.only6 = p[0] != 0
		}
	}
	return s, true
}

package table

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// A hostState is what is read from files and of sockets.
type hostState struct {
	conf      map[string]ipv4Conf // by interface, and "all"
	udp       []udpSocket
	ephemeral [2]uint16 // ports that sockets get which ask for none
	networkd  networkdState
}

// An ipv4Conf is net.ipv4.conf of one interface.
type ipv4Conf struct{ reversePath, sourceMark int }

// A udpSocket is one that is not connected.
type udpSocket struct {
	addr   netip.AddrPort
	only6  bool   // takes no IPv4
	bound  uint32 // the index of the interface that it is bound to
	kernel bool   // the kernel's own, of a tunnel
}

// readHost reads what is not asked of the connection, and notes what it cannot.
func (s *survey) readHost(c route.Conn, root fs.FS) {
	note := func(what string, err error) {
		if err != nil {
			s.unread = append(s.unread, fmt.Sprintf("%s could not be read: %v", what, err))
		}
	}
	namespace := ""
	err := rtnl.Inside(c, func() (err error) {
		// Everything here is of the calling thread's namespace.
		namespace, err = os.Readlink("/proc/thread-self/ns/net")
		note("the name of the network namespace", err)
		s.host.conf, err = readConf(os.DirFS("/proc/sys/net/ipv4"))
		note("net.ipv4.conf", err)
		s.host.ephemeral, err = readEphemeral(os.DirFS("/proc/sys/net/ipv4"))
		note("net.ipv4.ip_local_port_range", err)
		s.host.udp, err = listUDP()
		note("the list of UDP sockets", err)
		return nil
	})
	note("the network namespace", err)
	s.host.networkd, err = readNetworkd(root, namespace)
	note("the configuration of systemd-networkd", err)
}

// readConf reads the settings of all interfaces in net.ipv4.
func readConf(ipv4 fs.FS) (map[string]ipv4Conf, error) {
	entries, err := fs.ReadDir(ipv4, "conf")
	if err != nil {
		return nil, err
	}
	all := make(map[string]ipv4Conf)
	for _, e := range entries {
		var c ipv4Conf
		for name, value := range map[string]*int{"rp_filter": &c.reversePath, "src_valid_mark": &c.sourceMark} {
			b, err := fs.ReadFile(ipv4, path.Join("conf", e.Name(), name))
			if err != nil {
				return nil, err
			}
			if *value, err = strconv.Atoi(strings.TrimSpace(string(b))); err != nil {
				return nil, err
			}
		}
		all[e.Name()] = c
	}
	return all, nil
}

// readEphemeral reads the range of ports in net.ipv4, the first and the last.
func readEphemeral(ipv4 fs.FS) (ports [2]uint16, err error) {
	b, err := fs.ReadFile(ipv4, "ip_local_port_range")
	if err == nil {
		_, err = fmt.Sscan(string(b), &ports[0], &ports[1])
	}
	return ports, err
}

// unconnected is the bit of TCP_CLOSE, which is the state of such a UDP socket.
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

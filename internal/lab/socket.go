package lab

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
)

// Listen listens in the namespace, as net.Listen does. The address has to be an IP address,
// because a name would be resolved outside the namespace. The Lab closes the listener if the
// caller does not.
func (ns *NS) Listen(network, addr string) (net.Listener, error) {
	return openSocket(ns, "listen", addr, func() (net.Listener, error) {
		lc := listenConfig()
		return lc.Listen(context.Background(), network, addr)
	})
}

// ListenPacket listens for datagrams in the namespace, as net.ListenPacket does. Otherwise it
// is like Listen.
func (ns *NS) ListenPacket(network, addr string) (net.PacketConn, error) {
	return openSocket(ns, "listen", addr, func() (net.PacketConn, error) {
		lc := listenConfig()
		return lc.ListenPacket(context.Background(), network, addr)
	})
}

// Dial connects from the namespace to raddr. If laddr is not empty, it binds the socket to
// laddr first, which is an address, a port after a colon, or both. Both ends have to be IP
// addresses. The Lab closes the connection if the caller does not.
func (ns *NS) Dial(ctx context.Context, network, laddr, raddr string) (net.Conn, error) {
	local, err := localAddr(network, laddr)
	if err != nil {
		return nil, fmt.Errorf("lab: %s: dial %s: %w", ns, raddr, err)
	}
	return ns.DialWith(ctx, net.Dialer{LocalAddr: local}, network, raddr)
}

// DialWith is like Dial, with a net.Dialer. The dialer can set socket options, see [Mark].
func (ns *NS) DialWith(ctx context.Context, d net.Dialer, network, raddr string) (net.Conn, error) {
	// For a single IP address the dialer makes one attempt, and opens its socket on
	// the calling goroutine, which is in the namespace.
	return openSocket(ns, "dial", raddr, func() (net.Conn, error) {
		d.SetMultipathTCP(false)
		return d.DialContext(ctx, network, raddr)
	})
}

// Mark returns a Control function for a net.Dialer or net.ListenConfig. The function sets the
// mark of the socket (SO_MARK), which a rule can select by fwmark.
func Mark(mark uint32) func(network, address string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error {
		var err error
		if e := c.Control(func(fd uintptr) { err = setMark(int(fd), mark) }); e != nil {
			return e
		}
		return err
	}
}

// listenConfig returns a configuration for plain TCP. The default since Go 1.24 is multipath
// TCP, which has additional options and sockets that would disturb tests of packets.
func listenConfig() net.ListenConfig {
	var lc net.ListenConfig
	lc.SetMultipathTCP(false)
	return lc
}

// openSocket opens a socket in the namespace.
func openSocket[C io.Closer](ns *NS, verb, addr string, open func() (C, error)) (C, error) {
	var c, none C
	err := requireLiteral(addr)
	if err == nil {
		err = ns.Do(func() (err error) {
			c, err = open()
			return err
		})
	}
	if err == nil {
		err = ns.lab.closeLater(c)
	}
	if err != nil {
		return none, fmt.Errorf("lab: %s: %s %s: %w", ns, verb, addr, err)
	}
	return c, nil
}

// requireLiteral refuses an address whose host is a name.
func requireLiteral(addr string) error {
	host := addr
	if h, _, err := net.SplitHostPort(addr); err == nil {
		host = h
	}
	if host == "" {
		return nil
	}
	_, err := netip.ParseAddr(host)
	return err
}

// localAddr returns the local address for a net.Dialer.
func localAddr(network, addr string) (net.Addr, error) {
	if addr == "" {
		return nil, nil
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		host, port = addr, "0"
	}
	var ip netip.Addr
	if host != "" {
		if ip, err = netip.ParseAddr(host); err != nil {
			return nil, err
		}
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, err
	}
	ap := netip.AddrPortFrom(ip, uint16(n))
	switch {
	case strings.HasPrefix(network, "tcp"):
		return net.TCPAddrFromAddrPort(ap), nil
	case strings.HasPrefix(network, "udp"):
		return net.UDPAddrFromAddrPort(ap), nil
	case strings.HasPrefix(network, "ip"):
		return &net.IPAddr{IP: ap.Addr().AsSlice(), Zone: ap.Addr().Zone()}, nil
	}
	return nil, net.UnknownNetworkError(network)
}

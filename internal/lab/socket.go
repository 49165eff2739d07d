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

// Listen listens in the namespace, as net.Listen does. The address is
// literal: a name would be looked up outside. The Lab closes the listener if
// the caller does not.
func (ns *NS) Listen(network, addr string) (net.Listener, error) {
	return inside(ns, "listen", addr, func() (net.Listener, error) {
		lc := listenConfig()
		return lc.Listen(context.Background(), network, addr)
	})
}

// ListenPacket is Listen for datagrams, as net.ListenPacket.
func (ns *NS) ListenPacket(network, addr string) (net.PacketConn, error) {
	return inside(ns, "listen", addr, func() (net.PacketConn, error) {
		lc := listenConfig()
		return lc.ListenPacket(context.Background(), network, addr)
	})
}

// Dial connects from the namespace to raddr. The socket is bound to laddr
// first, an address, a port after a colon, or both, unless laddr is empty. Both
// ends are literal. The Lab closes the connection if the caller does not.
func (ns *NS) Dial(ctx context.Context, network, laddr, raddr string) (net.Conn, error) {
	local, err := localAddr(network, laddr)
	if err != nil {
		return nil, fmt.Errorf("lab: %s: dial %s: %w", ns, raddr, err)
	}
	return ns.DialWith(ctx, net.Dialer{LocalAddr: local}, network, raddr)
}

// DialWith is Dial with everything that a net.Dialer can be told, a socket
// option among it: see [Mark].
func (ns *NS) DialWith(ctx context.Context, d net.Dialer, network, raddr string) (net.Conn, error) {
	// One address is one attempt, and one attempt makes its socket on the
	// calling goroutine: that is what keeps it in the namespace.
	return inside(ns, "dial", raddr, func() (net.Conn, error) {
		d.SetMultipathTCP(false)
		return d.DialContext(ctx, network, raddr)
	})
}

// Mark returns a Control function for a net.Dialer or net.ListenConfig that
// sets the socket's mark (SO_MARK), which a rule can select by fwmark.
func Mark(mark uint32) func(network, address string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error {
		var err error
		if e := c.Control(func(fd uintptr) { err = setMark(int(fd), mark) }); e != nil {
			return e
		}
		return err
	}
}

// listenConfig asks for plain TCP: the default since Go 1.24 is multipath TCP,
// whose extra options and sockets a test of packets does not want.
func listenConfig() net.ListenConfig {
	var lc net.ListenConfig
	lc.SetMultipathTCP(false)
	return lc
}

// inside opens a socket in the namespace.
func inside[C io.Closer](ns *NS, verb, addr string, open func() (C, error)) (C, error) {
	var c, none C
	err := literal(addr)
	if err == nil {
		err = ns.Do(func() (err error) {
			c, err = open()
			return err
		})
	}
	if err == nil {
		err = ns.lab.own(c)
	}
	if err != nil {
		return none, fmt.Errorf("lab: %s: %s %s: %w", ns, verb, addr, err)
	}
	return c, nil
}

// literal refuses an address whose host is a name.
func literal(addr string) error {
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

// localAddr makes what a net.Dialer of this network binds to.
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

package health

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/route"
)

// A dialer opens the sockets of an attempt.
type dialer struct {
	conn   func() route.Conn // in the network namespace of the sockets; nil: the process's
	source netip.Addr
	mark   uint32
	dev    string // the interface that sockets are bound to; empty: none
	target string
}

// inNamespace runs fn in the network namespace of the sockets.
func (d *dialer) inNamespace(fn func() error) error {
	if d.conn == nil {
		return fn()
	}
	entered := false
	err := rtnl.Inside(d.conn(), func() error {
		entered = true
		return fn()
	})
	if err != nil && !entered {
		return d.cannot(err)
	}
	return err
}

// cannot returns the error of an attempt that cannot be made.
func (d *dialer) cannot(err error) error { return &Error{Probe: d.target, Err: err} }

// dial is a [DialFunc].
func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	nd := net.Dialer{KeepAlive: -1, Control: d.control}
	switch network {
	case "tcp", "tcp4", "tcp6":
		nd.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(d.source, 0))
	case "udp", "udp4", "udp6":
		nd.LocalAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(d.source, 0))
	default:
		return nil, net.UnknownNetworkError(network)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	addrs := []netip.Addr{}
	if a, err := netip.ParseAddr(host); err == nil {
		addrs = append(addrs, a)
	} else if addrs, err = d.lookup(ctx, host); err != nil {
		return nil, err
	}
	var c net.Conn
	err = errors.New("no address of the source's family")
	for _, a := range addrs {
		if route.FamilyOf(a) == route.FamilyOf(d.source) {
			c, err = d.connect(ctx, &nd, network, net.JoinHostPort(a.String(), port))
		}
		if err == nil || ctx.Err() != nil {
			break
		}
	}
	return c, err
}

// connect connects to a numeric address. For a name, package net would open sockets
// on threads of its choice.
func (d *dialer) connect(ctx context.Context, nd *net.Dialer, network, address string) (c net.Conn, err error) {
	err = d.inNamespace(func() (err error) {
		c, err = nd.DialContext(ctx, network, address)
		return err
	})
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err // the target says the rest
	}
	return c, err
}

// lookup returns the addresses of a name in the family of the source.
func (d *dialer) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	network := "ip4"
	if d.source.Is6() {
		network = "ip6"
	}
	r := net.Resolver{PreferGo: true, Dial: d.dialResolver}
	addrs, err := r.LookupNetIP(ctx, network, host)
	for i := range addrs {
		addrs[i] = addrs[i].Unmap()
	}
	return addrs, err
}

// dialResolver connects to a name server. It uses the source unless the server has
// another family or is on this host.
func (d *dialer) dialResolver(ctx context.Context, network, address string) (net.Conn, error) {
	server, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, err
	}
	if a := server.Addr().Unmap(); !a.IsLoopback() && a.Zone() == "" && route.FamilyOf(a) == route.FamilyOf(d.source) {
		return d.dial(ctx, network, address)
	}
	return d.connect(ctx, &net.Dialer{Control: d.control}, network, address)
}

// control sets the options of a socket.
func (d *dialer) control(_, _ string, raw syscall.RawConn) error {
	var err error
	if e := raw.Control(func(fd uintptr) { err = d.setOptions(int(fd)) }); e != nil {
		return e
	}
	return err
}

// setOptions sets the mark of a socket, and binds the socket to an interface.
func (d *dialer) setOptions(fd int) error {
	if d.mark != 0 {
		if err := setMark(fd, d.mark); err != nil {
			return d.cannot(fmt.Errorf("mark %#x: %w", d.mark, err))
		}
	}
	if d.dev != "" {
		if err := bindToDevice(fd, d.dev); err != nil {
			return d.cannot(fmt.Errorf("interface %s: %w", d.dev, err))
		}
	}
	return nil
}

// limit ends the reads and writes of a connection when ctx ends.
func limit(ctx context.Context, c net.Conn) (stop func() bool) {
	if end, ok := ctx.Deadline(); ok {
		_ = c.SetDeadline(end)
	}
	return context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
}

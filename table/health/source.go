package health

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// A sourceError is the reason why no probe can be sent from an address.
type sourceError struct {
	source netip.Addr
	err    error
}

func (e *sourceError) Error() string { return fmt.Sprintf("from %s: %v", e.source, e.err) }

func (e *sourceError) Unwrap() error { return e.err }

// lacksSource reports whether an error says that no probe can be sent from its address.
func lacksSource(err error) bool {
	var e *sourceError
	return errors.As(err, &e)
}

// errSourceDown says that the interface which has the address is not up.
var errSourceDown = errors.New("the interface of the address is down")

// checkSource returns why an attempt has failed: err, unless the host cannot send from the
// source any more, which is not a fault of the way.
func (d *dialer) checkSource(err error) error {
	if err = d.checkBind(err); err == nil || cannotProbe(err) || d.source.IsUnspecified() {
		return err
	}
	var fault error
	// An error of the namespace itself says nothing about the source.
	_ = d.inNamespace(func() error {
		fault = findSourceFault(d.source)
		return nil
	})
	if fault == nil {
		return err
	}
	return d.cannot(&sourceError{d.source, fault})
}

// checkBind returns why an attempt has failed: err, unless err shows that the host cannot
// send from the source, or cannot send at all.
func (d *dialer) checkBind(err error) error {
	if err == nil || cannotProbe(err) {
		return err
	}
	if errors.Is(err, syscall.EADDRNOTAVAIL) {
		return d.cannot(&sourceError{d.source, syscall.EADDRNOTAVAIL})
	}
	for _, own := range hostErrors {
		if errors.Is(err, own) {
			return d.cannot(err)
		}
	}
	return err
}

// hostErrors are errors of sockets that come from this host, and never from the way: other
// processes have all ports or descriptors, memory is short, or a filter of this host refuses
// the packet. Any user of the host can cause some of them, so they must not make a way
// unhealthy.
var hostErrors = []syscall.Errno{
	syscall.EADDRINUSE, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EPERM,
}

// findSourceFault returns why nothing can be sent from an address. Nil: packets can be sent,
// or the reason cannot be found out.
func findSourceFault(source netip.Addr) error {
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(source, 0)))
	switch {
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return syscall.EADDRNOTAVAIL
	case err == nil:
		c.Close()
	}
	// IPv4 addresses stay while their interface is down. An address that no interface has
	// can be local all the same, by a route of type local.
	links, err := net.Interfaces()
	if err != nil {
		return nil
	}
	for _, l := range links {
		if l.Flags&net.FlagUp == 0 && hasAddress(&l, source) {
			return errSourceDown
		}
	}
	return nil
}

func hasAddress(l *net.Interface, a netip.Addr) bool {
	have, err := l.Addrs()
	if err != nil {
		return false
	}
	for _, h := range have {
		if p, ok := h.(*net.IPNet); ok && p.IP.Equal(a.WithZone("").AsSlice()) {
			return true
		}
	}
	return false
}

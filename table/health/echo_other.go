//go:build !linux

package health

import (
	"errors"
	"net"
	"net/netip"
)

func (d *dialer) openEcho(netip.Addr) (net.Conn, error) {
	return nil, d.cannot(errors.ErrUnsupported)
}

func setMark(int, uint32) error { return errors.ErrUnsupported }

func bindToDevice(int, string) error { return errors.ErrUnsupported }

//go:build !linux

package table

import (
	"errors"
	"net"
	"net/netip"
)

func (s *probeSocket) openEcho(netip.Addr) (net.Conn, error) {
	return nil, s.unable(errors.ErrUnsupported)
}

func setMark(int, uint32) error { return errors.ErrUnsupported }

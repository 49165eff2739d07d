//go:build !linux

package capture

import (
	"errors"
	"net/netip"
	"time"
)

// A Reader does not exist here.
type Reader struct{}

// Open fails with errors.ErrUnsupported.
func Open([]uint32, []netip.Prefix) (*Reader, error) { return nil, errors.ErrUnsupported }

// Select fails with errors.ErrUnsupported.
func (*Reader) Select([]uint32, []netip.Prefix) error { return errors.ErrUnsupported }

// SetReadDeadline fails with errors.ErrUnsupported.
func (*Reader) SetReadDeadline(time.Time) error { return errors.ErrUnsupported }

// Read fails with errors.ErrUnsupported.
func (*Reader) Read() (Packet, error) { return Packet{}, errors.ErrUnsupported }

// Lost fails with errors.ErrUnsupported.
func (*Reader) Lost() (uint64, error) { return 0, errors.ErrUnsupported }

// Close does nothing.
func (*Reader) Close() error { return nil }

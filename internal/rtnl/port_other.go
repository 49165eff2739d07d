//go:build !linux

package rtnl

// SetReadBuffer fails with errors.ErrUnsupported.
func (*Subscription) SetReadBuffer(int) error { return errNoNetlink }

// Port returns 0.
func Port(Executor) uint32 { return 0 }

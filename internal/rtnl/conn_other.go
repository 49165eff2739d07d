//go:build !linux

package rtnl

import (
	"errors"
	"iter"
	"syscall"

	"github.com/mdlayher/netlink"
)

// A Conn is a NETLINK_ROUTE or NETLINK_NETFILTER socket, which only Linux has.
type Conn struct{}

var errNoNetlink = &netlink.OpError{Op: "dial", Err: errors.ErrUnsupported}

// Dial fails with errors.ErrUnsupported.
func Dial(*netlink.Config) (*Conn, error) { return nil, errNoNetlink }

// DialNetfilter fails with errors.ErrUnsupported.
func DialNetfilter(*netlink.Config) (*Conn, error) { return nil, errNoNetlink }

// Close fails with errors.ErrUnsupported.
func (*Conn) Close() error { return errNoNetlink }

// SyscallConn fails with errors.ErrUnsupported.
func (*Conn) SyscallConn() (syscall.RawConn, error) { return nil, errNoNetlink }

// Execute fails with errors.ErrUnsupported.
func (*Conn) Execute(netlink.Message) ([]netlink.Message, error) { return nil, errNoNetlink }

// Stream fails with errors.ErrUnsupported.
func (*Conn) Stream(netlink.Message) iter.Seq2[netlink.Message, error] {
	return func(yield func(netlink.Message, error) bool) { yield(netlink.Message{}, errNoNetlink) }
}

// Ask fails with errors.ErrUnsupported.
func (*Conn) Ask([]netlink.Message, func(int, netlink.Message, error)) error { return errNoNetlink }

// Batch fails with errors.ErrUnsupported.
func (*Conn) Batch([]netlink.Message) ([]error, error) { return nil, errNoNetlink }

// Transact fails with errors.ErrUnsupported.
func (*Conn) Transact([]netlink.Message) ([]error, error) { return nil, errNoNetlink }

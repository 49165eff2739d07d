//go:build !linux

package rtnl

import "github.com/mdlayher/netlink"

// NetNS fails with errors.ErrUnsupported.
func NetNS(Executor) (int, error) { return 0, errNoNetlink }

// SubscribeLike fails with errors.ErrUnsupported.
func SubscribeLike(Executor, ...uint32) (*Subscription, error) { return nil, errNoNetlink }

// Pending fails with errors.ErrUnsupported.
func (*Subscription) Pending(func(netlink.Message) error) error { return errNoNetlink }

// Inside fails with errors.ErrUnsupported.
func Inside(Executor, func() error) error { return errNoNetlink }

//go:build !linux

package rtnl

import (
	"context"

	"github.com/mdlayher/netlink"
)

// A Subscription is a socket that receives the kernel's events, which only
// Linux has.
type Subscription struct{}

// Subscribe fails with errors.ErrUnsupported.
func Subscribe(*netlink.Config, ...uint32) (*Subscription, error) { return nil, errNoNetlink }

// SubscribeNetfilter fails with errors.ErrUnsupported.
func SubscribeNetfilter(*netlink.Config, ...uint32) (*Subscription, error) { return nil, errNoNetlink }

// Close fails with errors.ErrUnsupported.
func (*Subscription) Close() error { return errNoNetlink }

// Receive fails with errors.ErrUnsupported.
func (*Subscription) Receive(context.Context, func(netlink.Message) error) error { return errNoNetlink }

// Pending fails with errors.ErrUnsupported.
func (*Subscription) Pending(func(netlink.Message) error) error { return errNoNetlink }

// Wait fails with errors.ErrUnsupported.
func (*Subscription) Wait(context.Context) error { return errNoNetlink }

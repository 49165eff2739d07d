//go:build !linux

package rtnl

import "context"

// Lock fails with errors.ErrUnsupported.
func Lock(context.Context, Executor) (unlock func() error, err error) { return nil, errNoNetlink }

// LockOwner fails with errors.ErrUnsupported.
func LockOwner(context.Context, Executor) (unlock func(), err error) { return nil, errNoNetlink }

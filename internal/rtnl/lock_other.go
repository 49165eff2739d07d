//go:build !linux

package rtnl

import (
	"context"
	"syscall"
)

// Lock fails with errors.ErrUnsupported.
func Lock(context.Context, syscall.Conn) (unlock func() error, err error) { return nil, errNoNetlink }

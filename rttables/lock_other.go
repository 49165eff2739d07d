//go:build !darwin && !dragonfly && !freebsd && !linux && !netbsd && !openbsd && !windows

package rttables

import (
	"context"
	"errors"
	"os"
)

func lockDir(_ context.Context, dir string) (*dirLock, error) {
	return nil, &os.PathError{Op: "lock", Path: dir, Err: errors.ErrUnsupported}
}

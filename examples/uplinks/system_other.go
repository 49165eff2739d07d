//go:build !linux

package main

import (
	"errors"
	"net"
	"os"
	"time"
)

// Other systems do not have rtnetlink, so these functions do nothing.

func monotonic() time.Duration { return 0 }

func isStream(*os.File, string) bool { return false }

func inNetns(string, func() error) error { return errors.ErrUnsupported }

func peer(*net.UnixConn) (pid, uid int, err error) { return 0, 0, errors.ErrUnsupported }

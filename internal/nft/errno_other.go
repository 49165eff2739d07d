//go:build !linux

package nft

import "errors"

// errRestart is an error that only Linux has.
var errRestart = errors.New("interrupted system call should be restarted")

package rtnl

import "errors"

// ErrLocked is the error of [Lock] if its context ends first.
var ErrLocked = errors.New("another process is at work on the uplinks of this network namespace")

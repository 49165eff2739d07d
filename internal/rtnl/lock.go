package rtnl

import "errors"

// ErrLocked is why [Lock] gives up when its context ends.
var ErrLocked = errors.New("another process is at work on the uplinks of this network namespace")

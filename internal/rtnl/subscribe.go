package rtnl

import "errors"

// ErrOverrun reports that the kernel had more events than the socket's buffer could
// hold, and dropped some. What was read from the kernel before is out of date.
// Nothing that happens after the error is missed.
var ErrOverrun = errors.New("events were lost: the receive buffer was full")

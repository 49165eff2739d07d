package rtnl

import "errors"

// ErrOverrun reports that the kernel had more events than the socket's buffer
// took, and dropped some. What was read from the kernel before it is out of date,
// and nothing that happens after it is missed.
var ErrOverrun = errors.New("events were lost: the receive buffer was full")

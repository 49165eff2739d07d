package rtnl

import "errors"

// ErrOverrun reports that the kernel had more events than the socket's buffer
// took, and dropped some. What was read from the kernel before is out of date;
// the subscription goes on.
var ErrOverrun = errors.New("events were lost: the receive buffer was full")

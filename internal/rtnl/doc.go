// Package rtnl is the socket under the verbs: it executes a request, streams a
// dump, and sends a batch, over a NETLINK_ROUTE socket that
// github.com/mdlayher/netlink has opened.
//
// The verbs need no more than an [Executor]. What a [Conn] can do beyond that
// is found by type assertion, in [Dump] and [Send]. A [Queue] holds the requests
// of a batch.
package rtnl

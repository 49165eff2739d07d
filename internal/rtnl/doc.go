// Package rtnl has the netlink socket that the other packages use. It executes a
// request, streams a dump, and sends a batch, over a NETLINK_ROUTE socket that
// github.com/mdlayher/netlink has opened. A NETLINK_NETFILTER socket also sends a
// transaction.
//
// The other packages need only an [Executor]. [Dump], [Ask] and [Send] find the other
// methods of a [Conn] by type assertion. A [Queue] holds the requests of a batch.
//
// Functions of this package identify a network namespace by an [Executor] whose socket
// is in it. Only [Dial] and [Subscribe], which open a socket, take a descriptor
// instead, in netlink.Config.NetNS; [NetNS] returns one for a socket.
package rtnl

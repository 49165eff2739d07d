// Package rtnl has the socket that the verbs use. It executes a request, streams a
// dump, and sends a batch, over a NETLINK_ROUTE socket that
// github.com/mdlayher/netlink has opened. A NETLINK_NETFILTER socket also sends a
// transaction.
//
// The verbs need only an [Executor]. [Dump], [Ask] and [Send] find the further methods
// of a [Conn] by type assertion. A [Queue] holds the requests of a batch.
//
// A network namespace has one name here: the socket of an [Executor] that is in it.
// Only [Dial] and [Subscribe], which open a socket, take a descriptor instead, in
// netlink.Config.NetNS; [NetNS] returns one for a socket.
package rtnl

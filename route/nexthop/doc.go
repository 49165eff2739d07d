// Package nexthop adds, replaces, deletes and lists nexthop objects, as "ip nexthop"
// does, without running that program.
//
// A nexthop object is a next hop, or a group of next hops, that the kernel stores
// separately from routes. It has an ID, and routes refer to it in
// [route.Route.NextHopID]. So one request can change any number of routes:
//
//	id, err := nexthop.Add(ctx, c, nexthop.Object{Gateway: netip.MustParseAddr("192.168.2.1"), OIF: 5})
//	if err != nil {
//		return err
//	}
//	r := route.Route{Dst: netip.MustParsePrefix("10.0.0.0/8"), NextHopID: id}
//	if err := route.Add(ctx, c, r); err != nil {
//		return err
//	}
//	// All routes with the ID go to another router from now on.
//	n := nexthop.Object{ID: id, Gateway: netip.MustParseAddr("192.168.2.9"), OIF: 5}
//	if err := nexthop.Replace(ctx, c, n); err != nil {
//		return err
//	}
//
// The verbs of "ip nexthop", such as [Add] and [Replace], are functions that take a
// [route.Conn], which [route.Dial] opens. An [Object] is a plain value. Its text is its
// words in ip-nexthop(8). [Parse] reads this text, and [Object.String] returns it,
// without loss.
//
// # Errors
//
// [errors.Is] finds fs.ErrExist, fs.ErrNotExist, fs.ErrPermission and the kernel's error
// number; [errors.As] finds a *netlink.OpError. The text of an error has the verb, the
// object, and the kernel's own words:
//
//	nexthop: add "id 10 via 192.168.9.1 dev if5": network is unreachable: Nexthop has invalid gateway
//
// # What the kernel does
//
// When an interface is deleted, set down or loses its carrier, the kernel deletes the
// objects that use the interface, and the routes that refer to these objects, without an
// event. A route without an object stays when the carrier is lost, and gets the flag
// linkdown.
//
// Deleting an object deletes the routes that name it. There is an event for
// each IPv6 route, and none for an IPv4 route.
//
// A kernel older than 5.3 has no nexthop objects and answers EOPNOTSUPP.
package nexthop

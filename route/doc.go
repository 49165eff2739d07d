// Package route adds, replaces, deletes, lists and looks up the routes of
// Linux: what "ip route" does, without running it. It also opens the socket,
// [Dial], that all packages of this module send their requests over.
//
// A [Route] is a plain value: its fields are the words of ip-route(8), and its
// zero fields are unset. The verbs are functions over a [Conn]:
//
//	c, err := route.Dial(nil)
//	if err != nil {
//		return err
//	}
//	defer c.Close()
//
//	r := route.Route{
//		Gateway: netip.MustParseAddr("192.168.2.1"),
//		Table:   20,
//	}
//	if err := route.Replace(ctx, c, r); err != nil {
//		return err
//	}
//	links, err := route.ListLinks(ctx, c)
//	if err != nil {
//		return err
//	}
//	for r, err := range route.All(ctx, c, route.Filter{Table: 20}) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(r.Text(&route.Names{Links: links})) // default via 192.168.2.1 dev eth1 table 20 proto unspec
//	}
//
// Messages have the index of an interface where text has its name. [ListLinks]
// reads the names; without them the interface with the index 5 is if5.
//
// The text of a route is its words in ip-route(8). [Parse] reads what ip takes,
// [Route.String] prints it, and neither loses anything, so that a Route within
// JSON is one readable string. AppendBinary and UnmarshalBinary do the same for
// rtnetlink messages. What there is no field for goes to [Route.Unknown] and is
// kept there.
//
// # Errors
//
// [errors.Is] finds fs.ErrExist, fs.ErrNotExist, fs.ErrPermission and the
// kernel's error number; [errors.As] finds a *netlink.OpError. The text says
// the verb, the route, and what the kernel says about it:
//
//	route: add "10.0.0.0/8 via 192.168.9.1": network is unreachable: Nexthop has invalid gateway
//
// # What the kernel does
//
// In an IPv4 table, destination, TOS and priority are the key of a route:
// [Add] refuses a second route with the same key, whatever its gateway, and
// [Replace] replaces the first. Another priority makes another route. An IPv6
// route without a priority gets 1024.
//
// Bits of a destination beyond its length are refused for IPv4, and cleared in
// silence for IPv6. Compare a route that you want with one that is listed by
// [Route.Canonical] and [Route.Equal].
//
// When an interface goes down, or its last address goes, the kernel removes the
// IPv4 routes through it from all tables, and sends no event.
//
// A prefsrc must be an address of this host, and for IPv6 one that duplicate
// address detection is done with.
//
// Attributes that the kernel does not know, and those that belong to lookups
// only, such as SPort, are ignored in silence where a route is added: see [Add]
// for what the verbs do about it. So are those of another family or type: Expires
// and Preference of an IPv4 route, Src of one, Realms of an IPv6 route.
package route

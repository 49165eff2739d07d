// Package route adds, replaces, deletes, lists and looks up the routes of Linux:
// what "ip route" does, without running it. It also opens the socket that all
// packages of this module use: see [Dial].
//
// A [Route] is a plain value. Its fields are the words of ip-route(8), and its zero
// fields are unset. The verbs are functions that take a [Conn]:
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
//	names, err := route.ListNames(ctx, c)
//	if err != nil {
//		return err
//	}
//	for r, err := range route.All(ctx, c, route.Filter{Table: 20}) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(r.Text(names)) // default via 192.168.2.1 dev eth1 table 20
//	}
//
// Routes refer to interfaces by index; text uses names. [ListNames] reads the names.
// Without them, the interface with the index 5 is if5.
//
// The text of a route is its words in ip-route(8). [Parse] reads what ip(8) reads,
// [Route.String] returns it, and neither loses anything, so a Route in JSON is one
// readable string. AppendBinary and UnmarshalBinary do the same for rtnetlink
// messages. [Route.Unknown] keeps the attributes that have no field.
//
// Package route/nexthop has the nexthop objects that routes name by their IDs, and
// package route/show prints routes as ip(8) does.
//
// # Network namespaces
//
// The namespace is that of the socket. [Dial] and [Watch] take it as an open file in
// NetNS of a netlink.Config; a nil Config is the namespace of the calling thread:
//
//	f, err := os.Open("/run/netns/lan") // made by "ip netns add lan"; or /proc/PID/ns/net
//	if err != nil {
//		return err
//	}
//	defer f.Close()
//	c, err := route.Dial(&netlink.Config{NetNS: int(f.Fd())})
//
// All functions of this module that take a [Conn] work in the namespace of its socket,
// and open what further sockets they need in the same one. Those that take a function
// to dial with, such as maintain.Run, work in the namespace of the Conn that it returns.
//
// # Errors
//
// [errors.Is] finds fs.ErrExist, fs.ErrNotExist, fs.ErrPermission and the kernel's
// error number; [errors.As] finds a *netlink.OpError. The text has the verb, the
// route, and the kernel's own words:
//
//	route: add "10.0.0.0/8 via 192.168.9.1": network is unreachable: Nexthop has invalid gateway
//
// # What the kernel does
//
// In an IPv4 table, the destination, the TOS and the priority are the key of a
// route: [Add] refuses a second route with the same key, whatever its gateway, and
// [Replace] replaces the first. A route with another priority is another route. An
// IPv6 route without a priority gets 1024.
//
// The kernel refuses the bits of an IPv4 destination beyond its length, and clears
// those of an IPv6 destination. Use [Route.Canonical] and [Route.Equal] to compare a
// route with a listed one.
//
// When an interface goes down or loses its last address, the kernel removes the IPv4
// routes through it from all tables, without an event.
//
// A prefsrc must be an address of this host. For IPv6, duplicate address detection
// must have finished for it.
//
// In a route, the kernel silently ignores attributes that it does not know, and those
// that belong to lookups, such as SPort; see [Add] for what the verbs do about it. It
// also ignores attributes of another family or type: Expires, Preference and Src of
// an IPv4 route, Realms of an IPv6 route.
package route

// Package route adds, replaces, deletes, lists and looks up routes in the Linux kernel,
// as "ip route" does, without running that program. It also opens the socket that all
// packages of this module use: see [Dial].
//
// A [Route] is a plain value. Its fields are the words of ip-route(8), and its zero
// fields are unset. The verbs of "ip route", such as [Add] and [Replace], are functions
// that take a [Conn]:
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
// Routes refer to interfaces by index, and text refers to them by name. [ListNames]
// reads the names. In text without names, the interface with the index 5 is if5.
//
// The text of a route is its words in ip-route(8). [Parse] reads this text, and
// [Route.String] returns it, without loss. In JSON, a Route is one string of these
// words. AppendBinary and UnmarshalBinary do the same for rtnetlink messages.
// [Route.Unknown] keeps the attributes that have no field.
//
// Package route/nexthop has the nexthop objects that routes name by their IDs, and
// package route/show prints routes as ip(8) does.
//
// # Network namespaces
//
// A socket belongs to one network namespace. [Dial] and [Watch] take an open file of
// the namespace, in the field NetNS of a netlink.Config. A nil Config means the
// namespace of the calling thread:
//
//	f, err := os.Open("/run/netns/lan") // made by "ip netns add lan"; or /proc/PID/ns/net
//	if err != nil {
//		return err
//	}
//	defer f.Close()
//	c, err := route.Dial(&netlink.Config{NetNS: int(f.Fd())})
//
// Functions of this module that take a [Conn] work in the namespace of its socket. If
// they need more sockets, they open them in the same namespace. Functions that take a
// dial function, such as maintain.Run, work in the namespace of the Conn that the dial
// function returns.
//
// # Errors
//
// [errors.Is] finds fs.ErrExist, fs.ErrNotExist, fs.ErrPermission and the kernel's error
// number; [errors.As] finds a *netlink.OpError. The text of an error has the verb, the
// route, and the kernel's own words:
//
//	route: add "10.0.0.0/8 via 192.168.9.1": network is unreachable: Nexthop has invalid gateway
//
// # What the kernel does
//
// In an IPv4 table, the destination, the TOS and the priority are the key of a route:
// [Add] refuses a second route with the same key, whatever its gateway, and [Replace]
// replaces the first. Routes with different priorities are different routes. An IPv6
// route without a priority gets 1024.
//
// The kernel refuses an IPv4 destination that has bits set beyond its prefix length, and
// clears such bits of an IPv6 destination. Use [Route.Canonical] and [Route.Equal] to
// compare a route with a listed one.
//
// When an interface goes down or loses its last address, the kernel removes the IPv4
// routes through it from all tables, without an event.
//
// A prefsrc must be an address of this host. For an IPv6 address, duplicate address
// detection must have finished.
//
// In a route, the kernel silently ignores attributes that it does not know, and
// attributes that belong to lookups, such as SPort. The comment of [Add] says what the
// functions of this package do about that. The kernel also ignores attributes of another
// family or type: Expires, Preference and Src of an IPv4 route, Realms of an IPv6 route.
package route

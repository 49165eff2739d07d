// Package discover finds the uplinks of a host before anyone declares them: the default routes
// of DHCP clients, router advertisements and administrators, and the tables and rules that
// scripts have made.
//
//	host, err := discover.Read(ctx, c, "")
//	for _, u := range host.Uplinks {
//		fmt.Println(u.Uplink, u.Reasons)
//	}
//
// If an uplink is declared as it was found, and installed with Adopt of package table, packets
// go the same way as before, with two exceptions. If packets of an interface used another
// interface's default route, they now use the interface's own gateway, which is the purpose of
// uplinks. And prefixes on the link of an interface are reached on the link, even if the
// script's table has no route to them.
package discover

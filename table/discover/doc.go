// Package discover finds the uplinks that a host has before anyone declares them: the
// default routes of DHCP clients, router advertisements and administrators, and the tables
// and rules that scripts have made.
//
//	host, err := discover.Read(ctx, c, "")
//	for _, u := range host.Uplinks {
//		fmt.Println(u.Uplink, u.Reasons)
//	}
//
// An uplink that is declared as it was found, and installed with Adopt of package table, leads
// packets as they went before, with two exceptions. An interface whose packets went by
// another one's default route gets its own gateway, which is what uplinks are for. And
// prefixes on the link of an interface are reached on the link, even if the script's table
// has no route to them.
package discover

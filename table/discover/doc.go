// Package discover finds the uplinks that a host already uses, without a declaration: the
// default routes of DHCP clients, router advertisements and administrators, and the tables and
// rules that scripts have made.
//
//	host, err := discover.Read(ctx, c, "")
//	for _, u := range host.Uplinks {
//		fmt.Println(u.Uplink, u.Reasons)
//	}
//
// If Adopt of package table installs an uplink exactly as Read has returned it, packets take
// the same way as before, with two exceptions. If packets from the addresses of an interface
// used the default route of another interface, they now use the gateway of their own interface,
// which is the purpose of uplinks. And packets to prefixes on the link of an interface go
// directly to the link, even if the script's table has no route to these prefixes.
package discover

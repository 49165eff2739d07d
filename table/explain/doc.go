// Package explain says where a packet goes, and why: the decision of Linux about any
// packet, from the rules, routes, nexthop objects, interfaces, addresses and settings of
// a host, without the host.
//
// A [World] has that state. [Take] reads it from a host; [Parse] reads its text. A [FIB]
// is a World that is prepared for lookups. [FIB.Decide] returns the decision about a
// [Packet], and [FIB.Explain] the way to it: each rule in order with why it matched or
// not, and what its table had.
//
//	w, err := explain.Parse(`
//	rule add from 192.168.2.2 lookup 20 pref 1000
//	route add default via 192.168.1.1 dev eth0
//	route add default via 192.168.2.1 dev eth1 table 20
//	address add 192.168.1.2/24 dev eth0
//	address add 192.168.2.2/24 dev eth1`)
//	...
//	p, err := explain.ParsePacket("198.51.100.7 from 192.168.2.2")
//	...
//	fmt.Print(explain.NewFIB(w).Explain(p))
package explain

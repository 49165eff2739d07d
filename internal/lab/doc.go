// Package lab makes networks inside the running kernel, for tests and for the demo: network
// namespaces, links between them, addresses, sockets, and taps that count packets. It uses
// the real kernel, needs neither root nor another program, and leaves nothing behind,
// however the process ends.
//
// A test package runs its tests through [Main]. A program calls [Enter] first in main. After
// that, [Test] and [New] make a [Lab]:
//
//	func TestMain(m *testing.M) { lab.Main(m) }
//
//	func TestReply(t *testing.T) {
//		l := lab.Test(t)
//		server, isp := l.NS("server"), l.NS("isp")
//		server.Link("u1", isp, "g1")
//		server.Addr("u1", "10.1.0.2/24")
//		isp.Addr("g1", "10.1.0.1/24")
//
//		tap := isp.Tap("g1")
//		conn, err := server.Dial(t.Context(), "udp", "", "10.1.0.1:53")
//		…
//		if got := tap.Count(func(p lab.Packet) bool { return p.Proto == 17 }); got != 1 {
//
// Methods that build the network return no error. In a test their failure fails the test.
// In a program the first failure is kept, see [Lab.Err]. Methods that open sockets or run
// functions, such as [NS.Dial] and [NS.Do], return their errors.
//
// [NS.Config] is the configuration for a netlink socket in a namespace. Another process
// opens a namespace with [NS.Path] and [Lab.Open].
//
// By default a namespace sends little by itself: IPv6 sends no duplicate address detection
// and no router solicitations. IPv4 does not filter reverse paths. The kernel still sends
// neighbour discovery, and IPv6 reports multicast groups on a new link. So a test should
// count the packets that it sent, and not all packets.
//
// On systems other than Linux all functions fail with errors.ErrUnsupported.
package lab

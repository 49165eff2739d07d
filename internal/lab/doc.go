// Package lab makes networks inside the running kernel, for the tests and the
// demo: network namespaces, the links between them, addresses, sockets, and
// taps that count packets. It mocks nothing, runs no program, needs no root,
// and leaves nothing behind, however the process ends.
//
// A test package runs its tests through [Main]; a program calls [Enter] first
// in main. From then on [Test] and [New] make a [Lab]:
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
// Steps that build the network have no result to check: in a test they fail
// it, in a program they stick, see [Lab.Err]. What a test is about (sockets,
// [NS.Do]) returns its error.
//
// Another package of this module opens its own netlink socket in a namespace
// with [NS.Config], and another process with [NS.Path] and [Lab.Open].
//
// A namespace is quiet unless it is asked to be otherwise: IPv6 sends no
// duplicate address detection and no router solicitations, and IPv4 filters no
// reverse paths. What is left is neighbour discovery, and the reports of
// multicast groups with which IPv6 greets a new link. So match the packets
// that a test is about rather than count all of them.
//
// On systems other than Linux everything fails with errors.ErrUnsupported.
package lab

// Package tabletest has the network in which package table and the packages below
// it are tested, and what watches an uplink there.
//
// A [Network] is a server with two uplinks, in network namespaces of its own. Its
// methods install uplinks, say what rules and routes the server has, and where
// packets go: as the kernel says ([Network.Matrix]) and as the routers receive them
// ([Network.WantRouter]). A [Recorder] and a [Watcher] stand between an operation
// and its socket. [Changes] are the changes that are tried after every request,
// failed and killed.
//
// Every package that uses it needs
//
//	func TestMain(m *testing.M) { tabletest.Main(m) }
//
// where Main is given every [Child] that the package has of its own. Its tests are
// external ones, package x_test, as this package imports table. No package that users
// import may import it: it imports testing.
package tabletest

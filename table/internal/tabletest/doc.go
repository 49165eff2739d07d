// Package tabletest has the test network for package table and the packages below it,
// and functions that check uplinks on it.
//
// A [Network] is a server with two uplinks, in network namespaces of its own. Its
// methods install uplinks, return the rules and routes of the server, and find out
// where packets go: by asking the kernel ([Network.Matrix]) and by watching the routers
// ([Network.WantRouter]). A [Recorder] and a [Watcher] wrap the socket of an operation.
// [Changes] are the changes that tests interrupt after each request, by a failure or a
// kill.
//
// Every package that uses it needs
//
//	func TestMain(m *testing.M) { tabletest.Main(m) }
//
// where Main is given every [Child] that the package has of its own. Its tests must be
// in a package x_test, because this package imports table. Packages for users must not
// import this package, because it imports testing.
package tabletest

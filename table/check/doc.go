// Package check finds problems with uplinks: missing rules and routes, and other things on
// the host that affect uplinks, such as other programs, filters, servers and the order of
// rules.
//
// [Run] reads the host and returns findings. Each [Finding] has a [Code], a [Severity],
// a sentence for people, and a command or setting that solves the problem:
//
//	found, err := check.Run(ctx, c, lan2)
//	...
//	for _, f := range found {
//		fmt.Println(f)
//	}
//
// Settings are written in the words of the file uplinks.conf of the program
// examples/uplinks. [Examine] also accepts facts that an administrator knows but that
// cannot be read from the host.
//
// Run changes nothing and sends no packet. It reads links, addresses, rules and routes
// once. To find out where packets go, it asks the kernel to look up routes.
package check

// Package check finds out whether uplinks are as they should be, and what else on the host
// will cause trouble for them: other programs, filters, servers, the order of rules.
//
// [Run] reads the host and returns findings. Each [Finding] has a [Code] that does not
// change, a [Severity], a sentence for people, and a command or setting that cures the
// trouble:
//
//	found, err := check.Run(ctx, c, lan2)
//	...
//	for _, f := range found {
//		fmt.Println(f)
//	}
//
// Cures are commands, and words of the file of the program examples/uplinks. [Examine] also
// takes facts that an administrator knows and the host does not show.
//
// Run changes nothing and sends no packet. It reads links, addresses, rules and routes
// once. It asks the kernel where packets go, because the kernel knows all rules.
package check

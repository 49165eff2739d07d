// Package check finds out whether uplinks are as they should be, and what else on
// the host will cause trouble for them: other programs, filters, servers, the order
// of rules.
//
// [Run] reads the host and returns what it finds. Each [Finding] has a [Code] that
// does not change, a [Severity], a sentence for people, and a command or setting
// that cures the trouble:
//
//	found, err := check.Run(ctx, c, lan2)
//	...
//	for _, f := range found {
//		fmt.Println(f)
//	}
//
// Cures are commands, and words of the file of the program examples/uplinks. [Examine] also
// takes what an administrator knows and the host does not show.
//
// Run changes nothing and sends no packet. Links, addresses, rules and routes are
// read once. Where packets go is asked of the kernel, which knows all rules.
package check

// Package snapshot reads all rules and routes of a host as they are at one moment.
//
// A plain listing of rules or routes can be wrong: if another program deletes a rule
// during the listing, the kernel can leave out another rule that still exists. [Take]
// lists again what has changed during a listing, and returns a [Snapshot].
//
// The text of a Snapshot is the commands of ip(8) that make the same rules and
// routes on a host with the same interfaces and addresses. [Parse] reads the text.
// [Diff] of two Snapshots returns the commands that lead from one to the other:
//
//	before, err := snapshot.Take(ctx, c)
//	...
//	after, err := snapshot.Take(ctx, c)
//	...
//	fmt.Print(snapshot.Diff(before, after))
package snapshot

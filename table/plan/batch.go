package plan

import (
	"context"
	"strings"

	"github.com/policyroute/policyroute/route"
)

// A Batch is a list of changes to one table of nf_tables. The kernel makes all of them in
// one step, or none: each packet passes the chains as they were before or as they are after.
// Package reply makes batches.
type Batch interface {
	// Table returns the family and the name of the table, such as "inet policyroute".
	Table() string

	// Lines returns the changes in the words of nft(8), as lines of a file for "nft -f".
	Lines() []string

	// Commit makes the changes in the network namespace of c. If they have been made
	// already, Commit does nothing. If the table has neither the state for which the batch
	// was made nor the resulting state, Commit fails and changes nothing.
	Commit(ctx context.Context, c route.Conn) error

	// Inverse returns the batch that undoes the changes.
	Inverse() Batch
}

// nftCommand returns the shell command for a batch. Its text is one word for the shell.
func nftCommand(b Batch) string {
	return "nft -f - <<'EOF'\n" + strings.Join(b.Lines(), "\n") + "\nEOF"
}

package plan

import (
	"context"
	"strings"

	"github.com/policyroute/policyroute/route"
)

// A Batch is changes to one table of nf_tables. The kernel makes all of them in one step, or
// none: each packet passes the chains as they were before or as they are after. Package
// reply makes batches.
type Batch interface {
	// Table returns the family and the name of the table, such as "inet policyroute".
	Table() string

	// Lines returns the changes in the words of nft(8), as the file of "nft -f" has them.
	Lines() []string

	// Commit has the kernel make the changes, in the network namespace of c. If they are
	// made already, Commit does nothing. If the table is neither as it was when the batch
	// was made nor as it is to be, Commit fails and changes nothing.
	Commit(ctx context.Context, c route.Conn) error

	// Inverse returns the batch that undoes the changes.
	Inverse() Batch
}

// nftCommand returns the shell command for a batch. Its text is one word for the shell.
func nftCommand(b Batch) string {
	return "nft -f - <<'EOF'\n" + strings.Join(b.Lines(), "\n") + "\nEOF"
}

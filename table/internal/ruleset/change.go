package ruleset

import (
	"context"
	"errors"
	"fmt"

	"github.com/policyroute/policyroute/internal/nft"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/plan"
)

// A Change is a batch that makes the contents of a table other contents. It is a
// [plan.Batch].
type Change struct {
	From, To *nft.Contents // of the same table
}

var _ plan.Batch = (*Change)(nil)

// Table returns the family and the name of the table.
func (c *Change) Table() string {
	t := &c.To.Table
	return t.Family.String() + " " + t.Name
}

// Lines returns the changes in the words of nft(8).
func (c *Change) Lines() []string {
	var lines []string
	for _, o := range difference(c.From, c.To) {
		lines = append(lines, o.text(c.To, c.From))
	}
	return lines
}

// Inverse returns the change back. Elements of sets that the Change has deleted do not come
// back.
func (c *Change) Inverse() plan.Batch { return &Change{From: c.To, To: c.From} }

// commitTries is how often Commit asks the kernel while answers are lost.
const commitTries = 3

// Commit has the kernel make the change. If an answer is lost, it finds out whether the change
// was made. See [plan.Batch].
func (c *Change) Commit(ctx context.Context, conn route.Conn) (err error) {
	for range commitTries {
		if err = c.commit(ctx, conn); err == nil || rtnl.IsVerdict(err) {
			break
		}
	}
	return err
}

func (c *Change) commit(ctx context.Context, conn route.Conn) error {
	return WithConn(conn, func(n nft.Conn) error {
		t := &c.To.Table
		return nft.Update(ctx, n, t.Family, t.Name, func(now *nft.Contents) (*nft.Batch, error) {
			b := new(nft.Batch)
			switch {
			case now.Equal(c.To):
				return b, nil
			case !now.Equal(c.From):
				return nil, rtnl.NotSent(fmt.Errorf("table %s: %w", c.Table(), errChanged))
			}
			for _, o := range difference(c.From, c.To) {
				o.add(b)
			}
			return b, nil
		})
	})
}

var errChanged = errors.New("another program has changed it since the plan was made")

// Read returns what the kernel has of a table.
func Read(ctx context.Context, c route.Conn, f nft.Family, table string) (now *nft.Contents, err error) {
	err = WithConn(c, func(n nft.Conn) error {
		now, err = nft.Read(ctx, n, f, table)
		return err
	})
	return now, err
}

// A Dialer is a connection that also opens a connection to nf_tables in its own way. Tests
// use it to fail requests.
type Dialer interface {
	DialNFT() (c nft.Conn, closeConn func() error, err error)
}

// WithConn calls do with a connection to nf_tables in the network namespace of c.
func WithConn(c route.Conn, do func(nft.Conn) error) error {
	if d, ok := c.(Dialer); ok {
		n, closeConn, err := d.DialNFT()
		if err != nil {
			return err
		}
		defer closeConn()
		return do(n)
	}
	n, err := nft.DialLike(c)
	if err != nil {
		return err
	}
	defer n.Close()
	return do(n)
}

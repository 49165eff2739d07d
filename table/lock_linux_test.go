package table_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/plan"
)

// Who has to wait says so when the context ends, and has changed nothing; another
// network namespace has a lock of its own.
func TestLock(t *testing.T) {
	n := tabletest.NewNetwork(t)
	before := n.Snapshot()
	entered, leave := make(chan struct{}), make(chan struct{})
	held := make(chan error, 1)
	go func() {
		rec := &holder{Socket: n.Conn, entered: entered, leave: leave}
		held <- n.Uplink2(tabletest.IPv4).Install(context.Background(), rec)
	}()
	<-entered
	during := n.Snapshot()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	u := n.Uplink1(tabletest.IPv4)
	for name, err := range map[string]error{
		"Install": u.Install(ctx, n.Conn), "Remove": u.Remove(ctx, n.Conn), "Recover": table.Recover(ctx, n.Conn),
	} {
		if !errors.Is(err, plan.ErrLocked) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s beside another: %v, want ErrLocked and DeadlineExceeded", name, err)
		}
	}
	n.WantSnapshot("those that wait", during)
	other := tabletest.NewNetwork(t)
	other.Install(other.Uplink2(tabletest.IPv4))
	// *netlink.Conn has the same lock.
	c, err := netlink.Dial(0, n.Server.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := u.Install(ctx, c); !errors.Is(err, plan.ErrLocked) {
		t.Errorf("Install with a *netlink.Conn: %v, want ErrLocked", err)
	}
	close(leave)
	if err := <-held; err != nil {
		t.Error(err)
	}
	if err := u.Install(t.Context(), c); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	n.Remove(n.Uplink1(tabletest.IPv4), n.Uplink2(tabletest.IPv4))
	n.WantSnapshot("Remove", before)
}

// A holder stops at the first request that changes something.
type holder struct {
	*route.Socket
	entered, leave chan struct{}
	once           bool
}

func (h *holder) Execute(m netlink.Message) ([]netlink.Message, error) {
	if tabletest.IsChange(m) && !h.once {
		h.once = true
		close(h.entered)
		<-h.leave
	}
	return h.Socket.Execute(m)
}

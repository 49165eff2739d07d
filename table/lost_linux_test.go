package table_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/plan"
)

// lostReplies are errors that come instead of a reply.
var lostReplies = []error{
	errno(syscall.EIO), errno(syscall.ENOMEM), errno(syscall.ENOBUFS), os.ErrDeadlineExceeded,
	&netlink.OpError{Op: "receive", Err: net.ErrClosed}, &netlink.OpError{Op: "send", Err: syscall.EPERM},
}

// From some request on, each one that changes something gets no reply. The kernel does it
// all the same, or does nothing. After Install, an update and Remove the host is as before:
// what was done is found by reading.
func TestRepliesAreLost(t *testing.T) {
	i := 0
	lostAtEveryRequest(t, func(n *tabletest.Network, from, to []table.SourceRoutedUplink, k int) bool {
		i++
		before := n.Snapshot()
		rec := &tabletest.Recorder{Conn: n.Conn, Done: i%2 == 0}
		rec.Fail = func(_ int, m netlink.Message) error {
			if len(rec.Writes) < k || !tabletest.IsChange(m) {
				return nil
			}
			return lostReplies[i%len(lostReplies)]
		}
		err := n.Apply(t.Context(), rec, from, to)
		if err == nil {
			return false
		}
		var step *plan.StepError
		if !errors.As(err, &step) {
			t.Fatalf("request %d: got %v, want a *StepError", k, err)
		}
		if !rec.Done { // what was done before cannot be undone, and the error says so
			wantLeft(t, fmt.Sprintf("request %d", k), n, before, step, false)
			return true
		}
		if len(step.Left) > 0 {
			t.Errorf("request %d: %v", k, err)
		}
		n.WantSnapshot(fmt.Sprintf("request %d: %v", k, err), before)
		return true
	})
}

// The socket is gone after some request, whose reply is lost. The error lists all that may
// be left, and says of which it is not certain.
func TestSocketIsLost(t *testing.T) {
	i := 0
	lostAtEveryRequest(t, func(n *tabletest.Network, from, to []table.SourceRoutedUplink, k int) bool {
		i++
		before := n.Snapshot()
		rec := &tabletest.Recorder{Conn: n.Conn}
		rec.Fail = func(_ int, m netlink.Message) error {
			if len(rec.Writes) < k {
				return nil
			}
			if rec.Done = len(rec.Writes) == k && tabletest.IsChange(m) && i%2 == 0; rec.Done {
				rec.Writes = append(rec.Writes, 0) // only this one is done
			}
			return lostReplies[i%len(lostReplies)]
		}
		err := n.Apply(t.Context(), rec, from, to)
		if err == nil {
			return false
		}
		var step *plan.StepError
		if errors.As(err, &step) {
			wantLeft(t, fmt.Sprintf("request %d", k), n, before, step, true)
		} else {
			n.WantSnapshot(fmt.Sprintf("request %d: %v", k, err), before)
		}
		return true
	})
}

// lostAtEveryRequest calls try with requests of Install, an update and Remove, until it
// returns false. In one family the uplink has so many rules that they go in batches.
func lostAtEveryRequest(t *testing.T, try func(n *tabletest.Network, from, to []table.SourceRoutedUplink, k int) bool) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		n.AddLAN()
		for _, many := range []bool{false, true} {
			u, v, every := n.FullUplink(f), n.FullUplink(f), 1
			if many {
				if f != tabletest.IPv4 {
					break
				}
				u, every = manyUplink(n), tabletest.Times(1, 7)
				v = u
			}
			tabletest.OtherGateway(&v, f)
			none, one, other := []table.SourceRoutedUplink(nil), []table.SourceRoutedUplink{u}, []table.SourceRoutedUplink{v}
			for name, x := range map[string][2][]table.SourceRoutedUplink{
				"Install": {none, one}, "update": {one, other}, "Remove": {one, none},
			} {
				restore := func() {
					n.Remove(u)
					if err := table.Recover(t.Context(), n.Conn); err != nil {
						t.Fatal(err)
					}
					n.Install(x[0]...)
				}
				restore()
				k := 1
				for ; try(n, x[0], x[1], k); k += every {
					restore()
				}
				if k < 2 {
					t.Errorf("%s: no request failed: the test proves nothing", name)
				}
			}
		}
	})
}

// wantLeft fails unless a step error lists all that is left of what was done, or is missing
// of what was there before.
func wantLeft(t *testing.T, what string, n *tabletest.Network, before string, e *plan.StepError, uncertain bool) {
	t.Helper()
	after := n.Snapshot()
	added, missing := linesNotIn(after, before), linesNotIn(before, after)
	certain := 0
	for _, l := range e.Left {
		if !l.Uncertain {
			certain++
		}
	}
	// A route that was replaced is one step, and two lines.
	if max(len(added), len(missing)) > len(e.Left) || certain > len(added)+len(missing) {
		t.Errorf("%s: left is\n%s\nmissing is\n%s\nand reported: %v", what, strings.Join(added, "\n"), strings.Join(missing, "\n"), e)
	}
	if uncertain && !slices.ContainsFunc(e.Left, func(l plan.LeftError) bool { return l.Uncertain }) {
		t.Errorf("%s: it is certain of all: %v", what, e)
	}
}

// linesNotIn returns the lines of a that b does not have.
func linesNotIn(a, b string) []string {
	other := strings.Split(b, "\n")
	return slices.DeleteFunc(strings.Split(a, "\n"), func(line string) bool { return slices.Contains(other, line) })
}

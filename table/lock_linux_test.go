package table_test

import (
	"context"
	"errors"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/lab"
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

// A countJob counts to a number, with others that use the same file.
type countJob struct {
	File       string
	Goroutines int
	Rounds     int // of each goroutine
}

var countChild = tabletest.NewChild("count", func(ns *netlink.Config, j countJob) error { return j.count(ns) })

func (j countJob) count(ns *netlink.Config) error {
	errs := make([]error, j.Goroutines)
	var all sync.WaitGroup
	for i := range errs {
		c, err := route.Dial(ns)
		if err != nil {
			return err
		}
		defer c.Close()
		all.Go(func() {
			for n := 0; n < j.Rounds && errs[i] == nil; n++ {
				errs[i] = plan.Lock(context.Background(), c, j.increment)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// increment reads the number in the file, and writes the next one.
func (j countJob) increment() error {
	text, err := os.ReadFile(j.File)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(string(text))
	if err != nil {
		return err
	}
	time.Sleep(100 * time.Microsecond)
	return os.WriteFile(j.File, []byte(strconv.Itoa(n+1)), 0o600)
}

// Many processes and goroutines exclude each other, also beside processes that have a part
// of the lock or take it again and again.
func TestLockMany(t *testing.T) {
	n := tabletest.NewNetwork(t)
	for _, x := range []struct {
		name string
		hold *lab.Hold
	}{
		{"none", nil}, {"ordinary", &lab.Hold{}}, {"orphan", &lab.Hold{Orphan: true}}, {"again and again", &lab.Hold{Again: true, PIDNS: true}},
	} {
		release := func() {}
		if x.hold != nil {
			_, release = n.Server.Hold(*x.hold)
		}
		job := countJob{File: t.TempDir() + "/number", Goroutines: 4, Rounds: tabletest.Times(50, 15)}
		if err := os.WriteFile(job.File, []byte("0"), 0o600); err != nil {
			t.Fatal(err)
		}
		const processes = 4
		var all sync.WaitGroup
		for range processes {
			all.Go(func() {
				if out, err := n.Child(countChild, job).CombinedOutput(); err != nil {
					t.Errorf("obstacle %s: %v: %s", x.name, err, out)
				}
			})
		}
		all.Wait()
		release()
		text, err := os.ReadFile(job.File)
		if want := strconv.Itoa(processes * job.Goroutines * job.Rounds); err != nil || string(text) != want {
			t.Errorf("obstacle %s: %s times out of %s: %v", x.name, text, want, err)
		}
	}
}

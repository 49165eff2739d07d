package reply_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"testing"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/plan"
)

// A fault is something that goes wrong with a request.
type fault struct {
	name string
	err  error // nil ends the context instead
	done bool  // the kernel does it nevertheless
}

func errno(e syscall.Errno) error { return &netlink.OpError{Op: "receive", Err: e} }

var faults = []fault{
	{"EPERM", errno(syscall.EPERM), false},
	{"ENOBUFS", errno(syscall.ENOBUFS), false},
	{"lost answer", errno(syscall.ENOBUFS), true},
	{"cancelled", nil, true},
	{"unknown afterwards", tabletest.ErrInjected, true},
}

// After a failure at any request the state is what it was, clients included, and packets go
// as before. The error names the step.
func TestFailAtEveryRequest(t *testing.T) {
	i := 0
	forChanges(t, func(t *testing.T, p *prober, x change) {
		p.again(x.from)
		for j, fault := range faults {
			if tabletest.Full() || (i+j)%len(faults) < 2 {
				p.failAtEveryRequest(x, fault)
			}
		}
		i++
	})
}

func (p *prober) failAtEveryRequest(x change, fault fault) {
	t := p.T
	before, clients, packets := state(p.Network), remembered(p.Network), p.look()
	steps := 0
	for k := 1; ; k++ {
		ctx, cancel := context.WithCancel(t.Context())
		rec := &tabletest.Recorder{Conn: p.Conn, Done: fault.done}
		isNFT := false
		rec.Fail = func(seen int, m netlink.Message) error {
			if seen != k {
				return nil
			}
			isNFT = m.Header.Type>>8 == uapi.NFNL_SUBSYS_NFTABLES || m.Header.Type == uapi.NFNL_MSG_BATCH_BEGIN
			if fault.err == nil {
				cancel()
			}
			return fault.err
		}
		err := replySync(ctx, rec, x.to)
		cancel()
		at := fmt.Sprintf("%s at request %d: %v", fault.name, k, err)
		if err == nil && isNFT && fault.err != nil && !errors.Is(fault.err, syscall.EPERM) {
			// The kernel was asked again, and said what became of the request.
			steps++
			p.again(x.from)
			continue
		}
		if err == nil {
			if rec.Seen >= k && fault.err != nil {
				t.Errorf("%s: the request failed, and there is no error", at)
			}
			break
		}
		if want := fault.err; want == nil && !errors.Is(err, context.Canceled) || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: want %v", at, want)
		}
		var step *plan.StepError
		if errors.As(err, &step) {
			steps++
			if len(step.Left) > 0 || step.Step.Op == 0 || step.Command() == "" {
				t.Errorf("%s: %d steps are left", at, len(step.Left))
			}
		}
		tabletest.WantText(t, at+": the state is not as before", before, state(p.Network))
		if now := remembered(p.Network); !slices.Equal(now, clients) && !x.forgets {
			t.Errorf("%s: clients %v are now %v", at, clients, now)
		}
		if x.forgets {
			p.remember()
		}
		if k%3 == 0 {
			tabletest.WantText(t, at+": packets do not go as before", packets, p.look())
		}
	}
	t.Logf("%s: %d steps failed, or were looked at again", fault.name, steps)
	if steps == 0 {
		t.Errorf("%s: no step failed", fault.name)
	}
	p.again(x.from)
}

// again installs a policy, and has clients ask.
func (p *prober) again(d declared) {
	p.T.Helper()
	if err := d.apply(p.Network, p.Conn); err != nil {
		p.T.Fatal(err)
	}
	p.remember()
}

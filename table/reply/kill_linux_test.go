package reply_test

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"testing"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/reply"
)

// A job is what a process does, and after which of its requests it dies.
type job struct {
	To     declared
	KillAt int // the number of the request that changes something
}

var child = tabletest.NewChild("reply", func(ns *netlink.Config, j job) error {
	c, err := route.Dial(ns)
	if err != nil {
		return err
	}
	defer c.Close()
	return replySync(context.Background(), tabletest.KillAfter(c, j.KillAt), j.To)
})

func TestMain(m *testing.M) { tabletest.Main(m, child) }

// replySync makes a declared policy the one that is installed.
func replySync(ctx context.Context, c route.Conn, to declared) error {
	return reply.Sync(ctx, c, to.Policy, to.Uplinks...)
}

// killed runs a job and reports whether it was killed.
func killed(n *tabletest.Network, j job) bool {
	n.T.Helper()
	out, err := n.Child(child, j).CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return false
	case errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL:
		return true
	}
	n.T.Fatalf("the child process: %v\n%s", err, out)
	return false
}

// After a kill at any request packets go by the old policy or by the new one. The next call
// finishes the rest, in either direction. Without -full there is a kill at every second
// request that changes something, and after each batch.
func TestKill(t *testing.T) {
	offset := 0
	forChanges(t, func(t *testing.T, p *prober, x change) {
		offset++
		p.killAtEveryRequest(x, 1+offset%tabletest.Times(1, 2), tabletest.Times(1, 2))
	})
}

func (p *prober) killAtEveryRequest(x change, first, every int) {
	t := p.T
	p.again(x.from)
	stateBefore, before := state(p.Network), p.look()
	rec := &tabletest.Recorder{Conn: p.Conn}
	if err := replySync(t.Context(), rec, x.to); err != nil {
		t.Fatal(err)
	}
	p.remember()
	stateAfter, after := state(p.Network), p.look()
	kills := 0
	for k := range rec.Writes {
		if (k+1-first)%every != 0 && rec.Writes[k] != uapi.NFNL_MSG_BATCH_BEGIN {
			continue
		}
		p.again(x.from)
		if !killed(p.Network, job{x.to, k + 1}) {
			t.Errorf("request %d: the process was not killed", k+1)
			break
		}
		kills++
		at := fmt.Sprintf("killed after request %d of %d", k+1, len(rec.Writes))
		tabletest.WantEither(t, at+": packets", before+"\n", after+"\n", p.look()+"\n")
		back := kills%2 == 0
		if back {
			p.again(x.from)
		} else {
			p.again(x.to)
		}
		want := map[bool]string{true: stateBefore, false: stateAfter}[back]
		tabletest.WantText(t, fmt.Sprintf("%s, then back %v", at, back), want, state(p.Network))
	}
	t.Logf("%d kills, before %q, after %q", kills, before, after)
	if kills == 0 {
		t.Error("nothing was killed")
	}
}

package table_test

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/plan"
)

// killed runs a job and reports whether it was killed.
func killed(n *tabletest.Network, j tabletest.Job) bool {
	n.T.Helper()
	out, err := n.Process(j).CombinedOutput()
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

// After a kill at any request, traffic is as before or as after. Recover, in a
// new process, leaves an uplink that is complete or gone, and traffic as it is; a
// second one changes nothing; and Install and Remove get to where they would have.
// Without -full each of some changes is tried in one family, with a kill at every third
// request, of which the first is the first, second or third of the change.
func TestKill(t *testing.T) {
	offset := 0
	tabletest.ForChanges(t, tabletest.SomeChanges(), tabletest.IPv6, func(t *testing.T, n *tabletest.Network, f tabletest.Family, x tabletest.Change) {
		killAtRequests(t, n, f, x, offset)
		offset++
	})
}

// killEvery returns how many requests there are from one kill to the next.
func killEvery() int { return tabletest.Times(1, 3) }

func killAtRequests(t *testing.T, n *tabletest.Network, f tabletest.Family, x tabletest.Change, offset int) {
	from, to := x.From(n, f), x.To(n, f)
	n.Narrow(f, from, to)
	look := func() string { return n.Matrix(f, x.Sources(f)...) }
	nothing := n.Snapshot()
	states := map[string]string{n.Kernel(): "nothing left"}
	n.Install(from...)
	before := look()
	states[n.Kernel()] = map[bool]string{true: "nothing left", false: "complete, old"}[len(from) == 0]
	p, err := table.PlanInstall(t.Context(), n.Conn, to...)
	rec := &tabletest.Recorder{Conn: n.Conn}
	if err == nil {
		err = n.Apply(t.Context(), rec, from, to)
	}
	if err != nil {
		t.Fatal(err)
	}
	first := 1 + offset%min(killEvery(), len(rec.Writes))
	detours := len(from) > 0 && strings.Contains(p.String(), "throw")
	after := look()
	if len(to) > 0 {
		states[n.Kernel()] = "complete, new"
	}
	j := tabletest.Job{Install: to}
	if len(to) == 0 {
		j.Remove = from
	}
	kills := 0
	for j.KillAt = first; ; j.KillAt += killEvery() {
		n.Remove(append(to, from...)[:1]...)
		n.WantSnapshot("Remove", nothing)
		n.Install(from...)
		if !killed(n, j) {
			break
		}
		kills++
		at := fmt.Sprintf("killed after request %2d", j.KillAt)
		now := look()
		tabletest.WantEither(t, at+": where packets go", before, after, now)
		did := recovered(n, at)
		tabletest.WantText(t, at+": Recover changes where packets go", now, look())
		if p, err := table.PlanRecover(t.Context(), n.Conn); err != nil || !p.Empty() {
			t.Errorf("%s: a second Recover would do, error %v:\n%s", at, err, p)
		}
		state := states[n.Kernel()]
		if state == "" && detours && now == after {
			state = "complete, new, where it had made way for itself"
		}
		if state == "" {
			t.Errorf("%s: after Recover, neither nothing, nor as it was, nor as it was to be:\n%s", at, n.Kernel())
		}
		t.Logf("%s: traffic as %s; Recover: %s; %s", at, traffic(now, before, after), did, state)
		if err := n.Apply(t.Context(), n.Conn, from, to); err != nil {
			t.Fatalf("%s: %v", at, err)
		}
		tabletest.WantText(t, at+": where packets go after the next one", after, look())
		n.WantNothingToDo(to...)
	}
	if kills == 0 {
		t.Error("nothing was killed")
	}
	t.Logf("%d kill points", kills)
}

// traffic says which of two policies packets go by.
func traffic(now, before, after string) string {
	switch {
	case before == after:
		return "before and after"
	case now == before:
		return "before"
	}
	return "after"
}

// recovered runs Recover, with -full in a process of its own, and says what it did.
func recovered(n *tabletest.Network, at string) string {
	n.T.Helper()
	p, err := table.PlanRecover(n.T.Context(), n.Conn)
	if err != nil {
		n.T.Fatal(err)
	}
	var out []byte
	if tabletest.Full() {
		out, err = n.Process(tabletest.Job{Recover: true}).CombinedOutput()
	} else {
		err = table.Recover(n.T.Context(), n.Dial(n.Server))
	}
	if err != nil {
		n.T.Fatalf("%s: Recover: %v\n%s", at, err, out)
	}
	if p.Empty() {
		return "nothing to do"
	}
	var rules, routes int
	for _, s := range p.Steps {
		switch s.Op {
		case plan.DeleteRule:
			rules++
		case plan.DeleteRoute:
			routes++
		default:
			n.T.Errorf("%s: Recover would do %s", at, s)
		}
	}
	return fmt.Sprintf("deletes %d rules and %d routes", rules, routes)
}

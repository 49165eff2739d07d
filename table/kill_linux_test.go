package table_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table"
)

// A job is what a child process does to uplinks, and after which of its requests
// it dies.
type job struct {
	NetNS    string // path
	Install  []table.SourceRoutedUplink
	Remove   []table.SourceRoutedUplink
	KillAt   int // the number of the request that changes something; 0: never
	Repeat   int // times to install and remove; 0: once, and only one of them
	Recover  bool
	Lonely   bool // do not wait for others
	Readline bool // wait for a line on standard input first
	Maintain []declared
	Buffer   int // the ReceiveBuffer of Maintain
}

// jobVariable has the job of a child process.
const jobVariable = "POLICYROUTE_TABLE_JOB"

func TestMain(m *testing.M) {
	if s := os.Getenv(jobVariable); s != "" {
		if err := doJob(s); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	lab.Main(m)
}

// doJob is the child process.
func doJob(s string) error {
	var j job
	if err := json.Unmarshal([]byte(s), &j); err != nil {
		return err
	}
	f, err := os.Open(j.NetNS)
	if err != nil {
		return err
	}
	dial := func() (route.Conn, error) { return route.Dial(&netlink.Config{NetNS: int(f.Fd())}) }
	if len(j.Maintain) > 0 {
		return maintainJob(dial, j)
	}
	socket, err := route.Dial(&netlink.Config{NetNS: int(f.Fd())})
	if err != nil {
		return err
	}
	var c route.Conn = socket
	if j.KillAt > 0 {
		c = &killer{Socket: socket, left: j.KillAt}
	}
	if j.Lonely {
		c = &recorder{c: socket} // its namespace is not to be found
	}
	if j.Readline {
		var line string
		fmt.Println("ready")
		fmt.Scanln(&line)
	}
	ctx := context.Background()
	if j.Recover {
		return table.Recover(ctx, c)
	}
	for range max(j.Repeat, 1) {
		if len(j.Install) > 0 {
			if err := table.Install(ctx, c, j.Install...); err != nil {
				return err
			}
		}
		if len(j.Remove) > 0 {
			if err := table.Remove(ctx, c, j.Remove...); err != nil {
				return err
			}
		}
	}
	return nil
}

// A killer kills its own process once so many requests that change something were
// answered.
type killer struct {
	*route.Socket
	left int
}

func (k *killer) Execute(m netlink.Message) ([]netlink.Message, error) {
	reply, err := k.Socket.Execute(m)
	if m.Header.Type&3 != 2 {
		if k.left--; k.left == 0 {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	return reply, err
}

// child is a process for a job in the server's namespace.
func (n *network) child(j job) *exec.Cmd {
	n.t.Helper()
	j.NetNS = n.server.Path()
	b, err := json.Marshal(j)
	if err != nil {
		n.t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), jobVariable+"="+string(b))
	return cmd
}

// killed runs a job and reports whether it was killed.
func (n *network) killed(j job) bool {
	n.t.Helper()
	out, err := n.child(j).CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return false
	case errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL:
		return true
	}
	n.t.Fatalf("the child process: %v\n%s", err, out)
	return false
}

// some are the changes that are killed, and failed: install, update and remove of
// the plain form and of the full ladder, and with -full all others.
func some() []change {
	if *allOfIt {
		return changes
	}
	return slices.DeleteFunc(slices.Clone(changes), func(x change) bool {
		return !slices.Contains([]string{
			"install plain", "install full", "update gateway of plain", "update gateway of full",
			"update table of plain", "remove plain", "remove full",
		}, x.name)
	})
}

// After a kill at any request, traffic is as before or as after. Recover, in a
// new process, leaves an uplink that is complete or gone, and traffic as it is; a
// second one changes nothing; and Install and Remove get to where they would have.
func TestKill(t *testing.T) {
	forChanges(t, some(), killAtEveryRequest)
}

func killAtEveryRequest(t *testing.T, n *network, f family, x change) {
	from, to := x.from(n, f), x.to(n, f)
	n.narrow(f, from, to)
	look := func() string { return n.matrix(f, x.sources(f)...) }
	nothing := n.snapshot()
	states := map[string]string{n.kernel(): "nothing left"}
	n.install(from...)
	before := look()
	states[n.kernel()] = map[bool]string{true: "nothing left", false: "complete, old"}[len(from) == 0]
	p, err := table.PlanInstall(t.Context(), n.c, to...)
	if err == nil {
		err = n.apply(t.Context(), n.c, from, to)
	}
	if err != nil {
		t.Fatal(err)
	}
	detours := len(from) > 0 && strings.Contains(p.String(), "throw")
	after := look()
	if len(to) > 0 {
		states[n.kernel()] = "complete, new"
	}
	j := job{Install: to}
	if len(to) == 0 {
		j.Remove = from
	}
	for j.KillAt = 1; ; j.KillAt++ {
		n.remove(append(to, from...)[:1]...)
		n.unchanged("Remove", nothing)
		n.install(from...)
		if !n.killed(j) {
			break
		}
		at := fmt.Sprintf("killed after request %2d", j.KillAt)
		now := look()
		if now != before && now != after {
			t.Errorf("%s: neither\n%snor\n%sbut\n%s", at, before, after, now)
		}
		did := n.recovered(at)
		if got := look(); got != now {
			t.Errorf("%s: Recover changes where packets go, from\n%sto\n%s", at, now, got)
		}
		if p, err := table.PlanRecover(t.Context(), n.c); err != nil || !p.Empty() {
			t.Errorf("%s: a second Recover would do, error %v:\n%s", at, err, p)
		}
		state := states[n.kernel()]
		if state == "" && detours && now == after {
			state = "complete, new, where it had made way for itself"
		}
		if state == "" {
			t.Errorf("%s: after Recover, neither nothing, nor as it was, nor as it was to be:\n%s", at, n.kernel())
		}
		t.Logf("%s: traffic as %s; Recover: %s; %s", at, traffic(now, before, after), did, state)
		if err := n.apply(t.Context(), n.c, from, to); err != nil {
			t.Fatalf("%s: %v", at, err)
		}
		if now := look(); now != after {
			t.Errorf("%s: the next one makes it\n%sinstead of\n%s", at, now, after)
		}
		n.wantNothingToDo(to...)
	}
	if j.KillAt == 1 {
		t.Error("nothing was killed")
	}
	t.Logf("%d kill points", j.KillAt-1)
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
func (n *network) recovered(at string) string {
	n.t.Helper()
	p, err := table.PlanRecover(n.t.Context(), n.c)
	if err != nil {
		n.t.Fatal(err)
	}
	var out []byte
	if *allOfIt {
		out, err = n.child(job{Recover: true}).CombinedOutput()
	} else {
		err = table.Recover(n.t.Context(), n.dial(n.server))
	}
	if err != nil {
		n.t.Fatalf("%s: Recover: %v\n%s", at, err, out)
	}
	if p.Empty() {
		return "nothing to do"
	}
	var rules, routes int
	for _, s := range p.Steps {
		switch s.Op {
		case table.DeleteRule:
			rules++
		case table.DeleteRoute:
			routes++
		default:
			n.t.Errorf("%s: Recover would do %s", at, s)
		}
	}
	return fmt.Sprintf("deletes %d rules and %d routes", rules, routes)
}

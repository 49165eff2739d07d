package maintain_test

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/maintain"
)

// A declared is an Uplink as JSON, without functions.
type declared struct {
	Uplink table.SourceRoutedUplink
	Learn  route.Family
}

// A maintainJob is what a child process maintains.
type maintainJob struct {
	Uplinks []declared
	Buffer  int // the ReceiveBuffer of Run
	Rate    float64
	// Silent is a directory whose file system does not answer. Empty: there is none.
	Silent string
}

var maintainChild = tabletest.NewChild("maintain", doMaintainJob)

// doMaintainJob is the child process that maintains uplinks. It logs to standard
// error, at the end its counters as well, says "ready" on standard output, and ends
// with its parent.
func doMaintainJob(ns *netlink.Config, j maintainJob) error {
	if j.Silent != "" {
		if err := mountSilent(j.Silent); err != nil {
			fmt.Println("no mount")
			return err
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	var uplinks []maintain.Uplink
	for _, d := range j.Uplinks {
		for i := range d.Uplink.Also {
			d.Uplink.Also[i].Table = 0 // as text a rule has one
		}
		uplinks = append(uplinks, maintain.Uplink{SourceRoutedUplink: d.Uplink, Learn: d.Learn})
	}
	var counters maintain.Counters
	defer func() { fmt.Fprintln(os.Stderr, "counters", &counters) }()
	dial := func() (route.Conn, error) { return route.Dial(ns) }
	return maintain.Run(ctx, dial, &maintain.Config{
		Rate: cmp.Or(j.Rate, 1000), Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)), ReceiveBuffer: j.Buffer, Counters: &counters,
		Event: func(e maintain.Event) {
			if e.Kind == maintain.EventReady {
				fmt.Println("ready")
			}
		},
	}, uplinks...)
}

// A process is a child that maintains uplinks.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	stdin io.Closer
	log   *tail
}

// start starts a child that maintains uplinks, and waits until it is ready. It may
// have a receive buffer of another size than Run's own.
func start(n *tabletest.Network, uplinks []maintain.Uplink, buffer int) *process {
	n.T.Helper()
	var all []declared
	for _, u := range uplinks {
		for i := range u.Also {
			u.Also[i].Action, u.Also[i].Table = rule.ActionLookup, u.Table
		}
		all = append(all, declared{u.SourceRoutedUplink, u.Learn})
	}
	return startCommand(n, n.Child(maintainChild, maintainJob{Uplinks: all, Buffer: buffer}))
}

// startCommand starts a child that maintains uplinks, and waits until it is ready.
func startCommand(n *tabletest.Network, cmd *exec.Cmd) *process {
	n.T.Helper()
	p := &process{t: n.T, cmd: cmd, log: new(tail)}
	p.cmd.Stderr = p.log
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		n.T.Fatal(err)
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		n.T.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		n.T.Fatal(err)
	}
	p.stdin = stdin
	if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		p.kill()
		n.T.Fatalf("the child is not ready: %v\n%s", err, p.log.last(20))
	}
	return p
}

// frozen calls do while the child is stopped.
func (p *process) frozen(do func()) {
	p.t.Helper()
	pid := p.cmd.Process.Pid
	var status syscall.WaitStatus
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		p.t.Fatal(err)
	}
	defer syscall.Kill(pid, syscall.SIGCONT)
	if _, err := syscall.Wait4(pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		p.t.Fatalf("the child does not stand still: status %#x, error %v", status, err)
	}
	do()
}

// stop ends the child, and returns its log.
func (p *process) stop() string {
	p.t.Helper()
	p.stdin.Close()
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("the child: %v", err)
	}
	return p.log.last(1000)
}

// kill kills the child.
func (p *process) kill() {
	p.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatal(err)
	}
	p.stdin.Close()
	p.cmd.Wait()
}

// A tail is the last lines of a log.
type tail struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *tail) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// last returns the last lines.
func (l *tail) last(count int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := strings.Split(l.text.String(), "\n")
	return strings.Join(lines[max(0, len(lines)-count):], "\n")
}

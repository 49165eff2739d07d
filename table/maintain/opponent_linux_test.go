package maintain_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/maintain"
)

// rivalName is how a rival calls itself. It would clear a terminal, and begin a line.
const rivalName = "\x1b[2Jri\nval"

// rivalNameShown is how the name is printed.
const rivalNameShown = `\x1b[2Jri\x0aval`

// A rivalJob is what a rival does.
type rivalJob struct {
	Port  uint32 // of its socket; 0: the kernel chooses
	Fight bool   // delete the rules of table 20 again and again
	// OwnPIDs says that it has a PID namespace of its own.
	OwnPIDs bool
}

var rivalChild = tabletest.NewChild("rival", func(ns *netlink.Config, j rivalJob) error {
	if j.OwnPIDs {
		if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
			return err
		}
	}
	if err := os.WriteFile("/proc/self/comm", []byte(rivalName), 0); err != nil {
		return err
	}
	ctx := context.Background()
	ns.PID = j.Port
	c, err := route.Dial(ns)
	if err != nil {
		return err
	}
	fmt.Println(rtnl.Port(c))
	for ; ; time.Sleep(5 * time.Millisecond) {
		for r, err := range rule.All(ctx, c, rule.Filter{Table: 20}) {
			if err == nil && j.Fight {
				err = rule.Delete(ctx, c, r)
			}
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
	}
})

// hiddenChild maintains uplinks with a /proc of its PID namespace.
var hiddenChild = tabletest.NewChild("hidden", func(ns *netlink.Config, j maintainJob) error {
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return err
	}
	return doMaintainJob(ns, j)
})

// late is a time that no test waits for.
var late = time.Now().Add(time.Hour)

// startRival starts a rival, and returns it with the port of its socket.
func startRival(n *tabletest.Network, j rivalJob) (cmd *exec.Cmd, port uint32) {
	n.T.Helper()
	cmd = n.Child(rivalChild, j)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if j.OwnPIDs {
		cmd.SysProcAttr.Cloneflags, cmd.SysProcAttr.Unshareflags = unix.CLONE_NEWPID, unix.CLONE_NEWNS
	}
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		runtime.LockOSThread() // Pdeathsig is of the thread
		defer runtime.UnlockOSThread()
		err = n.Server.Do(cmd.Start) // whoever has a socket in the namespace is normally in it
	}
	if err != nil {
		n.T.Fatal(err)
	}
	n.T.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err == nil {
		_, err = fmt.Sscan(line, &port)
	}
	if err != nil {
		n.T.Fatal(err)
	}
	return cmd, port
}

// A program is found by its socket, also one in a PID namespace of its own, where its ID is
// that of another process here.
func TestOpponent(t *testing.T) {
	n := tabletest.NewNetwork(t)
	for name, own := range map[string]bool{"here": false, "in a PID namespace of its own": true} {
		cmd, port := startRival(n, rivalJob{OwnPIDs: own})
		want := fmt.Sprintf("process %d (%s)", cmd.Process.Pid, rivalNameShown)
		if got := maintain.FindOpponent(n.Conn, port, 1e6, late); got != want {
			t.Errorf("%s, at port %d: %s, want %s", name, port, got, want)
		}
		if isOwn := port == uint32(cmd.Process.Pid); isOwn == own {
			t.Errorf("%s: process %d has port %d", name, cmd.Process.Pid, port)
		}
		// The work is bounded, and then nobody is accused.
		unknown := fmt.Sprintf("an unknown process (netlink port %d), perhaps in another PID namespace,", port)
		if got := maintain.FindOpponent(n.Conn, port, 1, late); got != unknown {
			t.Errorf("%s, after one descriptor: %s, want %s", name, got, unknown)
		}
		// Where descriptors cannot be read, as by a service without CAP_SYS_PTRACE, who uses
		// the port is a guess.
		perhaps := fmt.Sprintf("an unknown process (netlink port %d), perhaps process %d (%s)", port, cmd.Process.Pid, rivalNameShown)
		if got := unprivileged(n, port); got != perhaps {
			t.Errorf("%s, without privileges: %s, want %s", name, got, perhaps)
		}
		cmd.Process.Kill()
		cmd.Wait()
		want = fmt.Sprintf("a process that has ended, or has closed its socket (netlink port %d),", port)
		if got := maintain.FindOpponent(n.Conn, port, 1e6, late); got != want {
			t.Errorf("%s, after its end: %s, want %s", name, got, want)
		}
	}
	if got := maintain.FindOpponent(n.Conn, 0, 1e6, late); got != "something" {
		t.Errorf("without a port: %s", got)
	}
}

// unprivileged returns what a thread without capabilities finds.
func unprivileged(n *tabletest.Network, port uint32) string {
	n.T.Helper()
	found := make(chan string)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		err := unix.Setns(n.Server.FD(), unix.CLONE_NEWNET)
		if err == nil {
			err = unix.Capset(&header, &make([]unix.CapUserData, 2)[0])
		}
		if err != nil {
			found <- err.Error()
			return
		}
		found <- maintain.FindOpponent(n.Conn, port, 1e6, late)
	}()
	return <-found
}

// A program that this PID namespace does not show is not taken for the process that has the
// number of its port.
func TestOpponentHidden(t *testing.T) {
	t.Parallel()
	n := tabletest.NewNetwork(t)
	u := maintained(n.Uplink2(tabletest.IPv4))
	cmd := n.Child(hiddenChild, maintainJob{Uplinks: []declared{{u[0].SourceRoutedUplink, u[0].Learn}}, Rate: 0.1})
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID, Unshareflags: unix.CLONE_NEWNS}
	p := startCommand(n, cmd)
	defer p.kill()
	// There, process 1 is that which maintains, and 2 a thread of it.
	startRival(n, rivalJob{Port: 2, Fight: true})
	const want = `an unknown process (netlink port 2), perhaps in another PID namespace, keeps undoing it`
	for end := time.Now().Add(tabletest.Patience); !strings.Contains(p.log.last(1000), "uplink fighting"); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no fight\n%s", p.log.last(20))
		}
	}
	if log := p.stop(); !strings.Contains(log, want) {
		t.Errorf("the log does not say %s:\n%s", want, log)
	}
}

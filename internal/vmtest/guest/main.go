//go:build linux

// Guest is the first program of the virtual machine. It mounts the file systems that tests
// need, loads kernel modules, runs the test binaries of the plan, and turns the machine off. It
// refuses to run anywhere else.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/vmtest/guestos"
	"github.com/policyroute/policyroute/internal/vmtest/wire"
)

// worker is the argument with which process 1 starts the program again.
const worker = "worker"

func main() {
	switch {
	case os.Getpid() == 1:
		runInit()
	case len(os.Args) == 2 && os.Args[1] == worker && os.Getppid() == 1:
		if err := runJobs(); err != nil {
			fmt.Fprintln(os.Stderr, "guest:", err)
			os.Exit(1)
		}
	default:
		fmt.Fprintln(os.Stderr, "guest: runs in a virtual machine only")
		os.Exit(2)
	}
}

// runInit is the work of process 1. It waits for orphaned processes, because tests check that
// none is left. A second process runs the jobs, so that runInit does not take the exit status
// of its children.
func runInit() {
	defer powerOff()
	if err := mountAll(); err != nil {
		fmt.Fprintln(os.Stderr, "guest:", err)
		return
	}
	cmd := exec.Command("/proc/self/exe", worker)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "guest:", err)
		return
	}
	for {
		pid, err := unix.Wait4(-1, nil, 0, nil)
		if err != nil && !errors.Is(err, unix.EINTR) || pid == cmd.Process.Pid {
			return
		}
	}
}

// powerOff restarts the machine, on which the emulator exits. A restart needs no ACPI, unlike
// turning the machine off.
func powerOff() {
	unix.Sync()
	unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
}

func runJobs() error {
	port, err := guestos.OpenPort(wire.Port)
	if err != nil {
		return err
	}
	defer port.Close()
	events := guestos.NewSender(port)
	b, err := os.ReadFile(wire.PlanPath)
	if err != nil {
		return err
	}
	var plan wire.Plan
	if err := json.Unmarshal(b, &plan); err != nil {
		return err
	}

	for _, path := range plan.Modules {
		if err := guestos.LoadModule(path); err != nil {
			events.Send(wire.Event{Kind: wire.Note, Text: err.Error()})
		}
	}
	if err := setUp("lo"); err != nil {
		events.Send(wire.Event{Kind: wire.Note, Text: err.Error()})
	}
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return err
	}
	events.Send(wire.Event{Kind: wire.Ready, Text: unix.ByteSliceToString(uts.Release[:])})
	for _, job := range plan.Jobs {
		runJob(events, job)
	}
	events.Send(wire.Event{Kind: wire.End})
	return guestos.Drain(port)
}

// runJob runs one test binary. The last event that it sends is always Done.
func runJob(events *guestos.Sender, job wire.Job) {
	events.Send(wire.Event{Kind: wire.Start, Package: job.Package})
	start := time.Now()
	exit, killed := 0, false
	cmd := exec.Command(job.Binary, job.Args...)
	cmd.Dir = job.Dir
	cmd.Env = []string{"PATH=/bin", "HOME=/root", "USER=root"}
	cmd.Stdout = events
	cmd.Stderr = events
	// A child that outlives the test and has its output open must not block the guest.
	cmd.WaitDelay = 5 * time.Second
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	err := cmd.Start()
	if err == nil {
		limit := time.AfterFunc(job.Limit, func() { unix.Kill(-cmd.Process.Pid, unix.SIGKILL) })
		err = cmd.Wait()
		killed = !limit.Stop()
	}
	if err != nil {
		exit = -1
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			exit = failed.ExitCode()
		}
		if exit == -1 {
			fmt.Fprintln(events, err)
		}
	}
	events.Send(wire.Event{
		Kind: wire.Done, Package: job.Package,
		Exit: exit, Killed: killed, Elapsed: time.Since(start),
	})
}

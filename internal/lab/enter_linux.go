package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// enteredEnv is in the environment of the process that Enter starts, until that process
// calls Enter.
const enteredEnv = "POLICYROUTE_LAB_ENTERED"

func enter() error {
	_, entered := os.LookupEnv(enteredEnv)
	if err := os.Unsetenv(enteredEnv); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	if entered {
		// The process group is not the one of the terminal. Access to the
		// terminal would stop the process forever, because no shell continues
		// it. With these signals ignored, the access is an error.
		signal.Ignore(unix.SIGTTIN, unix.SIGTTOU)
	}
	fd, err := createNS()
	if err == nil {
		return closeFD(fd)
	}
	if !entered {
		err = runAgain()
	}
	return explainRefusal(err, os.DirFS("/proc/sys"), os.Getuid())
}

// runAgain runs this program again as root of a user namespace, and exits as that process
// does. It returns only if the process cannot be started.
func runAgain() error {
	// The child is killed when the thread that started it ends, so that thread must
	// not end before the process.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	cmd := exec.Command("/proc/self/exe")
	cmd.Args = os.Args
	cmd.Env = append(os.Environ(), enteredEnv+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		// The new network namespace belongs to the user namespace. The network
		// namespace of the host does not, so a thread that leaves it could not
		// return to it.
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   unix.SIGKILL,
		// In the process group of the terminal, the child would get a Ctrl-C
		// twice: from the terminal and from this process.
		Setpgid: true,
	}
	signals := catchSignals()
	if err := cmd.Start(); err != nil {
		signal.Reset()
		return err
	}
	go forwardSignals(signals, cmd.Process.Pid)
	exitAs(cmd)
	return nil
}

// catchSignals returns a channel for the signals that are passed on. A signal that was
// ignored at the start, as nohup(1) does, stays ignored, also in the child.
func catchSignals() <-chan os.Signal {
	c := make(chan os.Signal, 16)
	for _, s := range []os.Signal{
		unix.SIGINT, unix.SIGQUIT, unix.SIGHUP, unix.SIGTERM, unix.SIGTSTP,
	} {
		if !signal.Ignored(s) {
			signal.Notify(c, s)
		}
	}
	return c
}

// forwardSignals passes signals on. Signals that a terminal sends go to the process group of
// the child.
func forwardSignals(signals <-chan os.Signal, pid int) {
	for s := range signals {
		switch s := s.(syscall.Signal); s {
		case unix.SIGINT, unix.SIGQUIT, unix.SIGHUP:
			_ = unix.Kill(-pid, s)
		case unix.SIGTSTP:
			_ = unix.Kill(-pid, unix.SIGSTOP)
			stopProcess() // until the shell's fg or bg
			_ = unix.Kill(-pid, unix.SIGCONT)
		default:
			_ = unix.Kill(pid, s)
		}
	}
}

// stopProcess stops this process, as Ctrl-Z does. It sends the signal to the calling thread,
// so that the process is stopped before the call returns. A signal to the process could
// arrive at another thread, some time later.
func stopProcess() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = unix.Tgkill(os.Getpid(), unix.Gettid(), unix.SIGSTOP)
}

// exitAs waits for the child, and ends this process in the same way.
func exitAs(cmd *exec.Cmd) {
	err := cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
	status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !status.Signaled() {
		os.Exit(status.ExitStatus())
	}
	switch s := status.Signal(); s {
	case unix.SIGINT, unix.SIGHUP, unix.SIGTERM, unix.SIGKILL, unix.SIGPIPE:
		signal.Reset(s)
		_ = unix.Kill(os.Getpid(), s)
		time.Sleep(time.Second) // the signal may arrive at another thread
	}
	// For other signals the Go runtime would print the stack of this process, which
	// is of no use. A shell reports a signal as the same number.
	os.Exit(128 + int(status.Signal()))
}

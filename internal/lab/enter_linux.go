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

// marker is in the environment of the process that Enter starts, until that
// one calls Enter.
const marker = "POLICYROUTE_LAB_ENTERED"

func enter() error {
	_, entered := os.LookupEnv(marker)
	if err := os.Unsetenv(marker); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	if entered {
		// The process group is not the terminal's: what would stop the
		// process, forever since no shell watches it, becomes an error.
		signal.Ignore(unix.SIGTTIN, unix.SIGTTOU)
	}
	fd, err := createNS()
	if err == nil {
		return closeFD(fd)
	}
	if !entered {
		err = again()
	}
	return refused(err, os.DirFS("/proc/sys"), os.Getuid())
}

// again runs this program once more, as root of a user namespace, and ends
// this process as that one ends. It returns only if it cannot be started.
func again() error {
	// The child is killed when the thread that made it ends: it is to be a
	// thread that lasts as long as the process.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	cmd := exec.Command("/proc/self/exe")
	cmd.Args = os.Args
	cmd.Env = append(os.Environ(), marker+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		// The network namespace is one that the user namespace owns. The
		// host's is not: a thread that left it could not go back.
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   unix.SIGKILL,
		// In the terminal's own group the child would get a Ctrl-C twice:
		// from the terminal, and from us.
		Setpgid: true,
	}
	signals := catch()
	if err := cmd.Start(); err != nil {
		signal.Reset()
		return err
	}
	go forward(signals, cmd.Process.Pid)
	end(cmd)
	return nil
}

// catch asks for the signals that are passed on. A signal that whoever started
// us has had ignored, as nohup(1) does, stays ignored, in the child as well.
func catch() <-chan os.Signal {
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

// forward passes signals on. Those that a terminal sends go to the whole
// process group, as the terminal's would.
func forward(signals <-chan os.Signal, pid int) {
	for s := range signals {
		switch s := s.(syscall.Signal); s {
		case unix.SIGINT, unix.SIGQUIT, unix.SIGHUP:
			_ = unix.Kill(-pid, s)
		case unix.SIGTSTP:
			_ = unix.Kill(-pid, unix.SIGSTOP)
			pause() // until the shell's fg or bg
			_ = unix.Kill(-pid, unix.SIGCONT)
		default:
			_ = unix.Kill(pid, s)
		}
	}
}

// pause stops this process, as Ctrl-Z does. The signal goes to the calling
// thread, so that the thread is stopped when the call would return; one to the
// process is taken by any thread, some time later.
func pause() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = unix.Tgkill(os.Getpid(), unix.Gettid(), unix.SIGSTOP)
}

// end waits for the child and ends this process in the same way.
func end(cmd *exec.Cmd) {
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
		time.Sleep(time.Second) // another thread may be the one that takes it
	}
	// The rest would have the Go runtime print our stack, which is not the
	// one to look at; a shell shows them as this number too.
	os.Exit(128 + int(status.Signal()))
}

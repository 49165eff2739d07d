package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// silentEnv is set in a process that has to mount a file system which answers nothing at its
// value, and then to run the program with its arguments.
const silentEnv = "UPLINKS_TEST_SILENT"

// runOnSilent does what silentEnv asks for, and does not return then.
func runOnSilent() {
	dir := os.Getenv(silentEnv)
	if dir == "" {
		return
	}
	if err := mountSilent(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(99)
	}
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

// mountSilent mounts a file system that answers nothing. It is gone with this process.
func mountSilent(dir string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return os.NewSyscallError("mount private", err)
	}
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("open /dev/fuse", err)
	}
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", fd)
	return os.NewSyscallError("mount fuse", unix.Mount("silent", dir, "fuse", unix.MS_NOSUID|unix.MS_NODEV, options))
}

// onSilent runs a command of the program. The file system of the names does not answer it. It
// returns false if this process can mount no such file system, like that of an ordinary user.
func (h *host) onSilent(args ...string) (status int, out string, ok bool) {
	h.Helper()
	cmd := exec.CommandContext(h.Context(), "/proc/self/exe", append([]string{
		"-n", h.ns.Path(), "-f", h.file, "-etc", h.etc, "-control", h.control,
	}, args...)...)
	cmd.Env = append(os.Environ(), silentEnv+"="+h.etc)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
	b, _ := cmd.CombinedOutput()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() == 99 {
		h.Logf("not tried: %s", b)
		return 0, "", false
	}
	return cmd.ProcessState.ExitCode(), string(b), true
}

// A file system of the names that does not answer costs the names and some seconds, and
// nothing else. Each command says what does not answer.
func TestNamesOnSilentFileSystem(t *testing.T) {
	for _, x := range []struct {
		first, command string
		status         int
		rules          int
		warns          bool
	}{
		{"", "plan", exitPending, 0, true}, {"", "up", exitOK, 1, true},
		{"up", "check", exitOK, 1, false}, {"up", "down", exitFailure, 0, true},
	} {
		t.Run(x.first+" "+x.command, func(t *testing.T) {
			t.Parallel() // each of them waits
			h := newHost(t, oneUplink)
			if x.first != "" {
				h.run(exitOK, x.first)
			}
			status, out, ok := h.onSilent(x.command)
			if !ok {
				return
			}
			warning := "uplinks: warning: the name lan2 of table 20: the file system of " + h.etc + " does not answer\n"
			if status != x.status || x.warns != strings.Contains(out, warning) {
				t.Errorf("the exit status is %d, want %d; it prints\n%s\nwant a warning: %v", status, x.status, out, x.warns)
			}
			if n := h.rules(20); n != x.rules {
				t.Errorf("then there are %d rules, want %d", n, x.rules)
			}
		})
	}
}

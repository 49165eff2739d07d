package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/lab"
)

// mountsEnv is in the environment of the process that has a mount namespace of its own.
const mountsEnv = "POLICYROUTE_SOAK_MOUNTS"

// enter takes the process into user, network and mount namespaces of its own. It runs the
// program again for that, and then does not return. In a process that was started as an
// attacker it attacks, and does not return either.
func enter() error {
	if len(os.Args) > 1 && os.Args[1] == attackWord {
		os.Exit(attackMain(os.Args[2:]))
	}
	if err := lab.Enter(); err != nil {
		return err
	}
	if os.Getenv(mountsEnv) == "" {
		return runInMounts()
	}
	if err := os.Unsetenv(mountsEnv); err != nil {
		return err
	}
	// Nothing that is mounted here reaches the host.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return os.NewSyscallError("mount /", err)
	}
	// What the daemon puts into /run belongs to this world alone.
	return mountTmpfs("/run", "mode=755,size=16m")
}

// runInMounts runs the program again in a mount and a network namespace, and exits as it does.
func runInMounts() error {
	runtime.LockOSThread() // the child is killed when this thread ends
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = os.Args
	cmd.Env = append(os.Environ(), mountsEnv+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWNET,
		Pdeathsig:  unix.SIGKILL,
	}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("soak: a mount namespace: %w", err)
	}
	go func() {
		for s := range signals {
			_ = cmd.Process.Signal(s)
		}
	}()
	err := cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return err
	}
	code := cmd.ProcessState.ExitCode()
	if code < 0 {
		code = 2 // it was killed
	}
	os.Exit(code)
	return nil
}

func mountTmpfs(path, options string) error {
	if err := unix.Mount("tmpfs", path, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		return fmt.Errorf("soak: mount a tmpfs on %s: %w", path, err)
	}
	return nil
}

// makeDir makes the directory of the world, on a tmpfs. Everyone may read it.
func makeDir() (string, error) {
	dir, err := os.MkdirTemp("", "policyroute-soak")
	if err != nil {
		return "", err
	}
	return dir, errors.Join(os.Chmod(dir, 0o755), mountTmpfs(dir, "mode=755,size=128m"))
}

// removeDir removes it. What is mounted on it goes with it.
func removeDir(dir string) error {
	if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
		return os.NewSyscallError("umount", err)
	}
	return os.Remove(dir)
}

// build builds examples/uplinks.
func build(ctx context.Context, dir string) (string, error) {
	binary := filepath.Join(dir, "uplinks")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary, "github.com/policyroute/policyroute/examples/uplinks")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w: %s", err, out)
	}
	return binary, nil
}

// child returns the attributes of a process that ends with this one, and that a Ctrl-C of the
// terminal does not reach.
func child() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL, Setpgid: true}
}

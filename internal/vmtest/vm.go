package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/policyroute/policyroute/internal/vmtest/wire"
)

const qemu = "qemu-system-x86_64"

// A tool is a program and its package.
type tool struct{ program, pkg string }

// tools are the programs that the host needs, and their packages: the emulator, the program
// that unpacks modules, and ip(8), with which tests compare.
var tools = []tool{{qemu, "qemu-system-x86"}, {"xz", "xz-utils"}, {"ip", "iproute2"}}

// installTools installs the tools that are missing.
func installTools(ctx context.Context, tools []tool) error {
	var missing []string
	for _, t := range tools {
		if _, err := exec.LookPath(t.program); err != nil {
			missing = append(missing, t.pkg)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	fmt.Fprintln(os.Stderr, "vmtest: installing", strings.Join(missing, " "))
	var sudo []string
	if os.Geteuid() != 0 {
		sudo = []string{"sudo", "-n"}
	}
	for _, args := range [][]string{
		{"apt-get", "update", "-qq"},
		append([]string{"apt-get", "install", "-qq", "--no-install-recommends"}, missing...),
	} {
		args = append(slices.Clone(sudo), args...)
		if _, err := output(ctx, "", args[0], args[1:]...); err != nil {
			return fmt.Errorf("install %s\n%w", strings.Join(missing, " "), err)
		}
	}
	return nil
}

// accelerator returns kvm if it works, and otherwise tcg, which emulates the processor. Some
// virtual hosts have /dev/kvm although their processor does not report virtualization. A
// machine that is started there can hang.
func accelerator() string {
	f, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		return "tcg"
	}
	f.Close()
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "tcg"
	}
	for _, word := range strings.Fields(string(info)) {
		if word == "vmx" || word == "svm" {
			return "kvm"
		}
	}
	return "tcg"
}

// kernelArgs are the arguments of the kernel. At the first oops the kernel reboots, which ends
// the emulator. The mitigations are off because they cost time and nothing hostile runs in the
// guest.
const kernelArgs = "console=ttyS0 loglevel=5 panic=-1 oops=panic mitigations=off random.trust_cpu=on"

// qemuCommand returns the command for a machine with only two serial ports: the console is
// written to a file, and the events to standard output.
func qemuCommand(accel string, processors int, image, initramfs, console string) []string {
	return []string{
		qemu, "-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none", "-no-reboot",
		"-accel", accel, "-cpu", "max",
		"-smp", strconv.Itoa(processors), "-m", "1024",
		"-kernel", image, "-initrd", initramfs, "-append", kernelArgs,
		"-serial", "file:" + console,
		"-chardev", "stdio,id=events,signal=off", "-serial", "chardev:events",
	}
}

// boot runs a virtual machine, calls handle for each event, and returns when the machine has
// ended. It kills the machine when ctx ends, and when there was no event for the time silence.
// The error is not nil if the machine ended without wire.End.
func boot(ctx context.Context, command []string, silence time.Duration, handle func(wire.Event)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	// If this process is killed, the kernel kills the machine. It does so when the
	// thread ends that started the machine, so the thread has to stay.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	watchdog := time.AfterFunc(silence, func() {
		cancel(fmt.Errorf("no sign of life for %v", silence))
	})
	defer watchdog.Stop()

	ended, err := readEvents(stdout, func(e wire.Event) {
		watchdog.Reset(silence)
		handle(e)
	})
	if err != nil {
		cancel(err)
	}
	waited := cmd.Wait()
	switch {
	case context.Cause(ctx) != nil:
		return context.Cause(ctx)
	case waited != nil:
		return fmt.Errorf("%s: %w\n%s", command[0], waited, stderr.Bytes())
	case !ended:
		return errors.New("the machine went down before the tests had ended")
	}
	return nil
}

// readEvents reads events until the port closes, and returns whether the last event was
// wire.End.
func readEvents(r io.Reader, handle func(wire.Event)) (ended bool, err error) {
	dec := json.NewDecoder(r)
	for {
		var e wire.Event
		switch err := dec.Decode(&e); {
		case err == io.EOF:
			return ended, nil
		case err == io.ErrUnexpectedEOF: // the machine stopped in the middle of an event
			return false, nil
		case err != nil:
			return false, fmt.Errorf("events: %w", err)
		}
		ended = e.Kind == wire.End
		handle(e)
	}
}

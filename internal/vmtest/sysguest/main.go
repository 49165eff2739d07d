//go:build linux

// Sysguest runs in a virtual machine with Debian. As the first program it installs the
// uplinks as an administrator does, and starts systemd. systemd starts it again as a service,
// which plays two providers and runs the checks. It refuses to run anywhere else.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/vmtest/guestos"
	"github.com/policyroute/policyroute/internal/vmtest/wire"
)

func main() {
	os.Setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	var err error
	switch {
	case os.Getpid() == 1:
		err = runInit()
	case len(os.Args) == 2 && os.Args[1] == "checks" && os.Getenv("NOTIFY_SOCKET") != "":
		err = runChecks()
	default:
		fmt.Fprintln(os.Stderr, "sysguest: runs in a virtual machine only")
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "sysguest:", err)
		os.Exit(1)
	}
}

func readPlan() (wire.System, error) {
	var plan wire.System
	b, err := os.ReadFile(wire.PlanPath)
	if err != nil {
		return plan, err
	}
	return plan, json.Unmarshal(b, &plan)
}

// runInit prepares the file system, and becomes systemd.
func runInit() error {
	plan, err := readPlan()
	if err != nil {
		return err
	}
	for _, path := range plan.Modules {
		if err := guestos.LoadModule(path); err != nil {
			return err
		}
	}
	if err := mountRoot(); err != nil {
		return err
	}
	for _, fs := range []string{"proc", "devtmpfs"} { // systemctl needs both
		if err := unix.Mount(fs, map[string]string{"proc": "/proc", "devtmpfs": "/dev"}[fs], fs, 0, ""); err != nil {
			return fmt.Errorf("mount %s: %w", fs, err)
		}
	}
	if err := install(plan.Scenario); err != nil {
		return err
	}
	return unix.Exec("/sbin/init", []string{"/sbin/init"}, os.Environ())
}

// mountRoot mounts the root directory over itself. The services have file systems of their
// own, for which systemd needs pivot_root(2), and that does not work on the file system that
// the kernel unpacks at boot.
func mountRoot() error {
	if err := unix.Mount("/", "/mnt", "", unix.MS_BIND, ""); err != nil {
		return err
	}
	if err := unix.Chdir("/mnt"); err != nil {
		return err
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return err
	}
	if err := unix.Chroot("."); err != nil {
		return err
	}
	return unix.Chdir("/")
}

// systemctl runs systemctl before systemd runs: it changes files only.
func systemctl(args ...string) error {
	cmd := exec.Command("systemctl", args...)
	cmd.Env = append(os.Environ(), "SYSTEMD_OFFLINE=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("systemctl %v: %w\n%s", args, err, out)
	}
	return nil
}

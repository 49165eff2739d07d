package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/policyroute/policyroute/internal/vmtest/wire"
)

// systemdOptions are the flags of "vmtest systemd".
type systemdOptions struct {
	releases []debian
	units    []string
	run      string
	accel    string
	update   bool
	verbose  bool
}

func parseSystemdArgs(args []string) (systemdOptions, error) {
	var o systemdOptions
	set := flag.NewFlagSet("vmtest systemd", flag.ContinueOnError)
	releases := set.String("release", "trixie", "`codenames` of Debian releases")
	units := set.String("unit", strings.Join(wire.Scenarios, ","), "`units` to test, each of which is a boot")
	set.StringVar(&o.run, "run", "", "only the checks that match the `regexp`")
	set.StringVar(&o.accel, "accel", accelerator(), "`accelerator` of the emulator, kvm or tcg")
	set.BoolVar(&o.update, "update", false, "make the root file systems again, and look for newer kernels")
	set.BoolVar(&o.verbose, "v", false, "print what the checks do")
	if err := set.Parse(args); err != nil {
		return o, err
	}
	for name := range strings.SplitSeq(*releases, ",") {
		d, err := findDebian(name)
		if err != nil {
			fmt.Fprintln(os.Stderr, "vmtest:", err)
			return o, err
		}
		o.releases = append(o.releases, d)
	}
	o.units = strings.Split(*units, ",")
	for _, unit := range o.units {
		if !slices.Contains(wire.Scenarios, unit) {
			fmt.Fprintf(os.Stderr, "vmtest: no unit %q, but %s\n", unit, strings.Join(wire.Scenarios, " and "))
			return o, errUsage
		}
	}
	return o, nil
}

// systemdTools are the programs that the host needs, and their packages.
var systemdTools = []tool{{qemu, "qemu-system-x86"}, {"xz", "xz-utils"}, {"mmdebstrap", "mmdebstrap"}}

// A system is what the machines of one release share.
type system struct {
	debian
	kernel kernel
	mods   []*module
	tar    string // the root file system
	root   string // directory of the module under test
	// The program that does the checks, and the program under test.
	guest, program string
}

// testSystemd tests the service on Debian with systemd.
func testSystemd(ctx context.Context, o systemdOptions) error {
	dir, err := os.MkdirTemp("", "vmtest-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := installTools(ctx, systemdTools); err != nil {
		return err
	}
	root, self, err := moduleRoot(ctx)
	if err != nil {
		return err
	}
	guest, program := filepath.Join(dir, "sysguest"), filepath.Join(dir, "uplinks")
	if err := compile(ctx, self, "build", "-o", guest, "./sysguest"); err != nil {
		return err
	}
	if err := compile(ctx, root, "build", "-o", program, "./examples/uplinks"); err != nil {
		return err
	}
	var machines []machine
	for _, d := range o.releases {
		s, err := newSystem(ctx, d, o.update)
		if err != nil {
			return err
		}
		s.guest, s.program, s.root = guest, program, root
		for _, unit := range o.units {
			machines = append(machines, machine{s, unit, filepath.Join(dir, d.codename+"-"+unit)})
		}
	}
	return testMachines(ctx, machines, o)
}

// A machine is one boot.
type machine struct {
	*system
	unit string
	file string // the beginning of the names of its files
}

// testMachines boots the machines, as many at the same time as there are processors.
func testMachines(ctx context.Context, machines []machine, o systemdOptions) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	out := newOrderedOutput(os.Stdout, len(machines))
	slots := make(chan struct{}, runtime.NumCPU())
	failed := make([]bool, len(machines))
	var wg sync.WaitGroup
	for i, m := range machines {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			defer out.parts[i].Close()
			ok, err := m.test(ctx, o, out.parts[i])
			if err != nil {
				cancel(err)
			}
			failed[i] = !ok
		})
	}
	wg.Wait()
	switch err := context.Cause(ctx); {
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted")
	case err != nil:
		return err
	case slices.Contains(failed, true):
		return errFailed
	}
	return nil
}

// newSystem returns the kernel and the root file system of a release.
func newSystem(ctx context.Context, d debian, update bool) (*system, error) {
	c, err := openCache(ctx, update)
	if err != nil {
		return nil, err
	}
	defer c.close()
	s := &system{debian: d}
	if s.kernel, err = c.kernel(ctx, d.series); err != nil {
		return nil, err
	}
	if s.tar, err = c.root(ctx, d); err != nil {
		return nil, err
	}
	find, err := newFinder(ctx, s.kernel.modules)
	if err != nil {
		return nil, err
	}
	s.mods, err = loadOrder([]string{"af_packet", "veth"}, find)
	return s, err
}

// test boots the machine and runs the checks of the unit.
func (m *machine) test(ctx context.Context, o systemdOptions, w io.Writer) (bool, error) {
	initramfs, console := m.file+".initramfs", m.file+".console"
	plan := wire.System{Scenario: m.unit, Run: o.run, Verbose: o.verbose}
	err := writeFile(initramfs, func(w io.Writer) error { return m.writeInitramfs(w, plan) })
	if err != nil {
		return false, err
	}
	r := newCheckReport(w, m.debian, m.unit)
	r.verbose = o.verbose
	err = boot(ctx, systemdCommand(o.accel, m.kernel.image, initramfs, console), silence, r.handle)
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil {
		b, _ := os.ReadFile(console)
		fmt.Fprintf(w, "%s# %v\n", b, err)
		r.failed++
	}
	return r.summary(), nil
}

// silence is the longest time between two events. A check waits for minutes of the machine,
// which a busy host needs many more for.
const silence = 20 * time.Minute

// systemdCommand returns the command for a machine. In the emulator its clock counts
// instructions: so a busy host does not make the machine late, and a machine in which nothing
// runs does not wait. It has one processor then.
func systemdCommand(accel, image, initramfs, console string) []string {
	processors := 2
	var count []string
	if accel == "tcg" {
		processors, count = 1, []string{"-icount", "shift=3,sleep=off"}
	}
	command := qemuCommand(accel, processors, image, initramfs, console)
	command[slices.Index(command, "-append")+1] += " net.ifnames=0 systemd.show_status=0"
	return append(command, count...)
}

// installed are the files that an administrator copies, and where to.
var installed = map[string]string{
	"examples/uplinks/uplinks-run.service":          "/etc/systemd/system/",
	"examples/uplinks/uplinks-wait.service":         "/etc/systemd/system/",
	"examples/uplinks/uplinks.service":              "/etc/systemd/system/",
	"examples/uplinks/networkd.conf.d/uplinks.conf": "/etc/systemd/networkd.conf.d/",
}

// notNeeded are units that take time, and that nothing here needs. networkd would make
// network-online.target wait by itself, and the test is about the uplinks.
var notNeeded = []string{
	"systemd-networkd-wait-online.service", "serial-getty@ttyS0.service", "getty@tty1.service", "getty-static.service",
	"systemd-udev-trigger.service", "systemd-udev-load-credentials.service", "systemd-logind.service",
	"systemd-network-generator.service", "systemd-random-seed.service", "systemd-update-utmp.service",
	"systemd-binfmt.service", "systemd-pstore.service", "systemd-repart.service", "systemd-modules-load.service",
	"systemd-remount-fs.service", "kmod-static-nodes.service", "modprobe@.service", "proc-sys-fs-binfmt_misc.automount",
	"dev-hugepages.mount", "dev-mqueue.mount", "sys-kernel-debug.mount", "sys-kernel-tracing.mount",
	"e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer", "dpkg-db-backup.timer", "systemd-tmpfiles-clean.timer",
}

// generators is the directory of programs that make units at boot, of which nothing here needs
// one.
const generators = "usr/lib/systemd/system-generators/"

// writeInitramfs writes the file system of the machine: Debian, the program with its units,
// as an administrator installs them, and the program that does the checks.
func (s *system) writeInitramfs(w io.Writer, plan wire.System) error {
	a := newArchive(w)
	names := a.tar(s.tar)
	for _, unit := range notNeeded {
		a.symlink("/etc/systemd/system/"+unit, "/dev/null")
	}
	for _, name := range names {
		if program, ok := strings.CutPrefix(name, generators); ok {
			a.symlink("/etc/systemd/system-generators/"+program, "/dev/null")
		}
	}
	a.device("/dev/console", 5, 1)
	a.file("/init", s.guest)
	a.file("/usr/local/sbin/uplinks", s.program)
	for from, to := range installed {
		a.file(to+filepath.Base(from), filepath.Join(s.root, from))
	}
	for _, m := range s.mods {
		a.data(modulePath(m), m.content)
		plan.Modules = append(plan.Modules, modulePath(m))
	}
	text, err := json.Marshal(plan)
	if err != nil {
		return err
	}
	a.data(wire.PlanPath, text)
	return a.close()
}

// Vmtest runs the tests of this module on other kernels than the running one. The library
// depends on features of the kernel, so vmtest runs its tests on versions that lack some of
// them.
//
//	cd internal/vmtest
//	go run . [-kernel 6.1,6.12] [-run REGEXP] [-v] [PACKAGE…]
//
// It boots Debian's cloud kernels in an emulator, with a file system that contains only the
// tests, and runs the tests as root. By default it tests all packages of the module. Its
// arguments are patterns of go list in the root of the module (./rule, ./internal/...). The
// report is like that of go test, with the number of tests and the names of skipped tests. For
// a package that fails it has the output, and for a kernel that fails the messages of the
// kernel. The exit status is 0 only if every package passed on every kernel.
//
// A kernel that crashes ends its run, but does not affect the host. So vmtest is also the
// place to try a request that might crash a kernel.
//
// # Flags
//
//	-kernel   series to test, the newest kernel of each (6.1,6.12: those of Debian 12)
//	-run      run only the tests that match, as in go test
//	-skip     skip the tests that match, as in go test
//	-timeout  limit for the tests of one package on one kernel (10m)
//	-p        number of kernels to test at the same time (number of processors);
//	          the reports are printed one after the other
//	-accel    kvm or tcg, if the choice made for this host is wrong
//	-update   look for newer kernels than those in the cache
//	-v        print all output of the tests immediately
//
// # Requirements
//
// Linux on x86-64 with apt, dpkg and the archive keyring of any Debian release, xz for the
// modules of newer kernels, and ip(8) for the tests that compare with it. The first run
// downloads from the mirror in the apt sources of the host:
//
//	lists of packages     10 MB
//	busybox-static         1 MB
//	kernel 6.1            27 MB
//	kernel 6.12           35 MB
//	qemu-system-x86       17 MB, if it is missing; needs root or sudo,
//	xz-utils, iproute2           likewise
//
// Only the last three are installed. The rest is unpacked in policyroute-vmtest in the cache
// directory of the user, which then has 200 MB. Later runs use it and download nothing. It can
// be deleted at any time. Nothing else is left behind, even after Ctrl-C: the virtual machine
// has no disk and no network, and ends with this program.
//
// # Time
//
// Without KVM the processor is emulated. On an idle host a boot then takes 5 to 10 seconds, and
// all tests take 4 to 6 minutes for each kernel, which is ten times as long as without the
// emulator. Most of the time is spent in tests that send many packets.
//
// # The service on Debian with systemd
//
//	go run . systemd [-release trixie,bookworm] [-unit uplinks-run.service] [-run REGEXP] [-v]
//
// With the argument systemd it boots Debian with systemd and systemd-networkd, and tests
// examples/uplinks as an administrator installs it: the built program, the units and the
// settings of networkd. Each unit is a boot of its own. The report has a line for each check.
//
// The machine has no network, so the providers are in it: network namespaces with a router and
// a DHCP server, whose cables are pairs of virtual interfaces. So it needs no privilege, no
// interface and no address of the host. The routers count the packets that reach them, and
// each check fails if a packet with the address of one provider reaches the other.
//
// The root file system is a tar file in the cache, which mmdebstrap makes in half a minute from
// 40 MB of packages; without root it needs user namespaces. If mmdebstrap is missing it is
// installed like the other tools. The machine has it in memory. Every boot begins with the same files, so
// nothing of an earlier boot is left: a reboot is a boot. In the emulator the clock of the
// machine counts instructions. So the times of checks are those of the machine, and a busy host
// changes no result.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// options are the flags and arguments.
type options struct {
	series   []string
	run      string
	skip     string
	timeout  time.Duration
	update   bool
	verbose  bool
	accel    string
	parallel int
	packages []string
}

// processors returns the number of processors of a virtual machine: those of the host divided
// by the number of machines that run at the same time, at most 4.
func (o *options) processors() int {
	return max(1, min(runtime.NumCPU()/o.parallel, 4))
}

// errFailed is the error of a run with failures, which the report has.
var errFailed = errors.New("some tests failed")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		if errors.Is(err, errUsage) {
			os.Exit(2)
		}
		if err != errFailed {
			fmt.Fprintln(os.Stderr, "vmtest:", err)
		}
		os.Exit(1)
	}
}

// errUsage is the error of a wrong command line, which the flag package has printed.
var errUsage = errors.New("usage")

// run runs the tests of the module or, with the argument systemd, those of the service.
func run(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == "systemd" {
		o, err := parseSystemdArgs(args[1:])
		if err != nil {
			return errUsage
		}
		return testSystemd(ctx, o)
	}
	o, err := parseArgs(args)
	if err != nil {
		return errUsage
	}
	return test(ctx, o)
}

func parseArgs(args []string) (options, error) {
	var o options
	set := flag.NewFlagSet("vmtest", flag.ContinueOnError)
	kernels := set.String("kernel", "6.1,6.12", "`series` of kernels")
	set.StringVar(&o.run, "run", "", "only the tests that match the `regexp`")
	set.StringVar(&o.skip, "skip", "", "not the tests that match the `regexp`")
	set.DurationVar(&o.timeout, "timeout", 10*time.Minute, "limit for each package")
	set.StringVar(&o.accel, "accel", accelerator(), "`accelerator` of the emulator, kvm or tcg")
	set.IntVar(&o.parallel, "p", 0, "test `n` kernels at the same time (0: as many as there are processors)")
	set.BoolVar(&o.update, "update", false, "look for newer kernels")
	set.BoolVar(&o.verbose, "v", false, "print all output")
	if err := set.Parse(args); err != nil {
		return o, err
	}
	o.series = strings.Split(*kernels, ",")
	if o.parallel < 1 || o.parallel > len(o.series) {
		o.parallel = min(len(o.series), runtime.NumCPU())
	}
	o.packages = set.Args()
	if len(o.packages) == 0 {
		o.packages = []string{"./..."}
	}
	return o, nil
}

// test fetches the kernels, compiles the tests, and runs them on each kernel.
func test(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "vmtest-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := installTools(ctx, tools); err != nil {
		return err
	}
	kernels, busybox, err := fetch(ctx, o)
	if err != nil {
		return err
	}
	b, err := buildAll(ctx, dir, o.packages)
	if err != nil {
		return err
	}
	if b.ip, err = withLibraries(ctx, "ip"); err != nil {
		return err
	}
	return b.testAll(ctx, kernels, busybox, o)
}

// testAll runs the tests on all kernels, o.parallel at the same time. An error ends all runs.
func (b *build) testAll(ctx context.Context, kernels []kernel, busybox string, o options) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	out := newOrderedOutput(os.Stdout, len(kernels))
	slots := make(chan struct{}, o.parallel)
	failed := make([]bool, len(kernels))
	var wg sync.WaitGroup
	for i, k := range kernels {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			defer out.parts[i].Close()
			ok, err := b.testOn(ctx, k, busybox, o, out.parts[i])
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
	}
	if slices.Contains(failed, true) {
		return errFailed
	}
	return nil
}

// fetch returns the kernels, and the path of busybox.
func fetch(ctx context.Context, o options) ([]kernel, string, error) {
	c, err := openCache(ctx, o.update)
	if err != nil {
		return nil, "", err
	}
	defer c.close()
	var kernels []kernel
	for _, series := range o.series {
		k, err := c.kernel(ctx, series)
		if err != nil {
			return nil, "", err
		}
		kernels = append(kernels, k)
	}
	busybox, err := c.busybox(ctx)
	return kernels, busybox, err
}

// testOn runs the tests on one kernel, writes the report to w, and returns whether they passed.
// An error ends the whole run.
func (b *build) testOn(ctx context.Context, k kernel, busybox string, o options, w io.Writer) (bool, error) {
	find, err := newFinder(ctx, k.modules)
	if err != nil {
		return false, err
	}
	mods, err := loadOrder(modules, find)
	if err != nil {
		return false, err
	}
	initramfs, console := filepath.Join(b.dir, k.release+".initramfs"), filepath.Join(b.dir, k.release+".console")
	err = writeFile(initramfs, func(w io.Writer) error {
		return b.writeInitramfs(w, b.plan(mods, o), mods, busybox)
	})
	if err != nil {
		return false, err
	}

	r := newReport(w, o.verbose)
	r.release = k.release
	var pkgs []string
	for _, t := range b.tests {
		pkgs = append(pkgs, t.pkg)
		if t.err != nil {
			r.reportBuildFailure(t.pkg, t.err)
		}
	}
	// The longest time between two events is the timeout of a test.
	err = boot(ctx, qemuCommand(o.accel, o.processors(), k.image, initramfs, console), o.timeout+time.Minute, r.handle)
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil {
		b, _ := os.ReadFile(console)
		r.printf("%s", b)
		r.reportCrash(pkgs, err)
	}
	return r.summary(), nil
}

// writeFile creates a file, and calls write to write its contents.
func writeFile(name string, write func(io.Writer) error) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	err = write(f)
	return errors.Join(err, f.Close())
}

// Vmtest runs this module's tests on other kernels than the one at hand. What
// the library does with rules and routes depends on the kernel, and features
// come with a version: here the tests meet the versions that lack them.
//
//	cd internal/vmtest
//	go run . [-kernel 6.1,6.12] [-run REGEXP] [-v] [PACKAGE…]
//
// It takes Debian's kernels for the cloud, boots each in an emulator with a file
// system that holds nothing but the tests, and runs there, as root, the tests of
// the packages: all packages of the module with tests, or those named, in the
// words of go list at the top of the module (./rule, ./internal/...). The report
// is that of go test, with the tests counted and those skipped named; of a
// package that fails it has the output, and of a kernel that fails its messages.
// The status is 0 only if every package passed on every kernel.
//
// A kernel's own fault ends its run, but never the host: so this is also where
// to try a request that might bring a kernel down.
//
// # Flags
//
//	-kernel   series to test, the newest of each (6.1,6.12: those of Debian 12)
//	-run      only the tests that match, as go test has it
//	-skip     not the tests that match, likewise
//	-timeout  what the tests of one package may take on one kernel (10m)
//	-p        how many kernels to test at the same time (as many as there are
//	          processors); the reports come one after the other
//	-accel    kvm or tcg, if the choice made for this host is wrong
//	-update   ask for newer kernels than those in the cache
//	-v        print all output of the tests as it comes
//
// # What it needs
//
// Linux on x86-64 with Debian's apt, dpkg and archive keyring, whichever release,
// xz for the modules of newer kernels, and the host's ip(8) for the tests that
// compare with it. The first run downloads, from the mirror in the host's apt
// sources:
//
//	lists of packages     10 MB
//	busybox-static         1 MB
//	kernel 6.1            27 MB
//	kernel 6.12           35 MB
//	qemu-system-x86       17 MB, if it is missing; needs root or sudo,
//	xz-utils, iproute2           likewise
//
// Only these last three are installed. The rest is unpacked in policyroute-vmtest in
// the user's cache directory, 200 MB in all, and serves the next run, which
// downloads nothing; it may be deleted at any time. Nothing else is left behind,
// also after Ctrl-C: the virtual machine has no disk and no network, and dies
// with this program.
//
// # Time
//
// Without KVM the processor is emulated. A boot then takes 5 to 10 seconds on an
// idle host, all tests 4 to 6 minutes for each kernel, ten times what they take
// natively; most of it goes to those that send packets in bulk.
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

// processors is how many a machine has: those of the host, by the number of
// machines at a time.
func (o *options) processors() int {
	return max(1, min(runtime.NumCPU()/o.parallel, 4))
}

// errFailed is the end of a run whose report has said all.
var errFailed = errors.New("some tests failed")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	o, err := parse(os.Args[1:])
	if err != nil {
		os.Exit(2)
	}
	if err := test(ctx, o); err != nil {
		if err != errFailed {
			fmt.Fprintln(os.Stderr, "vmtest:", err)
		}
		os.Exit(1)
	}
}

func parse(args []string) (options, error) {
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

// test prepares everything that the kernels share and then goes through them.
func test(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "vmtest-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := installTools(ctx); err != nil {
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

// testAll runs the tests on some kernels at a time. An error ends all of them.
func (b *build) testAll(ctx context.Context, kernels []kernel, busybox string, o options) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	out := newTurns(os.Stdout, len(kernels))
	slots := make(chan struct{}, o.parallel)
	failed := make([]bool, len(kernels))
	var wg sync.WaitGroup
	for i, k := range kernels {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			defer out.list[i].Close()
			ok, err := b.testOn(ctx, k, busybox, o, out.list[i])
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

// testOn runs the tests on one kernel and reports to w. Its error is one that
// ends the run.
func (b *build) testOn(ctx context.Context, k kernel, busybox string, o options, w io.Writer) (bool, error) {
	find, err := finder(ctx, k.modules)
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
			r.unbuilt(t.pkg, t.err)
		}
	}
	// Between two events lies at most the longest silence of a test.
	err = boot(ctx, qemuCommand(o.accel, o.processors(), k.image, initramfs, console), o.timeout+time.Minute, r.handle)
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil {
		b, _ := os.ReadFile(console)
		r.printf("%s", b)
		r.lost(pkgs, err)
	}
	return r.summary(), nil
}

// writeFile creates a file and has its content written.
func writeFile(name string, write func(io.Writer) error) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	err = write(f)
	return errors.Join(err, f.Close())
}

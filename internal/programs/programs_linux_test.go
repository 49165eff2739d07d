package programs

import (
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/lab"
)

// unpackedEnv names the directory to which .ci/programs has unpacked packages.
const unpackedEnv = "POLICYROUTE_PROGRAMS"

// enclosure is a shell script that runs a program where the unpacked packages are installed.
//
//go:embed testdata/enclosure.sh
var enclosure string

// A home is where programs of one test run: a directory that they see as their own files in
// /etc, and which stays from one command to the next.
type home struct {
	t   *testing.T
	ns  *lab.NS
	dir string
	env []string
}

// newHome returns a home in a namespace. It skips the test if a program is missing: CI, which
// has all of them, refuses that.
func newHome(t *testing.T, ns *lab.NS, programs ...string) *home {
	t.Helper()
	for _, name := range programs {
		if _, err := find(name); err != nil {
			t.Skipf("no %s: run .ci/programs, and set %s to its directory", name, unpackedEnv)
		}
	}
	dir := t.TempDir()
	return &home{t: t, ns: ns, dir: dir}
}

// path is where programs are: without directories of the user, in which there may be another
// python3 than Debian's.
var path = []string{"/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// find returns the path of a program, which may be among the unpacked files.
func find(name string) (string, error) {
	for _, dir := range path {
		for _, root := range []string{"", os.Getenv(unpackedEnv) + "/root"} {
			if _, err := os.Stat(root + filepath.Join(dir, name)); err == nil {
				return filepath.Join(dir, name), nil
			}
		}
	}
	return "", os.ErrNotExist
}

// file writes a file to the home, and returns its path.
func (h *home) file(name, text string) string {
	h.t.Helper()
	path := filepath.Join(h.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
	return path
}

// command returns a program with arguments, in the enclosure. It has a PID namespace of its own,
// so that its children are killed with it.
func (h *home) command(name string, args ...string) *exec.Cmd {
	root := ""
	if dir := os.Getenv(unpackedEnv); dir != "" {
		root = filepath.Join(dir, "root")
	}
	cmd := exec.Command("/bin/sh", append([]string{"-c", enclosure, "enclosure", root, h.dir, name}, args...)...)
	cmd.Dir = h.dir
	cmd.Env = append([]string{"PATH=" + strings.Join(path, ":"), "HOME=" + h.dir, "LC_ALL=C"}, h.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID, Pdeathsig: unix.SIGKILL}
	return cmd
}

// run runs a program to its end, and returns its output.
func (h *home) run(name string, args ...string) string {
	h.t.Helper()
	out, err := h.try(name, args...)
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

// try is run for a program that may fail.
func (h *home) try(name string, args ...string) (string, error) {
	cmd := h.command(name, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := h.ns.Do(cmd.Run)
	if err != nil {
		err = fmt.Errorf("%s: %s %s: %w\n%s", h.ns, name, strings.Join(args, " "), err, &out)
	}
	return out.String(), err
}

// A daemon is a program that runs until the test ends.
type daemon struct {
	h    *home
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // how

	mu  sync.Mutex
	out bytes.Buffer
}

// Write adds to the output.
func (d *daemon) Write(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.out.Write(b)
}

func (d *daemon) output() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.out.String()
}

// start starts a program. It is killed when the test ends, or this process.
func (h *home) start(name string, args ...string) *daemon {
	h.t.Helper()
	d := &daemon{h: h, name: name, cmd: h.command(name, args...), done: make(chan struct{})}
	d.cmd.Stdout, d.cmd.Stderr = d, d
	d.cmd.WaitDelay = 5 * time.Second
	started := make(chan error)
	go func() {
		defer close(d.done)
		// Do keeps the thread, on whose end the kernel kills the program.
		d.err = h.ns.Do(func() error {
			err := d.cmd.Start()
			started <- err
			if err != nil {
				return err
			}
			return d.cmd.Wait()
		})
	}()
	if err := <-started; err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { d.stop() })
	return d
}

// stop kills the program and waits for its end. The test that has failed gets its output.
func (d *daemon) stop() {
	d.cmd.Process.Kill()
	<-d.done
	if d.h.t.Failed() {
		d.h.t.Logf("output of %s:\n%s", d.name, d.output())
	}
}

// wantOutput waits until a program has printed a text.
func (d *daemon) wantOutput(text string) {
	d.h.t.Helper()
	d.h.wait(fmt.Sprintf("%s prints %q", d.name, text), func() bool {
		select {
		case <-d.done:
			if !strings.Contains(d.output(), text) {
				d.h.t.Fatalf("%s has ended: %v", d.name, d.err)
			}
		default:
		}
		return strings.Contains(d.output(), text)
	})
}

// wait waits until a condition holds.
func (h *home) wait(what string, holds func() bool) {
	h.t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			h.t.Fatalf("%v without this: %s", patience, what)
		}
	}
}

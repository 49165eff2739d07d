package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/policyroute/policyroute/internal/vmtest/wire"
)

// A build is the compiled tests. It is the same for all kernels.
type build struct {
	root  string // directory of the module under test
	dir   string // directory of the binaries
	guest string // the first program of the guest
	tests []testBinary
	ip    []string // ip(8) and the libraries that it needs
}

// A testBinary is the compiled tests of a package.
type testBinary struct {
	pkg  string // import path
	dir  string // of its sources, relative to the module
	file string
	err  error // the error of the compiler, or nil
}

// moduleRoot returns the directories of the module under test and of this module, which is
// internal/vmtest of the former. The working directory must be in this module.
func moduleRoot(ctx context.Context) (root, self string, err error) {
	out, err := output(ctx, "", "go", "env", "GOMOD")
	if err != nil {
		return "", "", err
	}
	self = filepath.Dir(strings.TrimSpace(out))
	root = filepath.Dir(filepath.Dir(self))
	if filepath.Base(self) != "vmtest" {
		return "", "", errors.New("not run in internal/vmtest, where its go.mod is")
	}
	_, err = os.Stat(filepath.Join(root, "go.mod"))
	return root, self, err
}

// buildAll compiles the guest and the tests of the packages that match the patterns. A package
// that does not compile counts as failed, and buildAll returns no error for it.
func buildAll(ctx context.Context, dir string, patterns []string) (*build, error) {
	root, self, err := moduleRoot(ctx)
	if err != nil {
		return nil, err
	}
	b := &build{root: root, dir: dir, guest: filepath.Join(dir, "guest")}
	if err := compile(ctx, self, "build", "-o", b.guest, "./guest"); err != nil {
		return nil, err
	}
	args := append([]string{"list", "-f", "{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}} {{.Dir}}{{end}}"}, patterns...)
	list, err := output(ctx, root, "go", args...)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(list) {
		pkg, full, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		rel, err := filepath.Rel(root, full)
		if err != nil {
			return nil, err
		}
		t := testBinary{pkg: pkg, dir: rel, file: filepath.Join(dir, strings.ReplaceAll(rel, "/", "_")+".test")}
		t.err = compile(ctx, root, "test", "-c", "-o", t.file, pkg)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		b.tests = append(b.tests, t)
	}
	if len(b.tests) == 0 {
		return nil, errors.New("no packages with tests")
	}
	return b, nil
}

// compile runs a go command. Its error is the output of the compiler. Without cgo the binary
// needs no libraries. Without symbols the guest has less to unpack, and panics still print
// their stacks.
func compile(ctx context.Context, dir, command string, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", append([]string{command, "-ldflags=-s -w"}, args...)...)
	cmd.Dir = dir
	cmd.WaitDelay = time.Second // for compilers that the go command started
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	out, err := cmd.CombinedOutput()
	if err != nil && len(out) > 0 {
		return errors.New(strings.TrimSpace(string(out)))
	}
	return err
}

// withLibraries returns the paths of a program of the host and of its shared libraries.
func withLibraries(ctx context.Context, program string) ([]string, error) {
	p, err := exec.LookPath(program)
	if err != nil {
		return nil, err
	}
	out, err := output(ctx, "", "ldd", p)
	if err != nil {
		return nil, err
	}
	return append([]string{p}, parseLdd(out)...), nil
}

// parseLdd returns the files in the output of ldd(1).
func parseLdd(out string) (files []string) {
	for line := range strings.Lines(out) {
		for _, f := range strings.Fields(line) {
			if path.IsAbs(f) {
				files = append(files, f)
			}
		}
	}
	return files
}

// commands are the commands of busybox that tests need.
var commands = []string{"cat", "echo", "false", "ls", "sh", "sleep", "true"}

// writeInitramfs writes the file system of the guest: the guest program, the tests, the sources
// of the module with testdata, a few commands, and the modules of the kernel.
func (b *build) writeInitramfs(w io.Writer, plan wire.Plan, mods []*module, busybox string) error {
	a := newArchive(w)
	// The kernel opens the console for the first program before it mounts /dev.
	a.device("/dev/console", 5, 1)
	a.file("/init", b.guest)
	for _, d := range []string{"/etc", "/root", "/proc", "/sys", "/run", "/tmp"} {
		a.dir(d)
	}
	a.data("/etc/passwd", []byte("root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n"))
	a.data("/etc/group", []byte("root:x:0:\nnogroup:x:65534:\n"))
	a.file("/bin/busybox", busybox)
	for _, c := range commands {
		a.symlink("/bin/"+c, "busybox")
	}
	b.writeIP(a)
	for _, m := range mods {
		a.data(modulePath(m), m.content)
	}
	a.tree(wire.Source, b.root, sourceFilter(b.root))
	for _, t := range b.tests {
		if t.err == nil {
			a.file(binaryPath(t), t.file)
		}
	}
	text, err := json.Marshal(plan)
	if err != nil {
		return err
	}
	a.data(wire.PlanPath, text)
	return a.close()
}

// sourceFilter returns a function that leaves out hidden files and other modules.
func sourceFilter(root string) func(rel string, d fs.DirEntry) bool {
	return func(rel string, d fs.DirEntry) bool {
		if strings.HasPrefix(d.Name(), ".") {
			return false
		}
		_, err := os.Stat(filepath.Join(root, rel, "go.mod"))
		return err != nil
	}
}

// ipFiles are the files with names for ip(8). A host may not have all of them.
var ipFiles = []string{"/etc/protocols", "/etc/iproute2", "/usr/share/iproute2", "/usr/lib/iproute2"}

// writeIP writes ip(8) of the host and the files that it needs.
func (b *build) writeIP(a *archive) {
	if len(b.ip) == 0 {
		return
	}
	a.file("/bin/ip", b.ip[0])
	for _, library := range b.ip[1:] {
		a.file(library, library)
	}
	for _, name := range ipFiles {
		if _, err := os.Stat(name); err == nil {
			a.tree(name, name, func(string, fs.DirEntry) bool { return true })
		}
	}
}

func modulePath(m *module) string    { return "/modules/" + m.name + ".ko" }
func binaryPath(t testBinary) string { return "/tests/" + filepath.Base(t.file) }
func sourcePath(t testBinary) string { return path.Join(wire.Source, t.dir) }
func testArgs(o options) []string {
	// With test2json, the testing package marks its own lines.
	args := []string{"-test.v=test2json", "-test.paniconexit0", "-test.timeout=" + o.timeout.String()}
	if o.run != "" {
		args = append(args, "-test.run="+o.run)
	}
	if o.skip != "" {
		args = append(args, "-test.skip="+o.skip)
	}
	return args
}

// plan returns the plan of the guest.
func (b *build) plan(mods []*module, o options) wire.Plan {
	var p wire.Plan
	for _, m := range mods {
		p.Modules = append(p.Modules, modulePath(m))
	}
	for _, t := range b.tests {
		if t.err == nil {
			p.Jobs = append(p.Jobs, wire.Job{
				Package: t.pkg,
				Binary:  binaryPath(t),
				Dir:     sourcePath(t),
				Args:    testArgs(o),
				// The timeout of the test comes first, and reports where it hangs.
				Limit: o.timeout + 10*time.Second,
			})
		}
	}
	return p
}

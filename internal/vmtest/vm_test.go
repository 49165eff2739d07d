package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/vmtest/wire"
)

// shell returns a shell command in place of the emulator, with the same kinds of output and exit.
func shell(script string) []string { return []string{"sh", "-c", script} }

const (
	ready = `echo '{"kind":"ready","text":"6.1"}'; `
	end   = `echo '{"kind":"end"}'; `
)

func TestBoot(t *testing.T) {
	for _, tt := range []struct {
		name, script, want string
		events             int // -1: any number
	}{
		{"all is well", ready + end, "", 2},
		{"panic", ready, "went down before", 1},
		{"cut off", ready + `printf '{"kind":"out'`, "went down before", 1},
		{"emulator refuses", "echo no such machine >&2; exit 1", "no such machine", 0},
		{"no events", "echo hello", "events: invalid character", 0},
		{"hangs", ready + "exec sleep 60", "no sign of life", -1},
	} {
		silence := time.Minute
		if tt.name == "hangs" {
			silence = 100 * time.Millisecond
		}
		n := 0
		start := time.Now()
		err := boot(context.Background(), shell(tt.script), silence, func(wire.Event) { n++ })
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
		if n != tt.events && tt.events >= 0 {
			t.Errorf("%s: %d events", tt.name, n)
		}
		if took := time.Since(start); took > 30*time.Second {
			t.Errorf("%s: %v", tt.name, took)
		}
	}
}

// When it is interrupted, boot ends at once and leaves no process.
func TestBootInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	var pid string
	err := boot(ctx, shell(`echo "{\"kind\":\"ready\",\"text\":\"$$\"}"; exec sleep 60`), time.Minute, func(e wire.Event) {
		pid = e.Text
		cancel()
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat("/proc/" + pid); pid == "" || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("process %q: %v", pid, err)
	}
}

func TestQemuCommand(t *testing.T) {
	got := strings.Join(qemuCommand("tcg", 2, "vmlinuz", "initramfs", "log"), " ")
	for _, want := range []string{
		"-accel tcg ", "-smp 2 ", "-kernel vmlinuz -initrd initramfs ", " panic=-1 ", "-no-reboot ",
		"-nodefaults ",               // no network, no disk
		"-serial file:log -chardev ", // the console is ttyS0, so the events are ttyS1
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %s", want, got)
		}
	}
}

// The file system of the guest has the tests, the tree of the module without other modules, and
// the files of the plan.
func TestInitramfs(t *testing.T) {
	root, dir := t.TempDir(), t.TempDir()
	for _, name := range []string{
		"go.mod", "rule/testdata/golden", ".git/config", "internal/bench/go.mod", "internal/bench/x.go",
	} {
		p := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o755), os.WriteFile(p, nil, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"guest", "busybox", "rule.test"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	b := &build{root: root, guest: filepath.Join(dir, "guest"), tests: []testBinary{
		{pkg: "example/rule", dir: "rule", file: filepath.Join(dir, "rule.test")},
		{pkg: "example/broken", dir: "broken", file: filepath.Join(dir, "broken.test"), err: errors.New("syntax")},
	}}
	mods := []*module{{name: "veth", content: []byte("ELF")}}
	plan := b.plan(mods, options{run: "TestA", timeout: time.Minute})
	var out bytes.Buffer
	if err := b.writeInitramfs(&out, plan, mods, filepath.Join(dir, "busybox")); err != nil {
		t.Fatal(err)
	}

	files := map[string]cpioEntry{}
	for _, e := range readCpio(t, out.Bytes()) {
		files["/"+e.name] = e
	}
	var back wire.Plan
	if err := json.Unmarshal([]byte(files[wire.PlanPath].content), &back); err != nil || !reflect.DeepEqual(back, plan) {
		t.Errorf("plan: got %v, %v, want %v", back, err, plan)
	}
	if len(plan.Jobs) != 1 || plan.Jobs[0].Limit <= time.Minute || !slices.Contains(plan.Jobs[0].Args, "-test.run=TestA") {
		t.Fatalf("jobs %v", plan.Jobs)
	}
	for _, name := range append(plan.Modules, "/init", "/bin/cat", "/src/rule/testdata/golden",
		plan.Jobs[0].Binary, plan.Jobs[0].Dir) {
		if _, ok := files[name]; !ok {
			t.Errorf("no %s", name)
		}
	}
	for _, name := range []string{"/src/.git", "/src/internal/bench"} {
		if _, ok := files[name]; ok {
			t.Errorf("%s is there", name)
		}
	}
	if files["/init"].mode&0o111 == 0 {
		t.Errorf("init has mode %o", files["/init"].mode)
	}
}

func TestParseLdd(t *testing.T) {
	got := parseLdd("\tlinux-vdso.so.1 (0x00007f22b5339000)\n\tlibmnl.so.0 => /lib/x86_64-linux-gnu/libmnl.so.0 (0x00007f22b51b6000)\n" +
		"\t/lib64/ld-linux-x86-64.so.2 (0x00007f22b533b000)\n")
	if want := []string{"/lib/x86_64-linux-gnu/libmnl.so.0", "/lib64/ld-linux-x86-64.so.2"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if got := parseLdd("\tnot a dynamic executable\n"); got != nil {
		t.Errorf("got %q", got)
	}
}

func TestParse(t *testing.T) {
	o, err := parseArgs([]string{"-kernel", "6.12", "-timeout", "2m", "-accel", "tcg", "./rule"})
	want := options{series: []string{"6.12"}, timeout: 2 * time.Minute, accel: "tcg", parallel: 1, packages: []string{"./rule"}}
	if err != nil || !reflect.DeepEqual(o, want) {
		t.Errorf("got %+v, %v", o, err)
	}
	o, err = parseArgs(nil)
	if err != nil || !slices.Equal(o.series, []string{"6.1", "6.12"}) || !slices.Equal(o.packages, []string{"./..."}) {
		t.Errorf("got %+v, %v", o, err)
	}
}

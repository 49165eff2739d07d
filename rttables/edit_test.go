package rttables

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/testrun"
)

// childEnv makes the test binary do one thing as a process of its own.
const childEnv = "RTTABLES_TEST_CHILD"

func TestMain(m *testing.M) {
	if args := os.Getenv(childEnv); args != "" {
		if err := child(strings.Split(args, "\n")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func child(args []string) error {
	switch path := args[1]; args[0] {
	case "add": // entries from a number up
		first, err := strconv.Atoi(args[2])
		if err != nil {
			return err
		}
		return addMany(path, first, 25)
	case "flip": // one entry in and out until killed
		fmt.Println("ready")
		for {
			err := Edit(context.Background(), path, func(f *File) error {
				if f.Delete("flip") {
					return nil
				}
				return f.Set(9999, "flip", "")
			})
			if err != nil {
				return err
			}
		}
	case "hold": // all locks that a reader can get
		return hold(path)
	case "disk": // a file system that cannot be written to
		return useDisk(path)
	case "register": // and unregister
		for range 20 {
			if err := Register(context.Background(), path, 20, "lan2"); err != nil {
				return err
			}
			if err := Unregister(context.Background(), path, 20, "lan2"); err != nil {
				return err
			}
		}
	}
	return nil
}

func startChild(t *testing.T, args ...string) (*exec.Cmd, io.Reader) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childEnv+"="+strings.Join(args, "\n"))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, out
}

func addMany(path string, first, n int) error {
	ctx := context.Background()
	for i := first; i < first+n; i++ {
		err := Edit(ctx, path, func(f *File) error { return f.Set(ID(i), fmt.Sprint("t", i), "") })
		if err != nil {
			return err
		}
	}
	return nil
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// dump is every file below dir, with its mode and content: what a test compares
// to see that nothing else has changed.
func dump(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		fmt.Fprintf(&b, "%s %s", info.Mode(), filepath.ToSlash(rel))
		if d.Type().IsRegular() {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, " %q", content)
		}
		b.WriteByte('\n')
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func setLan2(f *File) error { return f.Set(20, "lan2", "") }

func TestEdit(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "rt_tables")

	for range 2 { // the second time there is nothing to do
		if err := Edit(t.Context(), path, setLan2); err != nil {
			t.Fatal(err)
		}
	}
	want := "-rw-r--r-- rt_tables \"20\\tlan2\\n\"\n"
	if diff := cmp.Diff(want, dump(t, dir)); diff != "" {
		t.Errorf("created (-want +got):\n%s", diff)
	}

	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	err := Edit(t.Context(), path, func(f *File) error { return f.Set(21, "lan3", "third") })
	if err != nil {
		t.Fatal(err)
	}
	want = "-rw-r----- rt_tables \"20\\tlan2\\n21\\tlan3 # third\\n\"\n"
	if diff := cmp.Diff(want, dump(t, dir)); diff != "" {
		t.Errorf("changed, mode kept (-want +got):\n%s", diff)
	}
}

func TestEditWritesNothing(t *testing.T) {
	report := testrun.Limit(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "rt_tables")
	if err := Edit(t.Context(), path, func(*File) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if got := dump(t, dir); got != "" {
		report.Errorf("an empty File was written:\n%s", got)
	}

	write(t, path, "20 lan2\n")
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	for what, fn := range map[string]func(*File) error{
		"nothing to do": setLan2,
		"there and back": func(f *File) error {
			err := f.Set(21, "lan3", "")
			f.Delete("lan3")
			return err
		},
		"an error": func(f *File) error { f.Delete("lan2"); return boom },
	} {
		err := Edit(t.Context(), path, fn)
		if what == "an error" {
			if !errors.Is(err, boom) || !strings.Contains(err.Error(), path) {
				report.Errorf("%s: %v", what, err)
			}
		} else if err != nil {
			report.Errorf("%s: %v", what, err)
		}
		after, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if !os.SameFile(before, after) || !before.ModTime().Equal(after.ModTime()) {
			report.Errorf("%s: the file was written", what)
		}
	}
	if got, want := dump(t, dir), "-rw-r--r-- rt_tables \"20 lan2\\n\"\n"; got != want {
		report.Errorf("got %s, want %s", got, want)
	}
}

func TestEditDamaged(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "rt_tables")
	write(t, path, "1 a\ngarbage\n")
	before := dump(t, dir)
	err := Edit(t.Context(), path, setLan2)
	var se *SyntaxError
	if !errors.As(err, &se) || se.File != path || se.Line != 2 {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff(before, dump(t, dir)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
	err = Edit(t.Context(), path, func(f *File) error { f.Force(); return setLan2(f) })
	if err != nil {
		t.Error(err)
	}
	if got, _ := os.ReadFile(path); string(got) != "1 a\n20\tlan2\ngarbage\n" {
		t.Errorf("forced: %q", got)
	}
}

// These fail for root as they do for anyone.
func TestEditErrors(t *testing.T) {
	report := testrun.Limit(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"), "")
	tests := []struct {
		path string
		want error
	}{
		{filepath.Join(dir, "missing", "rt_tables"), fs.ErrNotExist},
		{filepath.Join(dir, "file", "rt_tables"), nil},
		{dir, nil},
		{"", nil},
	}
	for _, tt := range tests {
		err := Edit(t.Context(), tt.path, setLan2)
		if err == nil || tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.path) {
			report.Errorf("Edit(%q): %v, want %v", tt.path, err, tt.want)
		}
	}
	if got, want := dump(t, dir), "-rw-r--r-- file \"\"\n"; got != want {
		report.Errorf("got %s, want %s", got, want)
	}
}

// No Edit is lost among goroutines and processes, from the creation of the file on.
func TestEditConcurrent(t *testing.T) {
	report := testrun.Limit(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "rt_tables")
	const children, goroutines, each = 3, 4, 25
	var cmds []*exec.Cmd
	for i := range children {
		cmd, _ := startChild(t, "add", path, fmt.Sprint(1000+i*each))
		cmds = append(cmds, cmd)
	}
	var wg sync.WaitGroup
	for i := range goroutines {
		wg.Go(func() {
			if err := addMany(path, 2000+i*each, each); err != nil {
				report.Error(err)
			}
		})
	}
	wg.Wait()
	for _, cmd := range cmds {
		if err := cmd.Wait(); err != nil {
			report.Errorf("child: %v", err)
		}
	}
	var want []ID
	for i := range children * each {
		want = append(want, ID(1000+i))
	}
	for i := range goroutines * each {
		want = append(want, ID(2000+i))
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got []ID
	for _, e := range mustParse(t, string(b)).Entries() {
		got = append(got, e.ID)
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		report.Errorf("(-want +got):\n%s", diff)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); left != nil {
		report.Errorf("left behind: %q", left)
	}
}

// A process that is killed leaves the old file or the new one, and no lock.
func TestEditKilled(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "rt_tables")
	base := strings.Repeat("# a long file shows a half-written one\n", 2000) + "1\ta\n"
	write(t, path, base)
	full := base + "9999\tflip\n"
	seen := make(map[string]int)
	for i := range 20 {
		cmd, out := startChild(t, "flip", path)
		if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(i*i) * 100 * time.Microsecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // killed is what it was to be
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if s := string(b); s != base && s != full {
			t.Fatalf("kill %d left %d bytes, want %d or %d", i, len(s), len(base), len(full))
		}
		seen[string(b)]++
	}
	t.Logf("%d old, %d new", seen[base], seen[full])
	if err := Edit(t.Context(), path, setLan2); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); left != nil {
		t.Errorf("the next Edit left behind: %q", left)
	}
}

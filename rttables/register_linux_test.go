package rttables

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/testrun"
)

// Missing directories are made for everyone to read, whatever the umask, and go with
// the last name in them.
func TestRegisterMakesDirectories(t *testing.T) {
	report := testrun.Limit(t)
	defer unix.Umask(unix.Umask(0o077))
	for missing, header := range map[string]string{
		"etc":     "# Made by policyroute, which removes this file and its directory with the last name in it.",
		"new":     "# Made by policyroute, which removes this file and the 2 directories above it with the last name in it.",
		"a/b/new": "# Made by policyroute, which removes this file and the 4 directories above it with the last name in it.",
	} {
		_, root := newTestRegistry(t)
		before := dump(t, root)
		etc := filepath.Join(root, missing)
		for id, name := range map[ID]string{20: "lan2", 21: "lan3"} {
			if err := Register(t.Context(), etc, id, name); err != nil {
				t.Fatal(err)
			}
		}
		conf := filepath.Join(etc, "rt_tables.d", "policyroute.conf")
		for path := conf; path != root; path = filepath.Dir(path) {
			want := fs.FileMode(0o755)
			if path == conf {
				want = 0o644
			}
			if info, err := os.Stat(path); err != nil || path != filepath.Join(root, "etc") && info.Mode().Perm() != want {
				report.Errorf("%s: mode %v, %v, want %v", path, info.Mode(), err, want)
			}
		}
		if b, err := os.ReadFile(conf); err != nil || !strings.HasPrefix(string(b), header+"\n2") {
			report.Errorf("%s: %q, %v, want %s", conf, b, err, header)
		}
		for id, name := range map[ID]string{20: "lan2", 21: "lan3"} {
			if err := Unregister(t.Context(), etc, id, name); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(before, dump(t, root)); diff != "" {
			report.Errorf("after Unregister (-before +after):\n%s", diff)
		}
		if _, err := os.Stat(filepath.Join(root, filepath.Dir(missing))); err != nil && missing != "a/b/new" {
			report.Errorf("%s is gone: %v", filepath.Dir(missing), err)
		}
	}
}

// The work for many names grows with their number: the file is written once, which a
// file that another process replaces meanwhile would show.
func TestRegisterAllWritesOnce(t *testing.T) {
	r, root := newTestRegistry(t, "etc/rt_tables", stock)
	path := filepath.Join(root, "etc/rt_tables")
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if _, err := unix.InotifyAddWatch(fd, filepath.Dir(path), unix.IN_MOVED_TO); err != nil {
		t.Fatal(err)
	}
	var entries []Entry
	for i := range 2000 {
		entries = append(entries, Entry{ID: ID(1000 + i), Name: "t" + strconv.Itoa(i)})
	}
	renames := func() int {
		b := make([]byte, 1<<16)
		n, err := unix.Read(fd, b)
		if err != nil {
			return 0
		}
		return bytes.Count(b[:n], []byte("rt_tables\x00"))
	}
	if err := errors.Join(r.registerAll(t.Context(), entries)...); err != nil {
		t.Fatal(err)
	}
	if n := renames(); n != 1 {
		t.Errorf("the file was replaced %d times to register", n)
	}
	if err := errors.Join(r.unregisterAll(t.Context(), entries)...); err != nil {
		t.Fatal(err)
	}
	if n := renames(); n != 1 {
		t.Errorf("the file was replaced %d times to unregister", n)
	}
}

// A pipe in the place of a file is an error, and nobody waits for it.
func TestRegisterPipe(t *testing.T) {
	report := testrun.Limit(t)
	for _, file := range []string{"rt_tables", "rt_tables.d/x.conf"} {
		r, _ := newTestRegistry(t, "etc/rt_tables.d/y.conf", "")
		if err := unix.Mkfifo(filepath.Join(r.etc, file), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := r.register(t, 20, "lan2"); err == nil || !strings.Contains(err.Error(), "not a regular file") {
			report.Errorf("%s: register: %v", file, err)
		}
		if err := r.unregister(t, 20, "lan2"); (err == nil) != (file != "rt_tables") {
			report.Errorf("%s: unregister: %v", file, err)
		}
		if registered(t, r.etc, 20, "lan2") {
			report.Errorf("%s: registered", file)
		}
	}
}

package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

func TestRead(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, size int) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.Repeat("x", size)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("empty", 0)
	write("most", Max)
	write("toobig", Max+1)
	if err := os.Mkdir(filepath.Join(dir, "dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		name string
		size int
		err  error
		text string
	}{
		{"empty", 0, nil, ""},
		{"most", Max, nil, ""},
		{"toobig", 0, ErrTooBig, "toobig: is larger than 1 MiB"},
		{"dir", 0, ErrNotRegular, "dir: is not a regular file but a directory"},
		{"missing", 0, fs.ErrNotExist, "missing"},
	} {
		for how, read := range map[string]func() ([]byte, error){
			"Read":      func() ([]byte, error) { return Read(filepath.Join(dir, x.name)) },
			"ReadGiven": func() ([]byte, error) { return ReadGiven(filepath.Join(dir, x.name)) },
			"ReadFS":    func() ([]byte, error) { return ReadFS(Dir(dir), x.name) },
			"ReadFile":  func() ([]byte, error) { return fs.ReadFile(Dir(dir), x.name) },
			"os.DirFS":  func() ([]byte, error) { return ReadFS(os.DirFS(dir), x.name) },
		} {
			b, err := read()
			if len(b) != x.size || !errors.Is(err, x.err) {
				t.Errorf("%s %s: %d bytes, %v; want %d, %v", how, x.name, len(b), err, x.size, x.err)
			}
			if err != nil && !strings.Contains(err.Error(), x.text) {
				t.Errorf("%s %s: %v, want %s in it", how, x.name, err, x.text)
			}
		}
	}
}

// A directory that Dir returns is a whole file system.
func TestDir(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "a", "b"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"one", "a/two", "a/b/three"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := fstest.TestFS(Dir(dir), "one", "a/two", "a/b/three"); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"/etc/passwd", "../x", "a/../one"} {
		if _, err := fs.ReadFile(Dir(dir), name); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

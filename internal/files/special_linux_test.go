package files

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What is no file is refused at once, by its name and also by a link to it.
func TestReadSpecial(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mkfifo(filepath.Join(dir, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for link, target := range map[string]string{
		"device": "/dev/zero", "terminal": "/dev/ptmx", "null": "/dev/null",
		"topipe": "pipe", "tosocket": "socket", "todir": "/", "loop": "loop", "proc": "/proc/self/stat",
	} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"pipe": "a pipe", "topipe": "a pipe", "socket": "a socket", "tosocket": "a socket", "todir": "a directory",
		"device": "a device", "terminal": "a device", "loop": "too many levels", "null": "", "proc": "",
	} {
		for how, read := range map[string]func() ([]byte, error){
			"Read":      func() ([]byte, error) { return Read(filepath.Join(dir, name)) },
			"ReadGiven": func() ([]byte, error) { return ReadGiven(filepath.Join(dir, name)) },
			"ReadFS":    func() ([]byte, error) { return ReadFS(Dir(dir), name) },
			"os.DirFS":  func() ([]byte, error) { return ReadFS(os.DirFS(dir), name) },
		} {
			b, err := read()
			switch {
			case want == "" && (err != nil || (len(b) > 0) != (name == "proc")):
				t.Errorf("%s %s: %q, %v", how, name, b, err)
			case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
				t.Errorf("%s %s: %v, want %s", how, name, err, want)
			}
		}
		if _, err := Dir(dir).Open(name); (err == nil) != (name == "proc" || name == "todir") {
			t.Errorf("open %s: %v", name, err)
		}
		if _, err := fs.ReadDir(Dir(dir), name); (err == nil) != (name == "todir") {
			t.Errorf("read the directory %s: %v", name, err)
		}
		if f, err := OpenDir(filepath.Join(dir, name)); err == nil && name != "todir" {
			f.Close()
			t.Errorf("open the directory %s: no error", name)
		}
	}
}

// A pipe that comes to the place of a file while it is opened is not waited for.
func TestOpenSwapped(t *testing.T) {
	dir := t.TempDir()
	name, other := filepath.Join(dir, "name"), filepath.Join(dir, "other")
	if err := os.WriteFile(name, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(other, 0o644); err != nil {
		t.Fatal(err)
	}
	stop, swapped := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				swapped <- nil
				return
			default:
			}
			if err := unix.Renameat2(unix.AT_FDCWD, name, unix.AT_FDCWD, other, unix.RENAME_EXCHANGE); err != nil {
				swapped <- err
				return
			}
		}
	}()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 20_000 {
			if _, err := Read(name); err != nil && !errors.Is(err, ErrNotRegular) {
				t.Error(err)
				return
			}
		}
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Error("it waits for a pipe")
	}
	close(stop)
	if err := <-swapped; err != nil {
		t.Skipf("the file system does not exchange files: %v", err)
	}
}

// A user may name a pipe that the process has inherited, such as that of a shell's <(...).
func TestReadGivenInherited(t *testing.T) {
	for _, dir := range []string{"/dev/fd/", "/proc/self/fd/"} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.WriteString("text"); err != nil {
			t.Fatal(err)
		}
		w.Close()
		name := dir + strconv.Itoa(int(r.Fd()))
		if _, err := Read(name); !errors.Is(err, ErrNotRegular) {
			t.Errorf("Read %s: %v", name, err)
		}
		if b, err := ReadGiven(name); err != nil || string(b) != "text" {
			t.Errorf("ReadGiven %s: %q, %v", name, b, err)
		}
		r.Close()
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	go func() {
		defer w.Close()
		for range 4 * Max / 4096 {
			if _, err := w.Write(make([]byte, 4096)); err != nil {
				return // nobody reads so much
			}
		}
	}()
	if _, err := ReadGiven("/dev/fd/" + strconv.Itoa(int(r.Fd()))); !errors.Is(err, ErrTooBig) {
		t.Errorf("an endless pipe: %v", err)
	}
}

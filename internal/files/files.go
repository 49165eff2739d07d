// Package files opens and reads the small files that an administrator writes, and those
// of /proc. It neither waits for something that is in the place of a file, such as a
// named pipe, nor reads more than such a file can have.
package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

// Max is how many bytes a file may have.
const Max = 1 << 20

// The causes of a *fs.PathError of this package, for errors.Is.
var (
	ErrNotRegular = errors.New("is not a regular file")
	ErrTooBig     = errors.New("is larger than 1 MiB")
)

// Open opens a regular file for reading. The error is ErrNotRegular for anything else,
// such as a directory, a pipe or a device; open(2) of some devices does something, so that
// they are not even opened.
func Open(name string) (*os.File, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if err := CheckRegular(name, info); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(name, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil, err
	}
	// Something else can have come to its place.
	if info, err = f.Stat(); err == nil {
		err = CheckRegular(name, info)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// CheckRegular returns an error unless info is that of a regular file.
func CheckRegular(name string, info fs.FileInfo) error {
	if info.Mode().IsRegular() {
		return nil
	}
	return &fs.PathError{
		Op: "open", Path: name,
		Err: fmt.Errorf("%w but %s: move it away, or put a file in its place", ErrNotRegular, kind(info.Mode())),
	}
}

// kind returns what a file is that is not a regular one.
func kind(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a directory"
	case m&fs.ModeNamedPipe != 0:
		return "a pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	case m&fs.ModeSymlink != 0:
		return "a symbolic link"
	}
	return "something else"
}

// Read reads a regular file as a whole. The error is ErrTooBig if it has more than Max
// bytes. /dev/null is an empty file: a link to it hides a file in another directory.
func Read(name string) ([]byte, error) {
	if info, err := os.Stat(name); err == nil && isNull(info) {
		return nil, nil
	}
	f, err := Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(name, f)
}

// ReadGiven is Read for a file that a user has named. It also reads what the process has
// inherited, such as a pipe, by the names /dev/stdin and /dev/fd/N.
func ReadGiven(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil || info.Mode().IsRegular() || info.IsDir() || !isInherited(name) {
		return Read(name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(name, f)
}

func isInherited(name string) bool {
	name = filepath.ToSlash(filepath.Clean(name))
	dir := path.Dir(name)
	return name == "/dev/stdin" || dir == "/dev/fd" || dir == "/proc/self/fd"
}

// ReadFS is Read for a file of a file system.
func ReadFS(fsys fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, err
	}
	if isNull(info) {
		return nil, nil
	}
	if err := CheckRegular(name, info); err != nil {
		return nil, err
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(name, f)
}

// readAll reads a file that is open, up to Max bytes.
func readAll(name string, r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, Max+1))
	if err != nil {
		return nil, err
	}
	if len(b) > Max {
		return nil, &fs.PathError{
			Op: "read", Path: name, Err: fmt.Errorf("%w: see what has been written to it", ErrTooBig),
		}
	}
	return b, nil
}

// isNull reports whether info is that of /dev/null.
func isNull(info fs.FileInfo) bool {
	if info.Mode()&fs.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err == nil && os.SameFile(info, null)
}

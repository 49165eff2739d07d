package files

import (
	"io/fs"
	"os"
	"path/filepath"
)

// Dir returns the file system of a directory. It is that of os.DirFS, without files that
// are not regular: to open one is an error, and takes no time.
func Dir(dir string) fs.FS { return dirFS(dir) }

type dirFS string

// path returns the path of a file for the system.
func (d dirFS) path(op, name string) (string, error) {
	if !fs.ValidPath(name) {
		return "", &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	local, err := filepath.Localize(name)
	if err != nil {
		return "", &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	return filepath.Join(string(d), local), nil
}

// Open opens a directory or a regular file.
func (d dirFS) Open(name string) (fs.File, error) {
	path, err := d.path("open", name)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return OpenDir(path)
	}
	return Open(path)
}

// ReadFile reads a regular file; see [Read].
func (d dirFS) ReadFile(name string) ([]byte, error) {
	path, err := d.path("read", name)
	if err != nil {
		return nil, err
	}
	return Read(path)
}

// ReadDir returns the entries of a directory, by name.
func (d dirFS) ReadDir(name string) ([]fs.DirEntry, error) {
	path, err := d.path("open", name)
	if err != nil {
		return nil, err
	}
	return os.ReadDir(path)
}

// Stat follows symbolic links.
func (d dirFS) Stat(name string) (fs.FileInfo, error) {
	path, err := d.path("stat", name)
	if err != nil {
		return nil, err
	}
	return os.Stat(path)
}

// Lstat does not follow symbolic links.
func (d dirFS) Lstat(name string) (fs.FileInfo, error) {
	path, err := d.path("lstat", name)
	if err != nil {
		return nil, err
	}
	return os.Lstat(path)
}

// ReadLink returns the target of a symbolic link.
func (d dirFS) ReadLink(name string) (string, error) {
	path, err := d.path("readlink", name)
	if err != nil {
		return "", err
	}
	return os.Readlink(path)
}

// OpenDir opens a directory, and nothing else.
func OpenDir(path string) (*os.File, error) { return os.OpenFile(path, os.O_RDONLY|dirFlags, 0) }

package rttables

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Edit reads the file at path and calls fn. If fn returns nil and has changed the
// file, Edit writes it back. It holds a lock from before the read until after the
// write, so that no other Edit, in this process or in another, is lost. fn must
// not call Edit.
//
// The new file replaces the old one atomically (rename(2)), after its bytes are on
// the disk: a reader, or the system after a crash, has either the whole old file
// or the whole new one. The new file has the mode and the owner of the old one;
// Edit fails if it cannot keep the owner. It does not keep extended attributes and
// other hard links. If path is a symbolic link, the target of the link is
// replaced. If fn changes nothing, nothing is written. A failed Edit removes its
// temporary file. If the process is killed, a temporary file can stay; its name
// begins with a dot, so that iproute2 ignores it, and the next Edit that writes
// removes it.
//
// If there is no file at path, fn gets an empty one, which is created with mode
// 0644 unless it stays empty. fn also gets a damaged file, which refuses changes;
// see [File.Err].
//
// Errors contain the path. The error is [fs.ErrNotExist] if the directory is
// missing, [os.ErrDeadlineExceeded] if another process holds the lock for half a
// minute, [errors.ErrUnsupported] on a system without file locks, or an error of
// the file system or of fn.
func Edit(path string, fn func(*File) error) error {
	if err := edit(path, nil, fn); err != nil {
		return fmt.Errorf("rttables: edit %s: %w", path, err)
	}
	return nil
}

// edit is Edit for a caller that can already hold the lock of the directory.
func edit(path string, held *dirLock, fn func(*File) error) error {
	target, unlock, err := acquire(path, held)
	if err != nil {
		return err
	}
	defer unlock()
	old, info, err := readTarget(target)
	if err != nil {
		return err
	}
	f, _ := ParseFile(old) // the error stays in f, and f refuses changes
	f.path, f.absent = path, info == nil
	if f.err != nil {
		f.err.File = path
	}
	if err := fn(f); err != nil {
		return err
	}
	if f.remove && !f.absent {
		if err := os.Remove(target); err != nil {
			return err
		}
		return syncDir(filepath.Dir(target))
	}
	if b := f.Bytes(); !bytes.Equal(b, old) {
		return replace(target, info, b)
	}
	return nil
}

// readTarget reads a whole file. If there is no file, info is nil.
func readTarget(target string) (b []byte, info fs.FileInfo, err error) {
	info, err = os.Stat(target)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if b, err = readFile(target); err != nil {
		return nil, nil, err
	}
	return b, info, nil
}

// readFile reads a whole file. It refuses what is not a regular file: to open a pipe
// would block.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, notRegular(path)
	}
	return os.ReadFile(path)
}

func notRegular(path string) error {
	return &fs.PathError{Op: "open", Path: path, Err: errors.New("not a regular file")}
}

// resolve follows symbolic links at path and returns the path of their target,
// which need not exist. It refuses a target that is not a regular file, since
// opening a pipe would block.
func resolve(path string) (string, error) {
	for range 40 { // the kernel's own limit, MAXSYMLINKS
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			return path, nil
		}
		if err != nil {
			return "", err
		}
		if info.Mode().IsRegular() {
			return path, nil
		}
		if info.Mode().Type() != fs.ModeSymlink {
			return "", notRegular(path)
		}
		link, err := os.Readlink(path)
		if err != nil {
			return "", err
		}
		if !filepath.IsAbs(link) {
			// Links in the path of the directory are resolved first: a .. in
			// link is relative to their target.
			dir, err := filepath.EvalSymlinks(filepath.Dir(path))
			if err != nil {
				return "", err
			}
			link = filepath.Join(dir, link)
		}
		path = link
	}
	return "", &fs.PathError{Op: "open", Path: path, Err: errors.New("too many symbolic links")}
}

// replace writes a file beside target and renames it to target. info is that of
// the old file, nil if there is none.
func replace(target string, info fs.FileInfo, b []byte) (err error) {
	dir, base := filepath.Split(target)
	if dir == "" {
		dir = "."
	}
	// The leading dot hides it from iproute2 in a directory of *.conf files.
	pattern := "." + base + ".policyroute-*"
	sweep(filepath.Join(dir, pattern))
	tmp, err := os.CreateTemp(dir, pattern)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			tmp.Close() // if it is already closed, this does nothing
			os.Remove(tmp.Name())
		}
	}()
	markLive(tmp)
	if _, err = tmp.Write(b); err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if info != nil {
		mode = info.Mode().Perm()
		sameGroup, err := keepOwner(tmp, info)
		if err != nil {
			return fmt.Errorf("the owner would change: %w", err)
		}
		if !sameGroup {
			mode &^= 0o020 // it was for another group
		}
	}
	if err = tmp.Chmod(mode); err != nil {
		return err
	}
	if err = tmp.Sync(); err != nil {
		return err
	}
	if err = tmp.Close(); err != nil {
		return err
	}
	if err = os.Rename(tmp.Name(), target); err != nil {
		return err
	}
	return syncDir(dir)
}

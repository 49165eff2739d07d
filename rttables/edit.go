package rttables

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/policyroute/policyroute/internal/files"
)

// Edit reads the file at path and calls fn. If fn returns nil and has changed the file,
// Edit writes it back. It holds a lock from before the read until after the write, so
// that no other Edit, in this process or in another, is lost. fn must not call Edit.
// Edit calls fn again, with the new contents, if a program that does not use the lock,
// such as an editor, has changed the file in the meantime.
//
// The lock is a file in the directory. Only processes that may write to the directory can
// take it. Edit waits for the lock until ctx ends. Other calls of Edit hold it for
// milliseconds.
//
// The new file replaces the old one atomically (rename(2)), after its contents have been
// written to the disk. So a reader, or the system after a crash, finds either the whole
// old file or the whole new file. The new file has the mode, the owner and the extended
// attributes of the old one; Edit fails if it cannot keep them. Other hard links to the
// file then still refer to the old contents. If path is a symbolic link, the target of
// the link is replaced. If fn changes nothing, nothing is written. A failed Edit removes
// its temporary file. If the process is killed, a temporary file and the lock file can
// stay; their names begin with a dot, so that iproute2 ignores them, and the next Edit
// that writes removes them.
//
// If there is no file at path, fn gets an empty File, and Edit creates the file with
// mode 0644 unless it stays empty. Edit also calls fn with a damaged file, but such a
// File refuses changes; see [File.Err].
//
// Errors contain the path. The error is fs.ErrNotExist if the directory is missing, and
// errors.ErrUnsupported on a system without file locks. If ctx ends while another process
// holds the lock, the error wraps that of ctx, and names the process if it is known. It
// is an error if the file is not a regular file, or has more than 1 MiB. Other errors are
// those of the file system and of fn.
func Edit(ctx context.Context, path string, fn func(*File) error) error {
	if err := edit(ctx, path, nil, fn); err != nil {
		return fmt.Errorf("rttables: edit %s: %w", path, err)
	}
	return nil
}

// edit is Edit for a caller that can already hold the lock of the directory.
func edit(ctx context.Context, path string, held *dirLock, fn func(*File) error) error {
	var err error
	for range manyTimes {
		var done bool
		if done, err = tryEdit(ctx, path, held, fn); done || err != nil {
			return err
		}
	}
	return &fs.PathError{Op: "write", Path: path, Err: errors.New("other programs keep changing the file")}
}

// tryEdit is edit, unless someone changes the file at the same time: then it changes
// nothing and returns false.
func tryEdit(ctx context.Context, path string, held *dirLock, fn func(*File) error) (done bool, err error) {
	target, err := resolve(path)
	if err != nil {
		return false, err
	}
	// Who may not write may still find out that there is nothing to write.
	lock, lockErr := lockOf(ctx, filepath.Dir(target), held)
	switch {
	case lockErr == nil:
		defer lock.unlock()
	case !isForbidden(lockErr):
		return false, lockErr
	}
	old, info, err := readTarget(target)
	if err != nil {
		return false, err
	}
	if again, err := resolve(path); err != nil || again != target {
		return false, err
	}
	f, _ := ParseFile(old) // the error stays in f, and f refuses changes
	f.path, f.absent = path, info == nil
	if f.err != nil {
		f.err.File = path
	}
	if err := fn(f); err != nil {
		return false, err
	}
	b := f.Bytes()
	switch {
	case !f.remove && bytes.Equal(b, old), f.remove && f.absent:
		return true, nil
	case lockErr != nil:
		return false, lockErr
	case ctx.Err() != nil:
		return false, context.Cause(ctx)
	case len(b) > files.Max && !f.remove:
		return false, &fs.PathError{Op: "write", Path: path, Err: files.ErrTooBig}
	}
	isUnchanged := func() bool {
		now, err := os.Stat(target)
		if info == nil || err != nil {
			return info == nil && errors.Is(err, fs.ErrNotExist)
		}
		return os.SameFile(now, info) && now.Size() == info.Size() && now.ModTime().Equal(info.ModTime())
	}
	if !f.remove {
		return replace(target, info, b, isUnchanged)
	}
	if !isUnchanged() {
		return false, nil
	}
	if err := os.Remove(target); err != nil {
		return false, err
	}
	return true, syncDir(filepath.Dir(target))
}

// isForbidden reports whether an error says that a file cannot be created.
func isForbidden(err error) bool {
	return errors.Is(err, fs.ErrPermission) || isReadOnly(err)
}

// readTarget reads a whole file. If there is no file, info is nil.
func readTarget(target string) (b []byte, info fs.FileInfo, err error) {
	info, err = os.Stat(target)
	if err == nil {
		b, err = files.Read(target)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	return b, info, nil
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
			return "", files.CheckRegular(path, info)
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

// replace writes a file beside target and renames it to target, unless isUnchanged returns
// false. info is that of the old file, nil if there is none.
func replace(target string, info fs.FileInfo, b []byte, isUnchanged func() bool) (done bool, err error) {
	dir, base := filepath.Split(target)
	if dir == "" {
		dir = "."
	}
	// The leading dot hides it from iproute2 in a directory of *.conf files.
	pattern := "." + base + ".policyroute-*"
	left, _ := filepath.Glob(filepath.Join(dir, pattern)) // the only error is a bad pattern
	for _, name := range left {
		os.Remove(name) // of a process that was killed: this one has the lock
	}
	tmp, err := os.CreateTemp(dir, pattern)
	if err != nil {
		return false, err
	}
	defer func() {
		if !done {
			tmp.Close() // if it is already closed, this does nothing
			os.Remove(tmp.Name())
		}
	}()
	if err := fill(tmp, target, info, b); err != nil {
		return false, err
	}
	if !isUnchanged() {
		return false, nil
	}
	if err := os.Rename(tmp.Name(), target); err != nil {
		return false, err
	}
	return true, syncDir(dir)
}

// fill writes a new file and closes it. It gets what the old file has: mode, owner, and
// extended attributes.
func fill(tmp *os.File, target string, info fs.FileInfo, b []byte) error {
	if _, err := tmp.Write(b); err != nil {
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
	if err := tmp.Chmod(mode); err != nil {
		return err
	}
	if info != nil { // after the mode, which is also a part of an access control list
		if err := keepAttributes(tmp, target); err != nil {
			return err
		}
	}
	if err := tmp.Sync(); err != nil {
		return err
	}
	return tmp.Close()
}

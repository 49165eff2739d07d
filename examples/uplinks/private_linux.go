package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// A privateDir is an open directory that only its owner can write. Its files are found by
// its descriptor, so nobody can put another directory in its place.
type privateDir struct {
	path string
	f    *os.File
}

// makePrivateDir makes a directory that only this user can use, or opens it if it exists.
func makePrivateDir(path string) (*privateDir, error) {
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	d, owner, err := openDir(path)
	if err == nil && owner != os.Geteuid() {
		d.close()
		return nil, fmt.Errorf("%s belongs to user %d, but this process runs as user %d", path, owner, os.Geteuid())
	}
	return d, err
}

// openPrivateDir opens a directory of root or of this user.
func openPrivateDir(path string) (*privateDir, error) {
	d, owner, err := openDir(path)
	if err == nil && owner != 0 && owner != os.Geteuid() {
		d.close()
		return nil, fmt.Errorf("%s belongs to user %d, not to root or to the user of this process", path, owner)
	}
	return d, err
}

// openDir opens a directory that others cannot write, and returns its owner.
func openDir(path string) (d *privateDir, owner int, err error) {
	f, err := os.OpenFile(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return nil, 0, fmt.Errorf("%s is not a directory", path)
	} else if err != nil {
		return nil, 0, err
	}
	var st unix.Stat_t
	if err = unix.Fstat(int(f.Fd()), &st); err != nil {
		err = &fs.PathError{Op: "stat", Path: path, Err: err}
	} else if st.Mode&0o022 != 0 {
		err = fmt.Errorf("other users than its owner can write %s: chmod go-w %[1]s", path)
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return &privateDir{path, f}, int(st.Uid), nil
}

func (d *privateDir) close() { d.f.Close() }

// remove removes a file of the directory.
func (d *privateDir) remove(name string) { _ = unix.Unlinkat(int(d.f.Fd()), name, 0) }

// inside returns a path of a file in the directory. It is short enough for a socket,
// however long the path of the directory is.
func (d *privateDir) inside(name string) string {
	return fmt.Sprintf("/proc/self/fd/%d/%s", d.f.Fd(), name)
}

// takeLock takes the lock of a file, which it makes if it does not exist, and writes the ID
// of this process into it. It returns nil if another process has the lock.
func (d *privateDir) takeLock(name string) (*os.File, error) {
	for {
		f, err := d.open(name, unix.O_RDWR|unix.O_CREAT)
		if err != nil {
			return nil, err
		}
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err != nil {
			f.Close()
			if errors.Is(err, unix.EWOULDBLOCK) {
				return nil, nil
			}
			return nil, &fs.PathError{Op: "flock", Path: d.path + "/" + name, Err: err}
		}
		if !d.has(name, f) { // the process that had it has removed it
			f.Close()
			continue
		}
		if err = f.Truncate(0); err == nil {
			_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
		}
		if err != nil {
			f.Close()
			return nil, err
		}
		return f, nil
	}
}

// isLocked reports whether a process has the lock of a file, and which one, according to
// the file.
func (d *privateDir) isLocked(name string) (held bool, process string, err error) {
	f, err := d.open(name, unix.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return false, "", nil
	} else if err != nil {
		return false, "", err
	}
	defer f.Close()
	// A lock that is shared keeps run from taking its own for this moment only, and run
	// tries again.
	err = unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	if !errors.Is(err, unix.EWOULDBLOCK) {
		return false, "", err
	}
	b := make([]byte, 20)
	n, _ := f.ReadAt(b, 0)
	if pid, err := strconv.ParseUint(strings.TrimSpace(string(b[:n])), 10, 31); err == nil {
		return true, fmt.Sprintf("process %d", pid), nil
	}
	return true, "another process", nil
}

// open opens a regular file of the directory.
func (d *privateDir) open(name string, flags int) (*os.File, error) {
	path := d.path + "/" + name
	fd, err := unix.Openat(int(d.f.Fd()), name, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	if fi, err := f.Stat(); err != nil || !fi.Mode().IsRegular() {
		f.Close()
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	return f, nil
}

// has reports whether a name in the directory is that of an open file.
func (d *privateDir) has(name string, f *os.File) bool {
	var named, opened unix.Stat_t
	return unix.Fstatat(int(d.f.Fd()), name, &named, unix.AT_SYMLINK_NOFOLLOW) == nil &&
		unix.Fstat(int(f.Fd()), &opened) == nil && named.Dev == opened.Dev && named.Ino == opened.Ino
}

// listen listens on a socket in the directory, and replaces a socket that a killed process
// has left. The caller has the lock.
func (d *privateDir) listen(name string) (*net.UnixListener, error) {
	d.remove(name)
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		// bind makes the file with the mode of the socket.
		if e := c.Control(func(fd uintptr) { err = unix.Fchmod(int(fd), 0o600) }); e != nil {
			return e
		}
		return err
	}}
	l, err := config.Listen(context.Background(), "unix", d.inside(name))
	if err != nil {
		return nil, fmt.Errorf("%s/%s: %w", d.path, name, withoutPath(err))
	}
	u := l.(*net.UnixListener)
	u.SetUnlinkOnClose(false)
	return u, nil
}

// dial connects to a socket in the directory.
func (d *privateDir) dial(name string) (*net.UnixConn, error) {
	return net.DialUnix("unix", nil, &net.UnixAddr{Name: d.inside(name), Net: "unix"})
}

// checkUsable returns an unknownError if root cannot write a directory, so that run could
// not listen in it.
func checkUsable(dir string) error {
	err := unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK, unix.AT_EACCESS)
	if errors.Is(err, unix.EROFS) || errors.Is(err, fs.ErrPermission) && os.Geteuid() == 0 {
		return &unknownError{fmt.Sprintf("\"uplinks run\" cannot listen in %s, because the directory cannot be written (%v)", dir, err)}
	}
	return nil
}

// netnsKey returns a name of a network namespace that no other namespace has at the same
// time.
func netnsKey(path string) (string, error) {
	own := path == ""
	if own {
		path = "/proc/thread-self/ns/net"
	}
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil && own {
		return "", &fs.PathError{Op: "stat", Path: path, Err: err}
	} else if err != nil {
		return "", &enterError{path, err}
	}
	return fmt.Sprintf("netns-%d-%d", st.Dev, st.Ino), nil
}

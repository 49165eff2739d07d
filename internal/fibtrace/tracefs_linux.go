package fibtrace

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// A tracefs is the root of a tracefs that nobody else sees, or the host's own.
type tracefs struct{ fd int }

// mounted are the places of tracefs on a host.
var mounted = []string{"/sys/kernel/tracing", "/sys/kernel/debug/tracing"}

// openTracefs mounts tracefs without a place in the file system, so that only the
// descriptor leads to it. Kernels before 5.2 cannot do that: there it takes the tracefs of
// the host.
func openTracefs() (tracefs, error) {
	fd, err := mountTracefs()
	if err == nil {
		return tracefs{fd}, nil
	}
	for _, dir := range mounted {
		var st unix.Statfs_t
		if unix.Statfs(dir, &st) != nil || st.Type != unix.TRACEFS_MAGIC {
			continue
		}
		if fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err == nil {
			return tracefs{fd}, nil
		}
	}
	return tracefs{-1}, refused(err)
}

func mountTracefs() (int, error) {
	fsfd, err := unix.Fsopen("tracefs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, err
	}
	defer unix.Close(fsfd)
	if err := unix.FsconfigCreate(fsfd); err != nil {
		return -1, err
	}
	return unix.Fsmount(fsfd, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC)
}

// refused says what is missing.
func refused(err error) error {
	switch {
	case errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES):
		return fmt.Errorf("fibtrace: mount tracefs: %w: reading the kernel's lookups needs root of the host (CAP_SYS_ADMIN outside of containers): use sudo", err)
	case errors.Is(err, unix.ENODEV):
		return fmt.Errorf("fibtrace: mount tracefs: %w: this kernel is built without tracing (CONFIG_FTRACE)", err)
	case errors.Is(err, unix.ENOSYS):
		return fmt.Errorf("fibtrace: mount tracefs: %w: mount it first: mount -t tracefs tracefs /sys/kernel/tracing", err)
	}
	return fmt.Errorf("fibtrace: mount tracefs: %w", err)
}

func (t tracefs) close() { unix.Close(t.fd) }

// open opens a file.
func (t tracefs) open(name string, flags int) (int, error) {
	fd, err := unix.Openat(t.fd, name, flags|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return fd, nil
}

// read reads a small file.
func (t tracefs) read(name string) (string, error) {
	fd, err := t.open(name, unix.O_RDONLY)
	if err != nil {
		return "", err
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	var b strings.Builder
	buf := make([]byte, 4096)
	for {
		n, err := f.Read(buf)
		b.Write(buf[:n])
		if n == 0 || err != nil {
			if err != nil && b.Len() == 0 {
				return "", err
			}
			return b.String(), nil
		}
	}
}

// write writes to a file.
func (t tracefs) write(name, value string) error {
	fd, err := t.open(name, unix.O_WRONLY|unix.O_TRUNC)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if _, err := unix.Write(fd, []byte(value)); err != nil {
		return &fs.PathError{Op: "write", Path: name, Err: err}
	}
	return nil
}

// list returns the names in a directory.
func (t tracefs) list(name string) ([]string, error) {
	fd, err := t.open(name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	return f.Readdirnames(-1)
}

// instances is the directory of instances, and instancePrefix is what the names of ours
// begin with. After it come the process, when it started, and a number.
const (
	instances      = "instances"
	instancePrefix = "policyroute-"
)

var instanceCount atomic.Uint64

// makeInstance makes an instance and returns its name.
func (t tracefs) makeInstance() (string, error) {
	started, err := startTime(os.Getpid())
	if err != nil {
		return "", err
	}
	name := path.Join(instances, fmt.Sprintf("%s%d-%s-%d", instancePrefix, os.Getpid(), started, instanceCount.Add(1)))
	if err := unix.Mkdirat(t.fd, name, 0o700); err != nil {
		return "", fmt.Errorf("make %s: %w", name, err)
	}
	return name, nil
}

// removeInstance removes an instance. The kernel refuses it with EBUSY as long as a process
// has a file of it open.
func (t tracefs) removeInstance(name string) error {
	if err := unix.Unlinkat(t.fd, name, unix.AT_REMOVEDIR); err != nil {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	return nil
}

// removeStale removes the instances of processes that have ended.
func (t tracefs) removeStale() {
	names, err := t.list(instances)
	if err != nil {
		return
	}
	for _, name := range names {
		if isStale(name) {
			_ = t.removeInstance(path.Join(instances, name))
		}
	}
}

// isStale reports whether an instance has a name of ours and its process has ended.
func isStale(name string) bool {
	rest, ok := strings.CutPrefix(name, instancePrefix)
	parts := strings.Split(rest, "-")
	if !ok || len(parts) != 3 {
		return false
	}
	pid, err := strconv.Atoi(parts[0])
	if err != nil || pid <= 0 {
		return false
	}
	started, err := startTime(pid)
	return errors.Is(err, fs.ErrNotExist) || err == nil && started != parts[1]
}

// startTime returns when a process started, in ticks since the boot: the 22nd field of
// /proc/PID/stat. The second one, in parentheses, can have blanks.
func startTime(pid int) (string, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", err
	}
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(fields) < 20 {
		return "", fmt.Errorf("/proc/%d/stat: too short", pid)
	}
	return fields[19], nil
}

package rttables

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A file system that is full, or cannot be written to, loses nothing: the error names the
// file, and nothing is left behind.
func TestDisk(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childEnv+"=disk\n"+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if !isRoot() {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	switch {
	case errors.Is(err, fs.ErrPermission):
		t.Skipf("no file system can be mounted here: %v", err)
	case err != nil:
		t.Fatalf("%v:\n%s", err, out)
	}
}

// useDisk tries file systems that it mounts on the directory etc.
func useDisk(etc string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	for _, x := range []struct {
		name, options string
		spoil, mend   func(etc string) error
		want          error
	}{
		{"full", "size=64k", fillBytes, unfill, syscall.ENOSPC},
		{"without inodes", "nr_inodes=10", fillInodes, unfill, syscall.ENOSPC},
		{"read-only", "", remount(unix.MS_RDONLY), remount(0), syscall.EROFS},
	} {
		if err := unix.Mount("tmpfs", etc, "tmpfs", 0, x.options); err != nil {
			return err
		}
		if err := tryDisk(etc, x.spoil, x.mend, x.want); err != nil {
			return fmt.Errorf("%s: %w", x.name, err)
		}
		if err := unix.Unmount(etc, 0); err != nil {
			return err
		}
	}
	return nil
}

// tryDisk registers and unregisters names while a file system is spoiled.
func tryDisk(etc string, spoil, mend func(string) error, want error) error {
	ctx := context.Background()
	path := filepath.Join(etc, "rt_tables")
	if err := os.WriteFile(path, []byte(stock), 0o644); err != nil {
		return err
	}
	if err := Register(ctx, etc, 19, "before"); err != nil {
		return err
	}
	if err := spoil(etc); err != nil {
		return err
	}
	before, err := listDir(etc)
	if err != nil {
		return err
	}
	for what, err := range map[string]error{
		"Register":   Register(ctx, etc, 20, "lan2"),
		"Unregister": Unregister(ctx, etc, 19, "before"),
		"Edit":       Edit(ctx, path, setLan2),
	} {
		if !errors.Is(err, want) || !strings.Contains(err.Error(), path) && !strings.Contains(err.Error(), filepath.Join(etc, lockFile)) {
			return fmt.Errorf("%s: got %v, want %v of %s", what, err, want, path)
		}
	}
	if err := Edit(ctx, path, func(f *File) error { return f.Set(19, "before", Mark) }); err != nil && want == syscall.EROFS {
		return fmt.Errorf("nothing to write: %w", err)
	}
	after, err := listDir(etc)
	if err != nil || after != before {
		return fmt.Errorf("%v; before:\n%s\nafter:\n%s", err, before, after)
	}
	if err := mend(etc); err != nil {
		return err
	}
	return errors.Join(Register(ctx, etc, 20, "lan2"), Unregister(ctx, etc, 19, "before"))
}

// listDir returns the names in a directory, and the text of rt_tables.
func listDir(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(filepath.Join(dir, "rt_tables"))
	for _, e := range entries {
		text = append(text, e.Name()+"\n"...)
	}
	return string(text), err
}

// fillBytes writes until no byte is free.
func fillBytes(etc string) error {
	f, err := os.Create(filepath.Join(etc, "filler"))
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		if _, err := f.Write(make([]byte, 4096)); errors.Is(err, syscall.ENOSPC) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// fillInodes makes files until there can be no more.
func fillInodes(etc string) error {
	for i := range 100 {
		err := os.WriteFile(filepath.Join(etc, fmt.Sprint("filler", i)), nil, 0o644)
		if errors.Is(err, syscall.ENOSPC) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return errors.New("the file system does not get full")
}

// unfill removes what fillBytes and fillInodes made.
func unfill(etc string) error {
	all, err := filepath.Glob(filepath.Join(etc, "filler*"))
	for _, name := range all {
		err = errors.Join(err, os.Remove(name))
	}
	return err
}

// remount returns a function that mounts the file system with other flags.
func remount(flags uintptr) func(string) error {
	return func(etc string) error { return unix.Mount("", etc, "", unix.MS_REMOUNT|flags, "") }
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A cache is a directory with unpacked packages, each in a directory with the name of the
// package, and with the files of the private apt. It is locked while it is open.
type cache struct {
	dir    string
	lock   *os.File
	update bool // look for newer packages than those of the cache
	apt    *privateApt
}

// openCache waits until no other process uses the cache, locks it, and removes what a killed
// process left.
func openCache(ctx context.Context, update bool) (*cache, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	c := &cache{dir: filepath.Join(base, "policyroute-vmtest"), update: update}
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return nil, err
	}
	if c.lock, err = os.Create(filepath.Join(c.dir, "lock")); err != nil {
		return nil, err
	}
	err = lockFile(ctx, c.lock)
	if err == nil {
		err = os.RemoveAll(c.partialDir())
	}
	if err != nil {
		c.lock.Close()
		return nil, fmt.Errorf("%s: %w", c.dir, err)
	}
	return c, nil
}

// lockFile locks a file. It polls, because a blocking system call would not end with ctx.
func lockFile(ctx context.Context, f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (c *cache) close() { c.lock.Close() }

// partialDir returns the directory of a package that is not complete yet.
func (c *cache) partialDir() string { return filepath.Join(c.dir, "partial") }

// A kernel is a kernel that can be booted.
type kernel struct {
	release string // as printed by uname -r
	image   string // the file to boot
	modules string // the directory of its modules
}

// kernel returns the newest kernel of a series, from the cache or the mirror.
func (c *cache) kernel(ctx context.Context, series string) (kernel, error) {
	have, err := c.kernels(series)
	if err != nil {
		return kernel{}, err
	}
	if len(have) == 0 || c.update {
		apt, err := c.privateApt(ctx)
		if err != nil {
			return kernel{}, err
		}
		names, err := apt.kernels(ctx, series)
		if err != nil {
			return kernel{}, err
		}
		newest := names[len(names)-1]
		if err := c.add(ctx, newest); err != nil {
			return kernel{}, err
		}
		c.removeOthers(have, newest)
		have = []string{newest}
	}
	return openKernel(filepath.Join(c.dir, have[len(have)-1]))
}

// kernels returns the kernels of the series that the cache has, the newest last.
func (c *cache) kernels(series string) ([]string, error) {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "linux-image-"+series+".") {
			names = append(names, e.Name())
		}
	}
	sortVersions(names)
	return names, nil
}

// removeOthers removes the packages with names, except one.
func (c *cache) removeOthers(names []string, but string) {
	for _, name := range names {
		if name != but {
			os.RemoveAll(filepath.Join(c.dir, name)) // on an error the package stays in the cache
		}
	}
}

// busybox returns the path of busybox, which has a few commands for the guest.
func (c *cache) busybox(ctx context.Context) (string, error) {
	const name = "busybox-static"
	path := filepath.Join(c.dir, name, "bin", "busybox")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	return path, c.add(ctx, name)
}

// add fetches a package, unless the cache has it.
func (c *cache) add(ctx context.Context, name string) error {
	dir := filepath.Join(c.dir, name)
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	apt, err := c.privateApt(ctx)
	if err != nil {
		return err
	}
	if err := os.Mkdir(c.partialDir(), 0o755); err != nil {
		return err
	}
	defer os.RemoveAll(c.partialDir())
	fmt.Fprintln(os.Stderr, "vmtest: fetching", name)
	if err := apt.fetch(ctx, name, c.partialDir()); err != nil {
		return err
	}
	return os.Rename(c.partialDir(), dir)
}

// privateApt returns the private apt. Its lists are fetched once a run.
func (c *cache) privateApt(ctx context.Context) (*privateApt, error) {
	if c.apt != nil {
		return c.apt, nil
	}
	apt, err := newPrivateApt(ctx, filepath.Join(c.dir, "apt"))
	if err != nil {
		return nil, err
	}
	c.apt = apt
	return apt, nil
}

// openKernel returns the kernel of an unpacked package.
func openKernel(dir string) (kernel, error) {
	images, err := filepath.Glob(filepath.Join(dir, "boot", "vmlinuz-*"))
	if err != nil {
		return kernel{}, err
	}
	if len(images) != 1 {
		return kernel{}, fmt.Errorf("%s: %d kernels, want 1", dir, len(images))
	}
	release := strings.TrimPrefix(filepath.Base(images[0]), "vmlinuz-")
	for _, lib := range []string{"lib", "usr/lib"} {
		modules := filepath.Join(dir, lib, "modules", release)
		if _, err := os.Stat(modules); err == nil {
			return kernel{release: release, image: images[0], modules: modules}, nil
		}
	}
	return kernel{}, fmt.Errorf("%s: no modules of %s", dir, release)
}

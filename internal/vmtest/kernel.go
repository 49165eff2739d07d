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

// cache is a directory with unpacked packages, each named after its package,
// and with what the private apt needs. It is locked while it is open.
type cache struct {
	dir    string
	lock   *os.File
	update bool // look for newer packages than those there are
	apt    *private
}

// openCache waits for others who use the cache, and clears away what one of
// them could not.
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
		err = os.RemoveAll(c.partial())
	}
	if err != nil {
		c.lock.Close()
		return nil, fmt.Errorf("%s: %w", c.dir, err)
	}
	return c, nil
}

// lockFile tries again and again, as a wait in the kernel would not end with ctx.
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

// partial is where a package is until it is complete.
func (c *cache) partial() string { return filepath.Join(c.dir, "partial") }

// kernel is one that can be booted.
type kernel struct {
	release string // as uname -r says it
	image   string // the file to boot
	modules string // the directory of its modules
}

// kernel finds the newest kernel of a series, in the cache or at the mirror.
func (c *cache) kernel(ctx context.Context, series string) (kernel, error) {
	have, err := c.kernels(series)
	if err != nil {
		return kernel{}, err
	}
	if len(have) == 0 || c.update {
		apt, err := c.private(ctx)
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
		c.forget(have, newest)
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

// forget removes all names but one.
func (c *cache) forget(names []string, but string) {
	for _, name := range names {
		if name != but {
			os.RemoveAll(filepath.Join(c.dir, name)) // at worst it stays
		}
	}
}

// busybox returns the program that stands in for a few commands in the guest.
func (c *cache) busybox(ctx context.Context) (string, error) {
	const name = "busybox-static"
	path := filepath.Join(c.dir, name, "bin", "busybox")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	return path, c.add(ctx, name)
}

// add fetches a package unless it is there.
func (c *cache) add(ctx context.Context, name string) error {
	dir := filepath.Join(c.dir, name)
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	apt, err := c.private(ctx)
	if err != nil {
		return err
	}
	if err := os.Mkdir(c.partial(), 0o755); err != nil {
		return err
	}
	defer os.RemoveAll(c.partial())
	fmt.Fprintln(os.Stderr, "vmtest: fetching", name)
	if err := apt.fetch(ctx, name, c.partial()); err != nil {
		return err
	}
	return os.Rename(c.partial(), dir)
}

// private returns the private apt, whose lists are fetched once a run.
func (c *cache) private(ctx context.Context) (*private, error) {
	if c.apt != nil {
		return c.apt, nil
	}
	apt, err := newPrivate(ctx, filepath.Join(c.dir, "apt"))
	if err != nil {
		return nil, err
	}
	c.apt = apt
	return apt, nil
}

// openKernel finds the kernel in an unpacked package.
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

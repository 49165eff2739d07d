package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// An actor disturbs next to the rounds. What it does must not matter.
type actor struct {
	name string
	lane int // the only one that it is in, of the things that happen one after the other
	do   func(context.Context, *world, *rand.Rand) error
}

// anyLane is for actors of which several may be at work at the same time.
const (
	lanes   = 3
	anyLane = lanes
)

func actors() []actor {
	all := []actor{
		{"full-disk", 0, fullDisk},
		{"no-inodes", 0, noInodes},
		{"fifo", 0, fifo},
		{"odd-names", 0, oddNames},
		{"no-file", 0, noFile},
		{"read-only", 0, readOnly},
		{"route-flood", 1, routeFlood},
		{"rule-flood", 1, ruleFlood},
		{"link-flood", 1, linkFlood},
		{"address-flood", 1, addressFlood},
		{"carrier-flood", 1, carrierFlood},
		{"reader", 2, reader},
		{"deaf-log", 2, deafLog},
		{"deaf-manager", 2, deafManager},
	}
	for _, name := range slices.Sorted(maps.Keys(attacks)) {
		all = append(all, actor{name, anyLane, func(ctx context.Context, w *world, rng *rand.Rand) error {
			return w.attack(ctx, name, rng)
		}})
	}
	return all
}

// startBackground starts three goroutines, each of which does one thing after the other.
func (w *world) startBackground(ctx context.Context) {
	all := slices.DeleteFunc(actors(), func(a actor) bool { return !w.opt.chooses(a.name) })
	for i := range lanes {
		rng := rand.New(rand.NewPCG(w.opt.seed, uint64(i+1)))
		mine := slices.DeleteFunc(slices.Clone(all), func(a actor) bool { return a.lane != i && a.lane != anyLane })
		if len(mine) == 0 {
			continue
		}
		w.wg.Go(func() {
			for ctx.Err() == nil {
				a := mine[rng.IntN(len(mine))]
				w.log.print("begin " + a.name)
				w.fig.act(a.name)
				if err := a.do(ctx, w, rng); err != nil && ctx.Err() == nil {
					w.fig.trouble(fmt.Errorf("%s: %w", a.name, err))
				}
				w.log.print("end " + a.name)
				w.sleep(ctx, time.Duration(rng.IntN(1000))*time.Millisecond)
			}
		})
	}
}

// attack lets an ordinary user attack for a while.
func (w *world) attack(ctx context.Context, name string, rng *rand.Rand) error {
	length := time.Duration(100+rng.IntN(4000)) * time.Millisecond
	cmd := exec.CommandContext(ctx, "/proc/self/exe", attackWord, name, length.String(), w.etc, strconv.Itoa(w.daemon.pid()))
	cmd.Dir = "/"
	cmd.SysProcAttr = ordinary()
	cmd.WaitDelay = time.Second
	err := w.host.Do(cmd.Start)
	if err != nil {
		return err
	}
	err = cmd.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// ordinary returns the attributes of a process that has no privileges here: another user or,
// where there is no other, root of a user namespace that owns nothing of the host.
func ordinary() *syscall.SysProcAttr {
	const nobody = 65534
	attr := child()
	if b, err := os.ReadFile("/proc/self/uid_map"); err == nil && strings.Contains(string(b), "4294967295") {
		attr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
		return attr
	}
	attr.Cloneflags = unix.CLONE_NEWUSER
	return attr
}

// fullDisk fills the file system of rt_tables for a while.
func fullDisk(ctx context.Context, w *world, rng *rand.Rand) error {
	path := filepath.Join(w.etc, "full")
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer os.Remove(path)
	defer f.Close()
	block := make([]byte, 4096)
	for n := 0; ; n += len(block) {
		if _, err := f.Write(block); errors.Is(err, unix.ENOSPC) {
			break
		} else if err != nil {
			return err
		}
		if n > 1<<20 { // someone has taken the small file system away: this is another one
			return fmt.Errorf("%s is not on the small file system any more", path)
		}
	}
	w.sleep(ctx, time.Duration(rng.IntN(4000))*time.Millisecond)
	return nil
}

// noInodes makes files until there can be no other.
func noInodes(ctx context.Context, w *world, rng *rand.Rand) error {
	var made []string
	defer func() {
		for _, path := range made {
			os.Remove(path)
		}
	}()
	for i := range 10_000 {
		path := filepath.Join(w.etc, "file"+strconv.Itoa(i))
		if err := os.WriteFile(path, nil, 0o644); errors.Is(err, unix.ENOSPC) {
			break
		} else if err != nil {
			return err
		}
		made = append(made, path)
	}
	w.sleep(ctx, time.Duration(rng.IntN(4000))*time.Millisecond)
	return nil
}

// fifo puts FIFOs among the files of names.
func fifo(ctx context.Context, w *world, rng *rand.Rand) error {
	return w.withNames(ctx, rng, func(path string) error { return unix.Mkfifo(path, 0o644) })
}

// oddNames puts files among those of names that hold nothing good.
func oddNames(ctx context.Context, w *world, rng *rand.Rand) error {
	texts := []string{
		"10 lan1\x1b[2J\n", "bad line\n20 lan2\n", "30 10\n", strings.Repeat("1", 4000) + " x\n", "\x00\x00\x00",
		"20 other\n10 lan2\n", "4294967295 top\n",
	}
	text := texts[rng.IntN(len(texts))]
	return w.withNames(ctx, rng, func(path string) error {
		err := os.WriteFile(path, []byte(text), 0o644)
		if errors.Is(err, unix.ENOSPC) {
			return nil
		}
		return err
	})
}

// withNames makes a file in rt_tables.d for a while.
func (w *world) withNames(ctx context.Context, rng *rand.Rand, make func(path string) error) error {
	dir := filepath.Join(w.etc, "rt_tables.d")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	path := filepath.Join(dir, "odd.conf")
	err := make(path)
	if err == nil {
		w.sleep(ctx, time.Duration(rng.IntN(3000))*time.Millisecond)
	}
	if e := os.Remove(path); !errors.Is(e, os.ErrNotExist) {
		err = errors.Join(err, e)
	}
	return err
}

// noFile puts something that is no file in the place of rt_tables.
func noFile(ctx context.Context, w *world, rng *rand.Rand) error {
	path := filepath.Join(w.etc, "rt_tables")
	if err := os.Rename(path, path+".away"); err != nil {
		return err
	}
	var err error
	switch rng.IntN(4) {
	case 0:
		err = unix.Mkfifo(path, 0o644)
	case 1:
		err = os.Symlink("rt_tables", path)
	case 2:
		err = os.Symlink("/dev/zero", path)
	}
	w.sleep(ctx, time.Duration(rng.IntN(3000))*time.Millisecond)
	return errors.Join(err, os.Rename(path+".away", path))
}

// readOnly makes the file system of rt_tables read-only for a while.
func readOnly(ctx context.Context, w *world, rng *rand.Rand) error {
	const flags = unix.MS_NOSUID | unix.MS_NODEV
	err := unix.Mount("", w.etc, "", unix.MS_REMOUNT|unix.MS_RDONLY|flags, etcOptions)
	if err == unix.EBUSY { // the daemon writes
		return nil
	}
	w.sleep(ctx, time.Duration(rng.IntN(3000))*time.Millisecond)
	return errors.Join(err, unix.Mount("", w.etc, "", unix.MS_REMOUNT|flags, etcOptions))
}

// deafLog reads nothing of the daemon's log for a while.
func deafLog(ctx context.Context, w *world, rng *rand.Rand) error {
	w.daemon.logLock.Lock()
	defer w.daemon.logLock.Unlock()
	w.sleep(ctx, time.Duration(rng.IntN(6000))*time.Millisecond)
	return nil
}

// deafManager receives nothing of what the daemon says to systemd for a while.
func deafManager(ctx context.Context, w *world, rng *rand.Rand) error {
	w.daemon.notifyLock.Lock()
	defer w.daemon.notifyLock.Unlock()
	w.sleep(ctx, time.Duration(rng.IntN(6000))*time.Millisecond)
	return nil
}

// reader runs commands that read.
func reader(ctx context.Context, w *world, rng *rand.Rand) error {
	for range 1 + rng.IntN(5) {
		args := [][]string{{"status"}, {"check"}, {"plan"}, {"-json", "status"}, {"-json", "check"}, {"-prune", "plan"}, {"init"}}[rng.IntN(7)]
		if _, err := w.command(ctx, args...); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
	}
	return nil
}

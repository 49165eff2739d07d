package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
)

// A sideWorld is a second daemon, for a namespace that has a name as "ip netns" gives it,
// and that is deleted and made again. Its uplink has no number of a table.
type sideWorld struct {
	w         *world
	elsewhere *lab.NS // where interfaces are moved to
	path      string  // of the namespace
	file, etc string
	daemon    *daemon
	ns        *lab.NS
}

func newSideWorld(w *world, binary string) *sideWorld {
	s := &sideWorld{w: w, elsewhere: w.lab.NS("elsewhere")}
	s.path, s.file, s.etc = filepath.Join(w.dir, "side.ns"), filepath.Join(w.dir, "side.conf"), filepath.Join(w.dir, "side.etc")
	s.daemon = &daemon{
		w: w, name: "run -n", binary: binary, ns: func() *lab.NS { return s.elsewhere }, mayEnd: true,
		args: []string{"-n", s.path, "-f", s.file, "-etc", s.etc, "run"},
	}
	return s
}

// start makes the namespace and starts its daemon.
func (s *sideWorld) start(ctx context.Context) error {
	err := errors.Join(
		os.Mkdir(s.etc, 0o755),
		os.WriteFile(filepath.Join(s.etc, "rt_tables"), []byte(rtTables), 0o644),
		os.WriteFile(s.file, []byte("side dev s1 via 10.50.0.1 unreachable\n"), 0o644),
		s.make(),
	)
	if err != nil {
		return err
	}
	if err := s.daemon.start(); err != nil {
		return err
	}
	return s.wait(ctx)
}

// make makes the namespace, and mounts it at its path.
func (s *sideWorld) make() error {
	s.ns = s.w.lab.NS("side")
	s.ns.Link("s1", s.ns, "s2")
	s.ns.Addr("s1", "10.50.0.2/24")
	if err := s.w.lab.Err(); err != nil {
		return err
	}
	if err := os.WriteFile(s.path, nil, 0o644); err != nil {
		return err
	}
	if err := unix.Mount(fmt.Sprintf("/proc/self/fd/%d", s.ns.FD()), s.path, "", unix.MS_BIND, ""); err != nil {
		return os.NewSyscallError("mount "+s.path, err)
	}
	return nil
}

// remove removes the namespace, as "ip netns delete" does.
func (s *sideWorld) remove() error {
	return errors.Join(
		os.NewSyscallError("umount", unix.Unmount(s.path, unix.MNT_DETACH)),
		os.Remove(s.path), s.ns.Close(),
	)
}

// wait waits until the uplink is installed in the namespace.
func (s *sideWorld) wait(ctx context.Context) error {
	c, err := route.Dial(s.ns.Config())
	if err != nil {
		return err
	}
	defer c.Close()
	for end := time.Now().Add(patience); ctx.Err() == nil; s.w.sleep(ctx, 10*time.Millisecond) {
		n := 0
		for _, err := range rule.All(ctx, c, rule.Filter{Protocol: table.Protocol}) {
			if err != nil {
				return err
			}
			n++
		}
		if n >= 2 { // lookup and unreachable
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("in the namespace of -n: %w after %v", errIncomplete, patience)
		}
	}
	return nil
}

// sideNamespace deletes the namespace of -n, and makes it again.
func sideNamespace(r *round) error {
	s := r.w.side
	if err := s.remove(); err != nil {
		return err
	}
	r.hold(longestHold)
	if err := s.make(); err != nil {
		return err
	}
	begin := time.Now()
	if err := s.wait(r.ctx); err != nil {
		return err
	}
	r.w.fig.repaired("namespace", time.Since(begin), time.Since(begin))
	return nil
}

func (s *sideWorld) close() { s.daemon.kill() }

package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/policyroute/policyroute/route"
)

// begin starts the daemons, waits until the uplinks are installed, and starts the senders.
func (w *world) begin(ctx context.Context) error {
	if err := w.daemon.start(); err != nil {
		return err
	}
	// The daemon itself says when the uplinks are complete for the first time. Whether they
	// do what they are for is seen from lookups.
	for end := time.Now().Add(patience); ; w.sleep(ctx, 50*time.Millisecond) {
		res, err := w.command(ctx, "status")
		if err != nil {
			return err
		}
		now, err := readState(ctx, w.conn)
		if err != nil {
			return err
		}
		if res.status == 0 && w.daemon.isReady() && strings.Count(now.shared, "\n") >= 1 {
			w.base = now
			break
		}
		if time.Now().After(end) || ctx.Err() != nil {
			return fmt.Errorf("the uplinks are not installed:\n%s%s\n%s\n%s", res.stdout, res.stderr, now.uplinks, now.shared)
		}
	}
	for _, s := range w.sources {
		if err := w.checkLookup(ctx, s); err != nil {
			return err
		}
	}
	w.log.print("the state:\n" + w.base.uplinks + "\n" + w.base.shared)
	if err := w.side.start(ctx); err != nil {
		return err
	}
	w.traffic.begin("the beginning")
	w.traffic.start()
	w.sampling.Go(func() { w.sample(ctx) })
	return nil
}

// checkLookup asks the kernel by which wire packets of a source leave.
func (w *world) checkLookup(ctx context.Context, s *source) error {
	to := netip.MustParseAddr(target4)
	if s.addr.Is6() {
		to = netip.MustParseAddr(target6)
	}
	got, err := route.Lookup(ctx, w.conn, route.Query{Src: s.addr, Dst: to})
	if err != nil {
		return err
	}
	if want := w.host.Index(s.wire.name); got.OIF != want {
		return fmt.Errorf("from %s the kernel takes interface %d, want %d, which is %s", s.addr, got.OIF, want, s.wire.name)
	}
	return nil
}

// sample measures the daemon once a second.
func (w *world) sample(ctx context.Context) {
	for last := time.Now(); ; last = time.Now() {
		select {
		case <-w.stopped:
			return
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
		w.fig.late(time.Since(last) - time.Second)
		pid := w.daemon.pid()
		if b, err := burdenOf(pid); err == nil {
			w.fig.sampled(pid, b)
		}
	}
}

// phase ends the part of the run in which the daemon is killed: it counts the goroutines of
// the daemon, which ends it for the last time, and lets it live from then on.
func (w *world) phase(ctx context.Context, elapsed time.Duration) error {
	if elapsed < w.opt.length/3 || w.fig.settled() {
		return nil
	}
	w.fig.settle(w.daemon.dump())
	return w.waitReady(ctx)
}

// waitReady waits until the daemon has looked at everything once.
func (w *world) waitReady(ctx context.Context) error {
	for end := time.Now().Add(patience); !w.daemon.isReady(); w.sleep(ctx, 5*time.Millisecond) {
		if ctx.Err() != nil {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%w: the daemon is not ready after %v", errIncomplete, patience)
		}
	}
	return nil
}

// finish checks the state, and that down leaves nothing.
func (w *world) finish(ctx context.Context) error {
	if _, _, err := w.waitComplete(ctx); errors.Is(err, errIncomplete) {
		w.fig.fault("at the end: %v", err)
		return nil
	} else if err != nil {
		return err
	}
	res, err := w.command(ctx, "status")
	if err != nil {
		return err
	}
	if res.status != 0 {
		w.fig.fault("at the end status has the status %d: %s%s", res.status, res.stdout, res.stderr)
	}
	for _, s := range w.sources {
		if err := w.checkLookup(ctx, s); err != nil {
			w.fig.fault("at the end: %v", err)
		}
	}
	close(w.stopped)
	w.sampling.Wait()
	w.traffic.halt()
	w.fig.end(w.daemon.dump())
	w.fig.Starts = w.daemon.starts
	w.daemon.kill()
	w.side.daemon.kill()
	if err := w.down(ctx); err != nil {
		return err
	}
	return w.lab.Err()
}

// down removes everything, and looks for leftovers.
func (w *world) down(ctx context.Context) error {
	res, err := w.command(ctx, "down")
	if err != nil {
		return err
	}
	if res.status != 0 {
		w.fig.fault("down has the status %d: %s", res.status, res.stderr)
	}
	left, err := readState(ctx, w.conn)
	if err != nil {
		return err
	}
	if text := strings.TrimSpace(left.uplinks + left.shared); text != "" {
		w.fig.fault("down left in the kernel:\n%s", text)
	}
	return filepath.WalkDir(w.etc, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if err == nil && string(b) != rtTables && strings.TrimSpace(string(b)) != "" {
			w.fig.fault("down left in %s:\n%s", path, b)
		}
		return err
	})
}

package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// A kind is a kind of disturbance. In a round there is at most one of each class.
type kind struct {
	name  string
	class string
	do    func(*round) error
}

// The classes.
const (
	ofWires  = "wires"
	ofRivals = "rivals"
	ofDaemon = "daemon"
)

// kinds returns the disturbances of the rounds.
func kinds() []kind {
	return slices.Concat(wireKinds(), rivalKinds(), daemonKinds())
}

// A round is some disturbances at the same time, and their repair.
type round struct {
	w    *world
	ctx  context.Context
	name string
	rng  *rand.Rand // of one disturbance

	shared *roundShared
}

// A roundShared is what the disturbances of a round share.
type roundShared struct {
	mu      sync.Mutex
	excused []*source
}

// hold waits for a random time, of which short ones are the most frequent.
func (r *round) hold(most time.Duration) {
	least := float64(time.Millisecond)
	wait := least * math.Pow(float64(most)/least, r.rng.Float64())
	select {
	case <-r.ctx.Done():
	case <-time.After(time.Duration(wait)):
	}
}

// excuse begins the time in which packets of these sources may leave by other wires, because
// someone with the privilege for it is about to delete or overrule their rules. It ends with
// the round.
func (r *round) excuse(sources ...*source) {
	r.shared.mu.Lock()
	defer r.shared.mu.Unlock()
	r.shared.excused = append(r.shared.excused, sources...)
	r.w.traffic.begin(r.name, sources...)
}

// uplinkWire picks one of the wires that have an uplink.
func (r *round) uplinkWire() *wire { return r.w.wires[1+r.rng.IntN(3)] }

// run runs the whole: it starts all that there is, does the rounds, and checks the end.
func (w *world) run(ctx context.Context) (*figures, error) {
	if err := w.begin(ctx); err != nil {
		return w.fig, err
	}
	background, stop := context.WithCancel(ctx)
	defer stop()
	w.startBackground(background)
	all := slices.DeleteFunc(kinds(), func(k kind) bool { return !w.opt.chooses(k.name) })
	begin := time.Now()
	var err error
	for number := 1; err == nil && ctx.Err() == nil && time.Since(begin) < w.opt.length; number++ {
		err = w.oneRound(ctx, number, all)
		w.daemon.watch()
		w.side.daemon.watch()
		err = errors.Join(err, w.phase(ctx, time.Since(begin)))
	}
	stop()
	w.wg.Wait()
	w.fig.Length = time.Since(begin).Round(time.Second).String()
	switch {
	case errors.Is(err, errIncomplete):
		w.fig.fault("%v", err)
		err = nil
	case err == nil:
		err = w.finish(context.WithoutCancel(ctx))
	}
	w.fig.Packets = w.traffic.counts()
	if w.fig.Packets.Astray > 0 {
		w.fig.fault("%d packets went astray, the first: %s", w.fig.Packets.Astray, strings.Join(w.traffic.strays, "\n    "))
	}
	return w.fig, errors.Join(err, w.lab.Err())
}

// oneRound does one to three disturbances at the same time, and waits until the state is
// complete.
func (w *world) oneRound(ctx context.Context, number int, all []kind) error {
	picked := w.pick(all)
	if len(picked) == 0 {
		time.Sleep(50 * time.Millisecond) // -only names what is in the background
		return nil
	}
	var names []string
	for _, k := range picked {
		names = append(names, k.name)
	}
	name := fmt.Sprintf("round %d: %s", number, strings.Join(names, " + "))
	w.log.print(name)
	w.traffic.begin(name)
	shared := new(roundShared)
	errs := make([]error, len(picked))
	var wg sync.WaitGroup
	for i, k := range picked {
		rng := rand.New(rand.NewPCG(w.rng.Uint64(), uint64(number)))
		r := &round{w: w, ctx: ctx, name: name, rng: rng, shared: shared}
		wg.Go(func() {
			if err := k.do(r); err != nil && ctx.Err() == nil {
				errs[i] = fmt.Errorf("%s: %w", k.name, err)
			}
		})
	}
	wg.Wait()
	if err := errors.Join(append(errs, w.lab.Err())...); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	own, withShared, err := w.waitComplete(ctx)
	err = errors.Join(err, w.waitReady(ctx))
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("%s: %w", name, err)
	}
	w.traffic.end(name, shared.excused...)
	for _, k := range picked {
		if k.name != "namespace" { // it has measured its repair itself
			w.fig.repaired(k.name, own, withShared)
		}
	}
	w.log.say("%s: complete after %v, the shared default after %v", name, own.Round(time.Millisecond), withShared.Round(time.Millisecond))
	w.sleep(ctx, time.Duration(w.rng.IntN(300))*time.Millisecond)
	return nil
}

func (w *world) sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// pick picks disturbances of different classes. In the last two thirds of the time nothing
// ends the daemon, so that its memory can be compared.
func (w *world) pick(all []kind) []kind {
	var picked []kind
	most := 1 + w.rng.IntN(3)
	for range 2 * most {
		if len(all) == 0 {
			break
		}
		k := all[w.rng.IntN(len(all))]
		taken := slices.ContainsFunc(picked, func(o kind) bool { return o.class == k.class })
		if !taken && len(picked) < most && !(w.fig.settled() && endsDaemon[k.name]) {
			picked = append(picked, k)
		}
	}
	return picked
}

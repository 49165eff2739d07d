package table

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/policyroute/policyroute/route"
)

// grace is how much longer than its timeout a probe may take to return.
const grace = 100 * time.Millisecond

// A namespace is a connection in the network namespace that is maintained. It is
// another one when the sockets were opened again.
type namespace struct {
	mu sync.Mutex
	c  route.Conn
}

func (n *namespace) set(c route.Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.c = c
}

func (n *namespace) get() route.Conn {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.c
}

// A prober probes one uplink.
type prober struct {
	health   Health // nothing of it is left open
	ns       *namespace
	counters *Counters
	wake     chan struct{} // gets a value when there is news
	cancel   context.CancelFunc
	aimed    chan struct{} // gets a value when there are sources again
	busy     chan struct{} // has a value while there is a probe that has not returned

	mu      sync.Mutex
	sources []netip.Addr // to probe from. None: the uplink is pending
	verdict verdict
	news    []news
	unable  string // why probes cannot be made, as it was told
}

// news is what has become of an uplink's health.
type news struct {
	unhealthy bool
	err       error // of one that is unhealthy; or that of a probe that cannot be made
}

// startProber begins to probe, from nowhere yet. The group knows when it has ended.
func startProber(ctx context.Context, wg *sync.WaitGroup, p *prober) *prober {
	ctx, p.cancel = context.WithCancel(ctx)
	p.aimed = make(chan struct{}, 1)
	wg.Add(1)
	go func() {
		defer wg.Done()
		p.run(ctx)
	}()
	return p
}

// run probes until ctx ends.
func (p *prober) run(ctx context.Context) {
	for ctx.Err() == nil {
		sources := p.from()
		if len(sources) == 0 {
			select {
			case <-ctx.Done():
			case <-p.aimed:
			}
			continue
		}
		next := time.NewTimer(p.health.Interval)
		err := p.probe(ctx, sources)
		if ctx.Err() == nil {
			p.counters.Probes.Add(1)
			p.note(err)
			select {
			case <-ctx.Done():
			case <-next.C:
			}
		}
		next.Stop()
	}
	select {
	case p.busy <- struct{}{}: // nothing is left
		<-p.busy
	case <-time.After(p.health.Timeout):
	}
}

// from are the sources to probe from.
func (p *prober) from() []netip.Addr {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sources
}

// aim says from where to probe: from nowhere, while the uplink is pending.
func (p *prober) aim(sources []netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(sources) == 0 {
		p.verdict.run = 0
	}
	p.sources = slices.Clone(sources)
	if len(sources) > 0 {
		select {
		case p.aimed <- struct{}{}:
		default:
		}
	}
}

// probe makes one, for as long as it may take.
func (p *prober) probe(ctx context.Context, sources []netip.Addr) error {
	end, cancel := context.WithTimeout(ctx, p.health.Timeout)
	defer cancel()
	select {
	case p.busy <- struct{}{}:
	case <-end.Done():
		return fmt.Errorf("%s: it still does not return", &p.health)
	}
	done := make(chan error, 1)
	go func() {
		err := p.health.try(end, p.ns, sources)
		<-p.busy
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-end.Done():
	}
	late := time.NewTimer(grace)
	defer late.Stop()
	select {
	case err := <-done:
		return err
	case <-late.C:
		return fmt.Errorf("%s: it does not return after %v", &p.health, p.health.Timeout)
	}
}

// note takes a result, and tells if it makes a difference.
func (p *prober) note(err error) {
	p.mu.Lock()
	var tell bool
	switch {
	case len(p.sources) == 0 || errors.Is(err, os.ErrClosed) && unable(err):
		// The uplink has become pending meanwhile, or the sockets are being opened
		// again.
	case unable(err):
		if tell = p.unable != err.Error(); tell {
			p.unable = err.Error()
			p.news = append(p.news, news{unhealthy: p.verdict.unhealthy, err: err})
		}
	default:
		p.unable = ""
		if tell = p.verdict.add(err == nil, &p.health); tell {
			p.news = append(p.news, news{unhealthy: p.verdict.unhealthy, err: err})
		}
	}
	p.mu.Unlock()
	if tell {
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
}

// take returns the news since the last time, and the verdict.
func (p *prober) take() ([]news, verdict) {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.news
	p.news = nil
	return all, p.verdict
}

// probes has uplinks probed that are complete, and others not.
func (m *maintainer) probes(ctx context.Context) {
	for _, k := range m.all {
		if k.Health == nil {
			continue
		}
		if k.busy == nil {
			k.busy = make(chan struct{}, 1)
		}
		if k.prober == nil {
			k.prober = startProber(ctx, &m.probing, &prober{
				health: k.Health.withDefaults(), ns: &m.ns, counters: m.config.Counters, wake: m.wake,
				busy: k.busy, verdict: k.verdict,
			})
		}
		if k.ready() {
			k.prober.aim(k.live)
		} else {
			k.prober.aim(nil)
		}
	}
}

// ready reports whether all of an uplink is there.
func (k *kept) ready() bool { return k.said == EventInstalled && k.waits == "" }

// collectHealth takes over what the probers have found.
func (m *maintainer) collectHealth() {
	for _, k := range m.all {
		if k.prober == nil {
			continue
		}
		var all []news
		all, k.verdict = k.prober.take()
		for _, n := range all {
			e := Event{Kind: EventHealthy, Uplink: k.String(), Family: k.family(), Err: n.err}
			switch {
			case unable(n.err):
				e.Kind = EventFailed
			case n.unhealthy:
				e.Kind = EventUnhealthy
			}
			if n.unhealthy != k.unhealthy {
				k.unhealthy = n.unhealthy
				m.causes |= causeHealth
			}
			m.event(e)
		}
	}
}

// stopProbes ends the probes of uplinks. What was found is kept.
func (m *maintainer) stopProbes() {
	m.collectHealth()
	for _, k := range m.all {
		if k.prober != nil {
			k.prober.cancel()
			k.prober = nil
		}
	}
}

// inherit takes over what is known of the health of an uplink.
func (k *kept) inherit(o *kept) {
	if k.Health != nil {
		k.verdict, k.unhealthy, k.busy = o.verdict, o.unhealthy, o.busy
	}
}

// withdrawn reports whether an uplink is to have nothing but its sources' packets.
func (k *kept) withdrawn() bool { return k.unhealthy && k.Health != nil && k.Health.Withdraw }

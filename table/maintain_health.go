package table

import (
	"context"
	"errors"
	"sync"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/health"
)

// A currentConn is the connection that Maintain uses at the moment: another one
// after the sockets were opened again.
type currentConn struct {
	mu sync.Mutex
	c  route.Conn
}

func (n *currentConn) set(c route.Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.c = c
}

func (n *currentConn) get() route.Conn {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.c
}

// validateHealth refuses a probe that the uplink cannot use on any host.
func (u *MaintainedUplink) validateHealth() error {
	if u.Health == nil {
		return nil
	}
	if err := u.Health.Validate(u.forFamilies()...); err != nil {
		return u.field("Health", "%v", err)
	}
	return nil
}

// probes has complete uplinks probed from their sources, and no others.
func (m *maintainer) probes(ctx context.Context) {
	for _, k := range m.all {
		if k.Health == nil {
			continue
		}
		if k.stopProber == nil {
			m.startProber(ctx, k)
		}
		if k.complete() {
			k.prober.SetSources(k.live...)
		} else {
			k.prober.SetSources()
		}
	}
}

// startProber starts to probe an uplink.
func (m *maintainer) startProber(ctx context.Context, k *kept) {
	p := health.NewProber(health.Config{
		Probe: *k.Health, Conn: m.probeConn.get, Continue: k.prober,
		Probed: func() { m.config.Counters.Probes.Add(1) },
		Changed: func() {
			select {
			case m.wake <- struct{}{}:
			default:
			}
		},
	})
	ctx, k.stopProber = context.WithCancel(ctx)
	k.prober = p
	m.probing.Go(func() { p.Run(ctx) })
}

// complete reports whether all of an uplink is there.
func (k *kept) complete() bool { return k.said == EventInstalled && k.waits == "" }

// collectHealth reports the verdicts of the probers.
func (m *maintainer) collectHealth() {
	for _, k := range m.all {
		if k.stopProber == nil {
			continue
		}
		for _, v := range k.prober.Verdicts() {
			e := Event{Kind: EventHealthy, Uplink: k.String(), Family: k.family(), Err: v.Err}
			var cannot *health.Error
			switch {
			case errors.As(v.Err, &cannot):
				e.Kind = EventFailed
			case !v.Healthy:
				e.Kind = EventUnhealthy
			}
			if k.unhealthy == v.Healthy {
				k.unhealthy = !v.Healthy
				m.causes |= causeHealth
			}
			m.event(e)
		}
	}
}

// stopProbers stops the probers of all uplinks. The next ones continue them.
func (m *maintainer) stopProbers() {
	m.collectHealth()
	for _, k := range m.all {
		if k.stopProber != nil {
			k.stopProber()
			k.stopProber = nil
		}
	}
}

// inheritHealth takes over what is known of the health of an uplink.
func (k *kept) inheritHealth(o *kept) {
	if k.Health != nil {
		k.prober, k.unhealthy = o.prober, o.unhealthy
	}
}

// withdrawn reports whether an uplink is to have only the packets of its sources.
func (k *kept) withdrawn() bool { return k.unhealthy && k.Health != nil && k.Health.Withdraw }

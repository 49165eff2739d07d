package maintain

import (
	"context"
	"errors"
	"time"

	"github.com/policyroute/policyroute/table/health"
)

// probeComplete probes complete uplinks from their sources, and no others.
func (m *maintainer) probeComplete(ctx context.Context) {
	for _, k := range m.uplinks {
		if k.Health == nil {
			continue
		}
		if k.probing.stop == nil {
			m.startProber(ctx, k)
		}
		if k.isComplete() {
			k.probing.prober.SetSources(k.status.usable...)
		} else {
			k.probing.prober.SetSources()
		}
	}
}

// startProber starts to probe an uplink.
func (m *maintainer) startProber(ctx context.Context, k *maintainedUplink) {
	about := k.subject()
	p := health.NewProber(health.Config{
		Probe: k.probe(), Conn: m.probeConn.get, Continue: k.probing.prober,
		Probed: func(took time.Duration, err error) {
			m.counters.Probes.Add(1)
			if m.config.Probed != nil {
				m.config.Probed(ProbeResult{Uplink: about.label, Family: about.family, Took: took, Err: err})
			}
		},
		Changed: func() {
			select {
			case m.wake <- struct{}{}:
			default:
			}
		},
	})
	ctx, k.probing.stop = context.WithCancel(ctx)
	k.probing.prober = p
	m.probers.Go(func() { p.Run(ctx) })
}

// collectHealth reports the verdicts of the probers.
func (m *maintainer) collectHealth() {
	for _, k := range m.uplinks {
		if k.probing.stop == nil {
			continue
		}
		for _, v := range k.probing.prober.Verdicts() {
			if k.probing.unhealthy == v.Healthy {
				k.probing.unhealthy = !v.Healthy
				m.agenda.addGroup(k.group, causeHealth)
			}
			m.send(k.subject().failure(verdictKind(v), v.Err))
		}
	}
}

// verdictKind returns the kind of the event that reports a verdict.
func verdictKind(v health.Verdict) EventKind {
	var e *health.Error
	switch {
	case errors.As(v.Err, &e):
		return EventProbeFailed
	case !v.Healthy:
		return EventUnhealthy
	}
	return EventHealthy
}

// stopProbers stops the probers of all uplinks. The next ones continue them.
func (m *maintainer) stopProbers() {
	m.collectHealth()
	for _, k := range m.uplinks {
		if k.probing.stop != nil {
			k.probing.stop()
			k.probing.stop = nil
		}
	}
}

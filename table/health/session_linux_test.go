package health_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/health"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// A session is a Prober at work, with all of its verdicts.
type session struct {
	t      *testing.T
	prober *health.Prober
	probes atomic.Int64
	end    func() // ends the Prober and waits for it

	mu       sync.Mutex
	verdicts []health.Verdict
}

// startSession sends a probe from an address of the server, often.
func startSession(n *tabletest.Network, probe health.Probe, before *health.Prober, source string) *session {
	probe.Interval = 20 * time.Millisecond
	if probe.Timeout == 0 {
		probe.Timeout = 300 * time.Millisecond
	}
	s := &session{t: n.T}
	s.prober = health.NewProber(health.Config{
		Probe: probe, Conn: func() route.Conn { return n.Conn }, Continue: before,
		Probed: func(time.Duration, error) { s.probes.Add(1) },
		Changed: func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.verdicts = append(s.verdicts, s.prober.Verdicts()...)
		},
	})
	s.prober.SetSources(netip.MustParseAddr(source))
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { s.prober.Run(ctx) })
	s.end = func() { cancel(); wg.Wait() }
	n.T.Cleanup(s.end)
	return s
}

// all returns the verdicts so far.
func (s *session) all() []health.Verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.verdicts
}

// text returns the verdicts so far, one a line.
func (s *session) text() string {
	var b strings.Builder
	for _, v := range s.all() {
		fmt.Fprintf(&b, "healthy %t: %v\n", v.Healthy, v.Err)
	}
	return b.String()
}

// until waits for something.
func (s *session) until(what string, done func() bool) {
	s.t.Helper()
	for end := time.Now().Add(tabletest.Patience); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("waited in vain: %s:\n%s", what, s.text())
		}
	}
}

// moreProbes waits until some more probes have been sent.
func (s *session) moreProbes(n int64) {
	s.t.Helper()
	begin := s.probes.Load()
	s.until("more probes", func() bool { return s.probes.Load() >= begin+n })
}

// await waits for the verdict with a number, counted from 0.
func (s *session) await(number int, healthy bool) health.Verdict {
	s.t.Helper()
	s.until(fmt.Sprintf("verdict %d", number), func() bool { return len(s.all()) > number })
	v := s.all()[number]
	if v.Healthy != healthy || len(s.all()) > number+1 {
		s.t.Fatalf("verdict %d is to be healthy %t, and the last one:\n%s", number, healthy, s.text())
	}
	return v
}

// tcpTo is a probe that connects to a port of the client.
func tcpTo(f tabletest.Family, port uint16) health.Probe {
	return health.Probe{TCP: []netip.AddrPort{netip.AddrPortFrom(netip.MustParseAddr(f.Client), port)}}
}

package health

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

// A Config configures a [Prober].
type Config struct {
	// Probe is what the Prober sends. It has to be valid: see [Probe.Validate].
	Probe Probe

	// Conn returns a connection in the network namespace that probes are sent from. The Prober
	// calls Conn for each socket, so Conn may return another connection each time. For a namespace
	// other than that of the process, the process needs CAP_SYS_ADMIN. Nil: probes are sent from
	// the namespace of the process.
	Conn func() route.Conn

	// Probed is called after each probe, on the goroutine of [Prober.Run], with the
	// time that the probe took and with its error. The error is nil if an answer came.
	// Nil: it is not called.
	Probed func(took time.Duration, err error)

	// Changed is called when there are new verdicts, on the goroutine of
	// [Prober.Run]. Nil: it is not called.
	Changed func()

	// Continue is an earlier Prober of the same uplink, whose Run or whose context has ended. The
	// new Prober begins with the results of the earlier one. Its [Prober.Verdicts] also returns
	// verdicts that the earlier one has not returned. It does not call Func before a call by the
	// earlier one has returned. Nil: the uplink counts as healthy until probes fail.
	Continue *Prober
}

// A Verdict says whether the Internet can be reached through the uplink.
type Verdict struct {
	Healthy bool

	// Err is the reason why the uplink is not healthy. If Err is an [*Error], the uplink could
	// not be probed, for instance because the host has lost the address that probes are sent
	// from; Healthy is then the same as before.
	Err error
}

// A Prober sends probes through one uplink, and decides from their results whether the
// uplink is healthy.
type Prober struct {
	probe   Probe // with defaults
	conn    func() route.Conn
	probed  func(time.Duration, error)
	changed func()
	resumed chan struct{} // holds a value when there are sources again
	busy    chan struct{} // holds a value while a probe has not returned

	mu       sync.Mutex
	sources  []netip.Addr
	tally    tally
	verdicts []Verdict // since the last call of Verdicts
	reported string    // the last reason why probes cannot be made
	leaving  bool      // the last probe could not be sent from its address
}

// lateReturn is how much longer than its timeout a probe may take to return.
const lateReturn = 100 * time.Millisecond

// NewProber returns a Prober. It sends no probes before [Prober.Run] is called and
// [Prober.SetSources] has given it an address to send them from.
func NewProber(config Config) *Prober {
	p := &Prober{
		probe: config.Probe.withDefaults(), conn: config.Conn,
		probed: config.Probed, changed: config.Changed,
		resumed: make(chan struct{}, 1), busy: make(chan struct{}, 1),
	}
	if o := config.Continue; o != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		p.busy, p.tally = o.busy, o.tally
		p.verdicts, o.verdicts = o.verdicts, nil
	}
	return p
}

// Run sends probes until ctx ends. It is called once.
func (p *Prober) Run(ctx context.Context) {
	for ctx.Err() == nil {
		sources := p.currentSources()
		if len(sources) == 0 {
			select {
			case <-ctx.Done():
			case <-p.resumed:
			}
			continue
		}
		next := time.NewTimer(p.probe.Interval)
		start := time.Now()
		err := p.send(ctx, sources)
		if ctx.Err() == nil {
			if p.probed != nil {
				p.probed(time.Since(start), err)
			}
			p.record(err)
			select {
			case <-ctx.Done():
			case <-next.C:
			}
		}
		next.Stop()
	}
	select {
	case p.busy <- struct{}{}: // no probe is left
		<-p.busy
	case <-time.After(p.probe.Timeout):
	}
}

// SetSources sets the addresses to send probes from: each probe uses the first of a target's family.
// With an unspecified address (0.0.0.0, ::) the kernel chooses. Without addresses, p sends no probes,
// and the health of the uplink stays the same.
func (p *Prober) SetSources(sources ...netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sources = slices.DeleteFunc(slices.Clone(sources), func(a netip.Addr) bool { return !a.IsValid() })
	if len(p.sources) == 0 {
		p.tally.run = 0
	} else {
		select {
		case p.resumed <- struct{}{}:
		default:
		}
	}
}

func (p *Prober) currentSources() []netip.Addr {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sources
}

// Verdicts returns the verdicts since the last call, the oldest first. There is a
// Verdict when the first probe succeeds, when the uplink becomes healthy or unhealthy,
// and when probes cannot be made for a new reason.
func (p *Prober) Verdicts() []Verdict {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.verdicts
	p.verdicts = nil
	return all
}

// send sends a probe, and does not wait longer for it than it may take.
func (p *Prober) send(ctx context.Context, sources []netip.Addr) error {
	limited, cancel := context.WithTimeout(ctx, p.probe.Timeout)
	defer cancel()
	select {
	case p.busy <- struct{}{}:
	case <-limited.Done():
		return fmt.Errorf("%s: the function still has not returned", &p.probe)
	}
	result := make(chan error, 1)
	go func() {
		err := p.probe.send(limited, p.conn, sources)
		<-p.busy
		result <- err
	}()
	select {
	case err := <-result:
		return err
	case <-limited.Done():
	}
	late := time.NewTimer(lateReturn)
	defer late.Stop()
	select {
	case err := <-result:
		return err
	case <-late.C:
		return fmt.Errorf("%s: the function has not returned after %v", &p.probe, p.probe.Timeout)
	}
}

// record adds the result of a probe, and calls Changed if there is a new verdict.
func (p *Prober) record(err error) {
	if p.judge(err) && p.changed != nil {
		p.changed()
	}
}

// judge adds the result of a probe, and reports whether there is a new verdict.
func (p *Prober) judge(err error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	left := p.leaving
	p.leaving = lacksSource(err)
	switch {
	case p.leaving && !left:
		// The address has just gone. SetSources will report that, or the next probe will fail for
		// the same reason.
		return false
	case len(p.sources) == 0 || errors.Is(err, os.ErrClosed) && cannotProbe(err):
		// During the probe the sources have gone, or the connection of the namespace was closed and
		// is being replaced.
		return false
	case cannotProbe(err):
		if p.reported == err.Error() {
			return false
		}
		p.reported = err.Error()
	default:
		p.reported = ""
		if !p.tally.add(err == nil, &p.probe) {
			return false
		}
	}
	p.verdicts = append(p.verdicts, Verdict{Healthy: !p.tally.unhealthy, Err: err})
	return true
}

// A tally counts the results of probes.
type tally struct {
	known     bool // there was a verdict
	unhealthy bool
	run       int // probes in a row that contradict the verdict
}

// add adds a result, and reports whether there is a new verdict.
func (t *tally) add(ok bool, p *Probe) bool {
	if ok != t.unhealthy { // the result agrees with the verdict
		t.run = 0
		first := ok && !t.known
		t.known = t.known || ok
		return first
	}
	need := p.Failures
	if ok {
		need = p.Successes
	}
	if t.run++; t.run < need {
		return false
	}
	*t = tally{known: true, unhealthy: !ok}
	return true
}

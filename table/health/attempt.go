package health

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/policyroute/policyroute/route"
)

// An attempt is one of the targets of a Probe, from one address.
type attempt struct {
	target  string
	timeout time.Duration
	run     func(context.Context) error
}

// The names of targets, which errors and events have.
func tcpTarget(a netip.AddrPort) string { return "tcp " + a.String() }
func echoTarget(a netip.Addr) string    { return "echo " + a.String() }

const funcTarget = "probe"

// send sends a probe from an address of each family: it makes all attempts at the
// same time, and succeeds as soon as one of them does.
func (p *Probe) send(ctx context.Context, conn func() route.Conn, sources []netip.Addr) error {
	attempts := p.attempts(conn, sources)
	if len(attempts) == 0 {
		return &Error{Probe: p.String(), Err: errors.New("the uplink has no address of the family")}
	}
	if len(attempts) == 1 {
		return attempts[0].do(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan error, len(attempts))
	for _, a := range attempts {
		go func() { results <- a.do(ctx) }()
	}
	// Wait for all of them: they end with ctx.
	var failures attemptErrors
	succeeded := false
	for range attempts {
		if err := <-results; err != nil {
			failures = append(failures, err)
		} else {
			succeeded = true
			cancel()
		}
	}
	if succeeded {
		return nil
	}
	return failures.summary()
}

// attempts returns the attempts for which there is a source. Func is called with
// the first source, whatever its family.
func (p *Probe) attempts(conn func() route.Conn, sources []netip.Addr) []attempt {
	var all []attempt
	add := func(target string, source netip.Addr, run func(context.Context, *dialer) error) {
		if source.IsValid() {
			d := &dialer{conn: conn, source: source, mark: p.Mark, dev: p.Interface, target: target}
			all = append(all, attempt{target, p.Timeout, func(ctx context.Context) error { return run(ctx, d) }})
		}
	}
	for _, t := range p.TCP {
		add(tcpTarget(t), sourceFor(t.Addr(), sources), func(ctx context.Context, d *dialer) error {
			c, err := d.dial(ctx, "tcp", t.String())
			if err != nil {
				return d.checkSource(err)
			}
			return c.Close()
		})
	}
	for _, a := range p.Echo {
		add(echoTarget(a), sourceFor(a, sources), func(ctx context.Context, d *dialer) error {
			return d.checkSource(d.echo(ctx, a))
		})
	}
	if p.Func != nil && len(sources) > 0 {
		add(funcTarget, sources[0], func(ctx context.Context, d *dialer) error {
			return d.checkBind(d.inNamespace(func() error { return p.Func(ctx, d.source, d.dial) }))
		})
	}
	return all
}

// sourceFor returns the first source of the family of an address, or the zero Addr.
func sourceFor(dst netip.Addr, sources []netip.Addr) netip.Addr {
	for _, a := range sources {
		if route.FamilyOf(a) == route.FamilyOf(dst) {
			return a
		}
	}
	return netip.Addr{}
}

// do makes the attempt. Its error names the target.
func (a attempt) do(ctx context.Context) error {
	err := a.run(ctx)
	if err == nil || cannotProbe(err) {
		return err
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		err = &timeoutError{a.timeout, err}
	}
	return fmt.Errorf("%s: %w", a.target, err)
}

// A timeoutError says in plain words that there was no answer.
type timeoutError struct {
	timeout time.Duration
	err     error
}

func (e *timeoutError) Error() string { return fmt.Sprintf("no answer within %v", e.timeout) }

func (e *timeoutError) Unwrap() error { return e.err }

// attemptErrors are the reasons why several attempts have all failed.
type attemptErrors []error

// summary leaves out attempts that could not be made, unless none could.
func (e attemptErrors) summary() error {
	failures := slices.DeleteFunc(slices.Clone(e), cannotProbe)
	if len(failures) == 0 {
		return slices.MinFunc(e, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) }) // always the same
	}
	return failures
}

func (e attemptErrors) Error() string {
	var words []string
	for _, err := range e {
		words = append(words, err.Error())
	}
	slices.Sort(words)
	return strings.Join(words, "; ")
}

// Unwrap returns the errors of all attempts.
func (e attemptErrors) Unwrap() []error { return e }

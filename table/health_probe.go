package table

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/route"
)

// String is what is probed.
func (h *Health) String() string {
	var words []string
	for _, t := range h.TCP {
		words = append(words, "tcp "+t.String())
	}
	for _, a := range h.Echo {
		words = append(words, "echo "+a.String())
	}
	if h.Probe != nil {
		words = append(words, "probe")
	}
	return strings.Join(words, ", ")
}

// A trial is one of the probes that are made at once.
type trial struct {
	what   string
	within time.Duration
	make   func(context.Context) error
}

// try makes a probe: all that there is to be tried, until one succeeds.
func (h *Health) try(ctx context.Context, ns *namespace, sources []netip.Addr) error {
	trials := h.trials(ns, sources)
	if len(trials) == 0 {
		return &ProbeError{Probe: h.String(), Err: errors.New("the uplink has no address of the family")}
	}
	if len(trials) == 1 {
		return trials[0].run(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan error, len(trials))
	for _, t := range trials {
		go func() { results <- t.run(ctx) }()
	}
	// All of them are waited for: they end with ctx.
	var errs trialErrors
	ok := false
	for range trials {
		if err := <-results; err != nil {
			errs = append(errs, err)
		} else {
			ok = true
			cancel()
		}
	}
	if ok {
		return nil
	}
	return errs.verdict()
}

// run makes a trial, and says which it was that failed.
func (t trial) run(ctx context.Context) error {
	err := t.make(ctx)
	if err == nil || unable(err) {
		return err
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		err = &lateError{t.within, err}
	}
	return fmt.Errorf("%s: %w", t.what, err)
}

// A lateError says in plain words that there was no answer.
type lateError struct {
	within time.Duration
	err    error
}

func (e *lateError) Error() string { return fmt.Sprintf("no answer within %v", e.within) }

func (e *lateError) Unwrap() error { return e.err }

// trialErrors are why none of several trials has succeeded.
type trialErrors []error

// verdict leaves out those that could not be made, unless none could.
func (errs trialErrors) verdict() error {
	made := slices.DeleteFunc(slices.Clone(errs), unable)
	if len(made) == 0 {
		return errs[0]
	}
	return made
}

func (errs trialErrors) Error() string {
	var words []string
	for _, err := range errs {
		words = append(words, err.Error())
	}
	slices.Sort(words)
	return strings.Join(words, "; ")
}

// Unwrap returns all of them.
func (errs trialErrors) Unwrap() []error { return errs }

// trials are what is to be tried from the sources that there are.
func (h *Health) trials(ns *namespace, sources []netip.Addr) []trial {
	var trials []trial
	to := func(what string, dst netip.Addr, probe func(context.Context, *probeSocket) error) {
		i := slices.IndexFunc(sources, func(a netip.Addr) bool {
			return !dst.IsValid() || route.FamilyOf(a) == route.FamilyOf(dst)
		})
		if i < 0 {
			return
		}
		s := &probeSocket{ns: ns, source: sources[i], mark: h.Mark, what: what}
		trials = append(trials, trial{what, h.Timeout, func(ctx context.Context) error { return probe(ctx, s) }})
	}
	for _, t := range h.TCP {
		to("tcp "+t.String(), t.Addr(), func(ctx context.Context, s *probeSocket) error {
			conn, err := s.dial(ctx, "tcp", t.String())
			if err != nil {
				return err
			}
			return conn.Close()
		})
	}
	for _, a := range h.Echo {
		to("echo "+a.String(), a, func(ctx context.Context, s *probeSocket) error { return s.echo(ctx, a) })
	}
	if h.Probe != nil {
		to("probe", netip.Addr{}, func(ctx context.Context, s *probeSocket) error {
			return s.inside(func() error { return h.Probe(ctx, s.source, s.dial) })
		})
	}
	return trials
}

// A probeSocket is what the sockets of a probe have in common.
type probeSocket struct {
	ns     *namespace
	source netip.Addr
	mark   uint32
	what   string
}

// inside runs fn in the network namespace of the uplink.
func (s *probeSocket) inside(fn func() error) error {
	entered := false
	err := rtnl.Inside(s.ns.get(), func() error {
		entered = true
		return fn()
	})
	if err != nil && !entered {
		return s.unable(err)
	}
	return err
}

// unable says that the probe cannot be made.
func (s *probeSocket) unable(err error) error { return &ProbeError{Probe: s.what, Err: err} }

// dial connects to an address, of which the host may be a name.
func (s *probeSocket) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{KeepAlive: -1, Control: s.control}
	switch network {
	case "tcp", "tcp4", "tcp6":
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(s.source, 0))
	case "udp", "udp4", "udp6":
		d.LocalAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(s.source, 0))
	default:
		return nil, net.UnknownNetworkError(network)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	addrs := []netip.Addr{}
	if a, err := netip.ParseAddr(host); err == nil {
		addrs = append(addrs, a)
	} else if addrs, err = s.lookup(ctx, host); err != nil {
		return nil, err
	}
	var conn net.Conn
	err = errors.New("no address of the source's family")
	for _, a := range addrs {
		if route.FamilyOf(a) == route.FamilyOf(s.source) {
			conn, err = s.connect(ctx, &d, network, net.JoinHostPort(a.String(), port))
		}
		if err == nil || ctx.Err() != nil {
			break
		}
	}
	return conn, err
}

// connect connects to an address without a name: for one with a name, net opens
// sockets on threads of its choice.
func (s *probeSocket) connect(ctx context.Context, d *net.Dialer, network, address string) (conn net.Conn, err error) {
	err = s.inside(func() (err error) {
		conn, err = d.DialContext(ctx, network, address)
		return err
	})
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err // the rest is known
	}
	return conn, err
}

// lookup finds the addresses of a name, of the source's family.
func (s *probeSocket) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	network := "ip4"
	if s.source.Is6() {
		network = "ip6"
	}
	r := net.Resolver{PreferGo: true, Dial: s.dialResolver}
	addrs, err := r.LookupNetIP(ctx, network, host)
	for i := range addrs {
		addrs[i] = addrs[i].Unmap()
	}
	return addrs, err
}

// dialResolver connects to a name server, by the uplink if it can: not to one of
// another family, or of this host.
func (s *probeSocket) dialResolver(ctx context.Context, network, address string) (net.Conn, error) {
	server, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, err
	}
	if a := server.Addr().Unmap(); !a.IsLoopback() && a.Zone() == "" && route.FamilyOf(a) == route.FamilyOf(s.source) {
		return s.dial(ctx, network, address)
	}
	return s.connect(ctx, &net.Dialer{Control: s.control}, network, address)
}

// control sets the mark of a socket.
func (s *probeSocket) control(_, _ string, raw syscall.RawConn) error {
	if s.mark == 0 {
		return nil
	}
	var err error
	if e := raw.Control(func(fd uintptr) { err = setMark(int(fd), s.mark) }); e != nil {
		return e
	}
	if err != nil {
		return s.unable(fmt.Errorf("mark %#x: %w", s.mark, err))
	}
	return nil
}

// until makes the deadline of a connection that of ctx, also if it ends before.
func until(ctx context.Context, conn net.Conn) (stop func() bool) {
	if end, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(end)
	}
	return context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
}

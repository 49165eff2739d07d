package explain_test

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"runtime"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/fibtrace"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table/explain"
	"github.com/policyroute/policyroute/table/internal/randomhost"
)

// An answer is what the kernel says of a packet.
type answer struct {
	route    route.Route // as "ip route get" shows it
	err      error
	match    route.Route // with fibmatch
	matchErr error
	// tables are those that the kernel asks about the way of the packet, in order, and
	// reverse those that it asks about the way back of one that comes in. They are known
	// if traced is true.
	tables, reverse []rttables.ID
	traced          bool
}

// An oracle asks the kernel about packets in the network namespace of its thread. It reads
// the tables that the kernel asks from the tracepoints, or, for an ordinary user, does
// without.
type oracle struct {
	tracer *fibtrace.Tracer // nil for an ordinary user
	events []fibtrace.Event
	starts []time.Duration
}

// newOracle returns an oracle for the calling thread.
func newOracle() (*oracle, error) {
	t, err := fibtrace.Open(&fibtrace.Config{PID: unix.Gettid(), BufferKB: 2048})
	if errors.Is(err, fs.ErrPermission) {
		return &oracle{}, nil
	}
	return &oracle{tracer: t}, err
}

func (o *oracle) close() error {
	if o.tracer == nil {
		return nil
	}
	return o.tracer.Close()
}

// query returns the request for a packet, and false if there is no interface that it names.
func query(w *explain.World, p *explain.Packet) (q route.Query, ok bool) {
	q = route.Query{
		Dst: p.To, Src: p.From, TOS: p.TOS, Mark: p.Mark, IPProto: p.IPProto, SPort: p.SPort, DPort: p.DPort,
	}
	if p.IIF == "" {
		q.UID = route.Some(p.UID)
	}
	if p.FlowLabel != 0 {
		q.FlowLabel = route.Some(p.FlowLabel)
	}
	for name, index := range map[string]*uint32{p.IIF: &q.IIF, p.OIF: &q.OIF} {
		if name == "" {
			continue
		}
		at := slices.IndexFunc(w.Links, func(l explain.Link) bool { return l.Name == name })
		if at < 0 {
			return q, false
		}
		*index = w.Links[at].Index
	}
	return q, true
}

// ask asks the kernel about packets, for which there are queries.
func (o *oracle) ask(ctx context.Context, h *randomhost.Host, queries []route.Query) ([]answer, error) {
	answers := make([]answer, len(queries))
	o.starts = o.starts[:0]
	if o.tracer != nil { // what came before is of no interest
		if _, err := o.tracer.Read(o.events[:0]); err != nil {
			return nil, err
		}
	}
	for i, q := range queries {
		o.starts = append(o.starts, now())
		answers[i].route, answers[i].err = route.Lookup(ctx, h.Conn, q)
		o.starts = append(o.starts, now())
		q.FibMatch = true
		answers[i].match, answers[i].matchErr = route.Lookup(ctx, h.Conn, q)
	}
	if o.tracer == nil {
		return answers, nil
	}
	return answers, o.assign(answers, queries)
}

// now is the clock of the events.
func now() time.Duration {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return time.Duration(ts.Nano())
}

// assign gives each answer the events between its request and the next one.
func (o *oracle) assign(answers []answer, queries []route.Query) error {
	var err error
	if o.events, err = o.tracer.Read(o.events[:0]); err != nil {
		return err
	}
	for i := range answers {
		answers[i].traced = true
	}
	at := 0
	for _, e := range o.events {
		for at+1 < len(o.starts) && o.starts[at+1] <= e.Time {
			at++
		}
		if at%2 != 0 || e.Time < o.starts[0] {
			continue // of the request with fibmatch
		}
		answers[at/2].add(&e, &queries[at/2])
	}
	return nil
}

// add adds an event to an answer. Beside the lookups of the packet there are those that ask
// whether an address is local: they have neither an interface nor a protocol.
func (a *answer) add(e *fibtrace.Event, q *route.Query) {
	switch {
	case e.Family == 4 && e.IIF == 0:
	case q.IIF != 0 && e.Dst == q.Src && (e.Src == q.Dst || e.IIF == 1):
		a.reverse = append(a.reverse, rttables.ID(e.Table))
	default:
		a.tables = append(a.tables, rttables.ID(e.Table))
	}
}

// hasFlowLabels reports whether the kernel takes a flow label in a request.
func hasFlowLabels() bool {
	v, ok := uapi.Running()
	return !ok || !v.Less(uapi.RTA_FLOWLABEL.Since())
}

// errno returns the error number of the kernel, 0 for none, and -1 for another error.
func errno(err error) int {
	var number syscall.Errno
	switch {
	case err == nil:
		return 0
	case errors.As(err, &number):
		return int(number)
	}
	return -1
}

// onThread calls fn on a thread of its own.
func onThread(fn func() error) error {
	return randomhost.Do(func() error {
		defer runtime.KeepAlive(fn)
		return fn()
	})
}

var unspecified = netip.Addr{}

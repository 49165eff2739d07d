package table

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

const (
	// redialAfter is the time between attempts to open the sockets again.
	redialAfter = time.Second
	// retryFirst and retryMost are the times after which a failure is tried
	// again, which double each time.
	retryFirst = 20 * time.Millisecond
	retryMost  = 10 * time.Second
	// tellAfter is how many times in a row something fails before that is
	// reported: whatever happens while the kernel's state is read and changed
	// makes one fail that was planned before.
	tellAfter = 3
	// endWithin is how long the removal of the uplinks may take at the end.
	endWithin = 10 * time.Second
)

// A maintainer is Maintain at work.
type maintainer struct {
	config MaintainConfig
	dial   func() (route.Conn, error)
	all    []*kept
	gone   []SourceRoutedUplink // those to be removed

	c     route.Conn
	watch *watch
	stop  func() // ends what listens, and closes the sockets
	wake  chan struct{}

	budget budget
	causes cause
	port   uint32
	ready  bool      // EventReady was sent for what is maintained
	retry  time.Time // when to look again. Zero: not before an event
	took   time.Duration
}

// adopt takes uplinks, and keeps what is known of those that it has already.
func (m *maintainer) adopt(uplinks []MaintainedUplink) {
	old := m.all
	m.all, m.ready = nil, false
	for _, u := range uplinks {
		k := &kept{MaintainedUplink: u}
		i := slices.IndexFunc(old, func(o *kept) bool { return o.String() == u.String() && o.family() == k.family() })
		if i >= 0 {
			k.said, k.saidReason = old[i].said, old[i].saidReason
			if o := old[i]; o.Interface == u.Interface {
				k.gateway, k.sources = o.gateway, o.sources
			}
			old = slices.Delete(slices.Clone(old), i, i+1)
		}
		m.all = append(m.all, k)
	}
	for _, o := range old {
		m.gone = append(m.gone, o.uplink())
	}
	m.causes |= causeStart
	if len(old) > 0 || m.c != nil {
		m.causes = m.causes&^causeStart | causeUpdate
	}
}

// run keeps the uplinks until ctx ends.
func (m *maintainer) run(ctx context.Context) error {
	if err := m.open(ctx); err != nil {
		return err
	}
	defer func() { m.stop() }()
	full := time.NewTicker(m.config.FullLook)
	defer full.Stop()
	for {
		m.look(ctx)
		looked := time.Now()
		for m.causes == 0 {
			if ctx.Err() != nil {
				return m.end()
			}
			m.wait(ctx, full.C)
			// Looks take half of the time at most.
			m.sleep(ctx, max(m.config.Settle, min(m.took, time.Second)-time.Since(looked)))
			m.collect(ctx)
		}
	}
}

// wait waits until there is a reason to look.
func (m *maintainer) wait(ctx context.Context, full <-chan time.Time) {
	var retry <-chan time.Time
	if !m.retry.IsZero() {
		t := time.NewTimer(time.Until(m.retry))
		defer t.Stop()
		retry = t.C
	}
	select {
	case <-ctx.Done():
	case <-m.wake:
	case <-full:
		m.causes |= causeTime
	case <-retry:
		m.retry = time.Time{}
		m.causes |= causeTime
	case uplinks := <-m.config.Update:
		if err := checkMaintained(uplinks); err != nil {
			m.event(Event{Kind: EventFailed, Err: err})
			return
		}
		m.adopt(uplinks)
	}
}

// sleep waits for more events, or the end.
func (m *maintainer) sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// collect takes over what the watch has noted.
func (m *maintainer) collect(ctx context.Context) {
	causes, port, lost, err := m.watch.take()
	m.causes |= causes
	m.port = port
	for range lost {
		m.config.Counters.Lost.Add(1)
	}
	if lost > 0 {
		m.event(Event{Kind: EventLost})
	}
	if err != nil && ctx.Err() == nil {
		m.event(Event{Kind: EventFailed, Err: err})
		m.reopen(ctx)
	}
}

// open opens the sockets and begins to listen.
func (m *maintainer) open(ctx context.Context) error {
	c, err := m.dial()
	if err != nil {
		return err
	}
	closeConn := func() {
		if closer, ok := c.(io.Closer); ok {
			closer.Close()
		}
	}
	w, err := openWatch(c, m.config.ReceiveBuffer, m.wake)
	if err != nil {
		closeConn()
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		w.run(ctx)
	}()
	m.c, m.watch = c, w
	m.stop = func() {
		cancel()
		wg.Wait()
		w.sub.Close()
		closeConn()
	}
	return nil
}

// reopen opens the sockets again, until it succeeds or ctx ends.
func (m *maintainer) reopen(ctx context.Context) {
	m.stop()
	m.stop = func() {}
	for ctx.Err() == nil {
		m.config.Counters.Redials.Add(1)
		err := m.open(ctx)
		if err == nil {
			m.causes |= causeLost
			return
		}
		m.event(Event{Kind: EventFailed, Err: err})
		m.sleep(ctx, redialAfter)
	}
}

// look compares what there is with what there should be, and repairs it.
func (m *maintainer) look(ctx context.Context) {
	begin := time.Now()
	causes := m.causes
	m.causes = 0
	m.retry = time.Time{}
	m.config.Counters.Looks.Add(1)
	m.leave(ctx)
	tables := make(map[rttables.ID]bool)
	var protocols []route.Protocol
	for _, group := range m.groups() {
		m.keep(ctx, group, causes, tables)
		for _, k := range group {
			if p := k.protocol(); !slices.Contains(protocols, p) {
				protocols = append(protocols, p)
			}
		}
		if ctx.Err() != nil {
			return
		}
	}
	m.watch.use(tables, protocols)
	now := time.Now()
	m.took = now.Sub(begin)
	if m.budget.calm(now) {
		m.event(Event{Kind: EventCalm})
	}
	if m.budget.fighting {
		m.again(m.budget.next())
	}
	m.count()
	if !m.ready {
		m.ready = true
		m.event(Event{Kind: EventReady})
	}
}

// again has the state looked at after some time, or sooner.
func (m *maintainer) again(after time.Duration) {
	at := time.Now().Add(after)
	if m.retry.IsZero() || at.Before(m.retry) {
		m.retry = at
	}
}

// groups are the uplinks that are kept in one transaction: those of one name.
func (m *maintainer) groups() [][]*kept {
	var groups [][]*kept
	for _, k := range m.all {
		i := slices.IndexFunc(groups, func(g []*kept) bool { return g[0].String() == k.String() })
		if i < 0 {
			groups = append(groups, []*kept{k})
		} else {
			groups[i] = append(groups[i], k)
		}
	}
	return groups
}

// count sets the counters that go up and down.
func (m *maintainer) count() {
	complete := 0
	for _, k := range m.all {
		if k.said == EventInstalled {
			complete++
		}
	}
	m.config.Counters.Uplinks.Store(int64(len(m.all)))
	m.config.Counters.Complete.Store(int64(complete))
}

// leave removes uplinks that are no longer maintained.
func (m *maintainer) leave(ctx context.Context) {
	for len(m.gone) > 0 && ctx.Err() == nil {
		u := m.gone[0]
		err := Remove(ctx, m.c, u)
		var name *NameError
		switch {
		case errors.As(err, &name):
			m.event(Event{Kind: EventFailed, Uplink: u.String(), Family: u.family(), Err: err})
		case err != nil:
			m.config.Counters.Failures.Add(1)
			m.event(Event{Kind: EventFailed, Uplink: u.String(), Family: u.family(), Err: err})
			m.again(redialAfter)
			return
		}
		m.gone = m.gone[1:]
		m.event(Event{Kind: EventRemoved, Uplink: u.String(), Family: u.family()})
	}
}

// end removes the uplinks, if it is asked to.
func (m *maintainer) end() error {
	if !m.config.Remove {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), endWithin)
	defer cancel()
	var uplinks []SourceRoutedUplink
	for _, k := range m.all {
		uplinks = append(uplinks, k.uplink())
	}
	if err := Remove(ctx, m.c, append(uplinks, m.gone...)...); err != nil {
		return err
	}
	for _, k := range m.all {
		m.event(Event{Kind: EventRemoved, Uplink: k.String(), Family: k.family()})
	}
	return nil
}

// event reports an event.
func (m *maintainer) event(e Event) {
	if m.config.Logger != nil {
		m.config.Logger.LogAttrs(context.Background(), e.Kind.Level(), e.message(), e.attrs(false)...)
	}
	if m.config.Event != nil {
		m.config.Event(e)
	}
}

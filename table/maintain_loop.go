package table

import (
	"context"
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
	// lockWithin is how long a repair may take, and wait for others who change uplinks.
	lockWithin = 10 * time.Second
	// endWithin is how long the removal of the uplinks may take at the end.
	endWithin = 10 * time.Second
)

// A maintainer is Maintain at work.
type maintainer struct {
	config MaintainConfig
	dial   func() (route.Conn, error)
	all    []*kept
	gone   []*kept // those to be removed

	shared   *SharedDefault // nil: there is none
	sharings map[route.Family]*sharing
	formerly []formerDefault // those to be removed

	// c and watch are nil while the sockets could not be opened again.
	c     route.Conn
	watch *watch
	stop  func() // ends what listens, and closes the sockets
	wake  chan struct{}

	probeConn currentConn    // c, for probers
	probing   sync.WaitGroup // the probers that run

	budgets map[string]*budget // by the names of uplinks
	causes  cause
	port    uint32
	tidied  bool      // what a killed one has left is gone
	ready   bool      // EventReady was sent for what is maintained
	retry   time.Time // when to look again. Zero: not before an event
	took    time.Duration
	// unread is how many times in a row the kernel's state could not be read, and
	// said what was last reported of what concerns no uplink that is kept.
	unread int
	said   string
	lost   time.Time // when lost events were reported last
}

// run keeps the uplinks until ctx ends.
func (m *maintainer) run(ctx context.Context) error {
	if err := m.open(ctx); err != nil {
		return err
	}
	defer func() { m.stop() }()
	defer m.probing.Wait()
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
	case update, ok := <-m.config.Update:
		if !ok {
			m.config.Update = nil // nobody updates any more
			return
		}
		if err := update.check(); err != nil {
			m.event(Event{Kind: EventFailed, Err: err})
			return
		}
		m.adopt(update)
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
	m.collectHealth()
	if m.watch == nil {
		return
	}
	causes, port, lost, err := m.watch.take()
	m.causes |= causes
	m.port = port
	for range lost {
		m.config.Counters.Lost.Add(1)
	}
	if now := time.Now(); lost > 0 && now.Sub(m.lost) > time.Second {
		m.lost = now
		m.event(Event{Kind: EventLost})
	}
	if err != nil && ctx.Err() == nil {
		m.event(Event{Kind: EventFailed, Err: err})
		m.close()
	}
}

// close closes the sockets. The next look opens others.
func (m *maintainer) close() {
	m.stop()
	m.c, m.watch, m.stop = nil, nil, func() {}
	m.unread, m.said = 0, ""
	m.causes |= causeLost
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
	w.own(m.protocols())
	m.c, m.watch = c, w
	m.probeConn.set(c)
	m.stop = func() {
		cancel()
		wg.Wait()
		w.sub.Close()
		closeConn()
	}
	return nil
}

// reopen opens the sockets, if there are none, and reports whether there are.
func (m *maintainer) reopen(ctx context.Context) bool {
	if m.c != nil {
		return true
	}
	m.config.Counters.Redials.Add(1)
	if err := m.open(ctx); err != nil {
		m.complain(Event{Kind: EventFailed, Err: err})
		m.again(redialAfter)
		return false
	}
	m.said = ""
	return true
}

// complain reports a failure that is tried again, once.
func (m *maintainer) complain(e Event) {
	if text := e.String(); text != m.said {
		m.said = text
		m.event(e)
	}
}

// look compares what there is with what there should be, and repairs it.
func (m *maintainer) look(ctx context.Context) {
	begin := time.Now()
	causes := m.causes
	m.causes = 0
	m.retry = time.Time{}
	if !m.reopen(ctx) {
		return
	}
	m.config.Counters.Looks.Add(1)
	if !m.ready {
		m.watch.own(m.protocols())
	}
	m.recall(ctx)
	m.tidy(ctx)
	m.leave(ctx, true)
	tables := make(map[rttables.ID]bool)
	for _, group := range m.groups() {
		m.keep(ctx, group, causes, tables)
		if ctx.Err() != nil {
			return
		}
	}
	m.leave(ctx, false)
	m.share(ctx, causes, tables)
	m.leaveDefault(ctx)
	m.probes(ctx)
	m.watch.use(tables)
	if m.unread >= tellAfter {
		m.close()
	}
	now := time.Now()
	m.took = now.Sub(begin)
	m.peace(now)
	m.count()
	if !m.ready {
		m.ready = true
		m.event(Event{Kind: EventReady})
	}
}

// protocols are those of the uplinks.
func (m *maintainer) protocols() []route.Protocol {
	var protocols []route.Protocol
	for _, k := range m.all {
		if p := k.protocol(); !slices.Contains(protocols, p) {
			protocols = append(protocols, p)
		}
	}
	return protocols
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
	complete, unhealthy := 0, 0
	for _, k := range m.all {
		if k.unhealthy {
			unhealthy++
		}
		if k.said == EventInstalled {
			complete++
		}
	}
	m.config.Counters.Uplinks.Store(int64(len(m.all)))
	m.config.Counters.Complete.Store(int64(complete))
	m.config.Counters.Unhealthy.Store(int64(unhealthy))
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

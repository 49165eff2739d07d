package maintain

import (
	"context"
	"sync"
	"time"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

// A maintainer is [Run] at work.
type maintainer struct {
	reporter
	sockets
	config Config

	uplinks   []*maintainedUplink
	groups    [][]*maintainedUplink // the uplinks by their labels
	protocols []route.Protocol      // of the uplinks
	leaving   []*maintainedUplink   // uplinks that are to be removed

	shared sharedDefault
	names  nameFiles

	obstacles obstacles

	// reading is what the current look has read. Nil: it has to read again.
	reading *reading
	probers sync.WaitGroup // that run
	limiter limiter
	causes  cause  // of the next look
	port    uint32 // from which something of ours was deleted

	cleanedUp bool          // what a killed process has left is gone
	ready     bool          // EventReady was sent for what is declared
	nextLook  time.Time     // without an event; zero: none
	lookTook  time.Duration // the last one
	lost      time.Time     // when lost events were reported last
}

func newMaintainer(dial func() (route.Conn, error), config Config) *maintainer {
	return &maintainer{
		reporter: reporter{logger: config.Logger, event: config.Event, counters: config.Counters},
		sockets:  sockets{dial: dial, buffer: config.ReceiveBuffer, wake: make(chan struct{}, 1)},
		config:   config,
		shared:   newSharedDefault(),
		limiter:  limiter{rate: config.Rate, budgets: make(map[string]*budget)},
	}
}

// run keeps the uplinks until ctx ends.
func (m *maintainer) run(ctx context.Context) error {
	if err := m.open(ctx); err != nil {
		return err
	}
	defer func() { m.stop() }()
	defer m.probers.Wait()
	full := time.NewTicker(m.config.FullLook)
	defer full.Stop()
	for {
		m.look(ctx)
		looked := time.Now()
		for m.causes == 0 {
			if ctx.Err() != nil {
				return m.removeAtEnd()
			}
			m.wait(ctx, full.C)
			// Looks take half of the time at most.
			sleep(ctx, max(m.config.Settle, min(m.lookTook, time.Second)-time.Since(looked)))
			m.collect(ctx)
		}
	}
}

// wait waits until there is a reason to look.
func (m *maintainer) wait(ctx context.Context, full <-chan time.Time) {
	var again <-chan time.Time
	if !m.nextLook.IsZero() {
		t := time.NewTimer(time.Until(m.nextLook))
		defer t.Stop()
		again = t.C
	}
	select {
	case <-ctx.Done():
	case <-m.wake:
	case <-full:
		m.causes |= causeTime
	case <-again:
		m.nextLook = time.Time{}
		m.causes |= causeTime
	case update, ok := <-m.config.Update:
		if !ok {
			m.config.Update = nil // nobody updates any more
			return
		}
		if err := update.validate(); err != nil {
			m.send(nobody.failure(EventUpdateRefused, err))
			return
		}
		m.declare(update)
	}
}

// sleep waits for some time, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
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
	m.counters.Lost.Add(uint64(lost))
	if now := time.Now(); lost > 0 && now.Sub(m.lost) > time.Second {
		m.lost = now
		m.send(nobody.event(EventLost))
	}
	if err != nil && ctx.Err() == nil {
		m.send(nobody.failure(EventSocketFailed, err))
		m.closeSockets()
	}
}

// closeSockets closes the sockets. The next look opens others.
func (m *maintainer) closeSockets() {
	m.sockets.close()
	m.settle()
	m.causes |= causeLost
}

// reopen opens the sockets, if there are none, and returns whether there are.
func (m *maintainer) reopen(ctx context.Context) bool {
	if m.conn != nil {
		return true
	}
	m.counters.Redials.Add(1)
	if err := m.open(ctx); err != nil {
		m.complain(nobody.failure(EventSocketFailed, err))
		m.lookIn(redialAfter)
		return false
	}
	m.settle()
	return true
}

// open opens the sockets, and begins to listen for changes of what the uplinks own.
func (m *maintainer) open(ctx context.Context) error {
	if err := m.sockets.open(ctx); err != nil {
		return err
	}
	m.watch.watchUplinks(m.uplinks)
	return nil
}

// look compares what there is with what there should be, and repairs the difference.
func (m *maintainer) look(ctx context.Context) {
	begin := time.Now()
	causes := m.causes
	m.causes, m.nextLook = 0, time.Time{}
	m.names.begin(causes)
	if !m.reopen(ctx) {
		return
	}
	m.counters.Looks.Add(1)
	if !m.ready {
		m.watch.watchUplinks(m.uplinks)
	}
	tables := m.lookAtAll(ctx, causes)
	if ctx.Err() != nil {
		return
	}
	m.reportOverrules(ctx)
	m.probeComplete(ctx)
	m.watch.watchTables(tables)
	if m.unreadable >= reportAfter {
		m.closeSockets()
	}
	m.lookTook = time.Since(begin)
	m.endFights()
	m.counters.setUplinks(m.uplinks)
	if !m.ready {
		m.ready = true
		m.send(nobody.event(EventReady))
	}
}

// lookAtAll looks at all uplinks and the shared default. It returns the tables that they
// have.
func (m *maintainer) lookAtAll(ctx context.Context, causes cause) map[rttables.ID]bool {
	m.reading = nil
	tables := make(map[rttables.ID]bool)
	err := m.ensureReading(ctx)
	if err == nil {
		m.restoreSources(ctx)
		m.cleanUpOnce(ctx)
	}
	m.removeBlocking(ctx)
	if err == nil {
		err = m.ensureReading(ctx)
	}
	if err != nil {
		m.noteReadable(err)
	}
	for _, group := range m.groups {
		if ctx.Err() != nil {
			return tables
		}
		if err != nil {
			m.reportGroup(group, groupPlan{}, causes, err)
			for _, k := range group {
				tables[k.table()] = true
			}
			continue
		}
		for _, id := range m.keepGroup(ctx, group, causes) {
			tables[id] = true
		}
	}
	m.removeLeaving(ctx, m.leaving)
	if err == nil {
		err = m.ensureReading(ctx)
	}
	m.keepDefault(ctx, causes, tables, err)
	m.removeOldDefaults(ctx)
	return tables
}

// ensureReading reads the host, unless that was done and nothing has changed since.
func (m *maintainer) ensureReading(ctx context.Context) (err error) {
	if m.reading == nil && (len(m.uplinks) > 0 || m.shared.wanted != nil) {
		m.reading, err = m.reread(ctx)
	}
	return err
}

// reread reads the host.
func (m *maintainer) reread(ctx context.Context) (*reading, error) {
	etc := ""
	if len(m.uplinks) > 0 {
		etc = m.uplinks[0].Etc
	}
	return m.readHost(ctx, etc)
}

// readHost reads the host, with the names of files in a directory.
func (m *maintainer) readHost(ctx context.Context, etc string) (*reading, error) {
	r, err := readHost(ctx, m.conn, etc)
	if err != nil {
		return nil, err
	}
	r.now = r.now.WithNames(m.namesOf(r, etc))
	return r, nil
}

// report reports what is new in an outcome, and asks for another look after a failure.
func (m *maintainer) report(last lastReport, o outcome) lastReport {
	next := m.reporter.report(last, o)
	if d := next.retryIn(); d > 0 {
		m.lookIn(d)
	}
	return next
}

// lookIn asks for a look after some time, or sooner.
func (m *maintainer) lookIn(after time.Duration) {
	at := time.Now().Add(after)
	if m.nextLook.IsZero() || at.Before(m.nextLook) {
		m.nextLook = at
	}
}

package maintain

import (
	"context"
	"sync"
	"time"

	"github.com/policyroute/policyroute/route"
)

// A maintainer does the work of [Run].
type maintainer struct {
	reporter
	sockets
	config Config

	uplinks   []*maintainedUplink
	groups    []*group            // the uplinks by their labels
	protocols []route.Protocol    // of the uplinks
	leaving   []*maintainedUplink // uplinks that are to be removed

	triedJointly bool // this look has planned all groups together

	shared  sharedDefault
	replies replies
	names   nameFiles

	obstacles obstacles

	// reading is the known state of the host. Nil: the state is not known, or has changed
	// since the last change. Earlier is the last reading.
	reading, earlier *reading
	probers          sync.WaitGroup // that run
	limiter          limiter
	agenda           agenda // of the next look
	port             uint32 // from which something of ours was deleted

	cleanedUp bool          // what a killed process has left is gone
	ready     bool          // EventReady was sent for what is declared
	nextLook  time.Time     // without an event; zero: none
	exchange  time.Time     // since when interfaces exchange their names; zero: they do not
	lookTook  time.Duration // the last one
	lost      time.Time     // when lost events were reported last
}

func newMaintainer(dial func() (route.Conn, error), config Config) *maintainer {
	return &maintainer{
		reporter: reporter{logger: config.Logger, event: config.Event, counters: config.Counters},
		sockets:  sockets{dial: dial, buffer: config.ReceiveBuffer, wake: make(chan struct{}, 1)},
		config:   config,
		shared:   newSharedDefault(),
		names:    newNameFiles(),
		limiter:  limiter{rate: config.Rate, budgets: make(map[string]*budget)},
	}
}

// run maintains the uplinks until ctx ends.
func (m *maintainer) run(ctx context.Context) error {
	if err := m.open(ctx); err != nil {
		return err
	}
	defer func() { m.stop() }()
	defer func() { m.replies.stopWatch() }()
	defer m.probers.Wait()
	full := time.NewTicker(m.config.FullLook)
	defer full.Stop()
	namespace, stop := m.config.watchNamespace()
	defer stop()
	for {
		m.look(ctx)
		looked := time.Now()
		for m.agenda.isEmpty() {
			if ctx.Err() != nil {
				return m.removeAtEnd()
			}
			m.wait(ctx, full.C, namespace)
			m.gather(ctx, looked)
			m.collect(ctx)
		}
	}
}

// wait waits until there is a reason to look.
func (m *maintainer) wait(ctx context.Context, full, namespace <-chan time.Time) {
	var again <-chan time.Time
	if !m.nextLook.IsZero() {
		t := time.NewTimer(time.Until(m.nextLook))
		defer t.Stop()
		again = t.C
	}
	select {
	case <-ctx.Done():
	case <-m.wake:
	case <-namespace:
		m.checkNamespace()
	case <-full:
		m.checkNamespace()
		m.lookAnew(causeTime)
	case <-again:
		m.nextLook = time.Time{}
		m.agenda.causes |= causeTime
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

// pauses is into how many parts Settle is divided: if only rules and routes of uplinks have
// changed, and nothing has happened for one of them, that is all.
const pauses = 8

// gather waits for more events, after the first one since the last look. Whoever deletes rules
// deletes one right after the other, but between the events of an interface that comes or goes
// are pauses.
func (m *maintainer) gather(ctx context.Context, looked time.Time) {
	// Looks take half of the time at most.
	least := looked.Add(min(m.lookTook, time.Second))
	end := time.Now().Add(m.config.Settle)
	for before := -1; ctx.Err() == nil && time.Now().Before(end); {
		if m.watch == nil {
			break
		}
		seen, isOurs := m.watch.count()
		if !isOurs || seen == before {
			if !isOurs {
				sleep(ctx, time.Until(end))
			}
			break
		}
		before = seen
		sleep(ctx, min(m.config.Settle/pauses, time.Until(end)))
	}
	sleep(ctx, time.Until(least))
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

// collect takes what the watch has noted.
func (m *maintainer) collect(ctx context.Context) {
	m.collectHealth()
	m.collectReplies()
	if m.watch == nil {
		return
	}
	n, port, err := m.watch.take()
	m.agenda.merge(&n.agenda)
	m.port = port
	m.counters.Lost.Add(uint64(n.lost))
	if now := time.Now(); n.lost > 0 && now.Sub(m.lost) > time.Second {
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
	m.replies.stopWatch()
	m.sockets.close()
	m.settle()
	m.lookAnew(causeLost)
}

// lookAnew asks for a look at everything, for which the host is read again.
func (m *maintainer) lookAnew(c cause) {
	c2 := everything(c)
	m.agenda.add(&c2)
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
	m.reading, m.earlier = nil, nil
	return m.sockets.open(ctx)
}

// look compares the state of the kernel with the wanted state, and repairs the difference.
// It checks what is on the agenda.
func (m *maintainer) look(ctx context.Context) {
	begin := time.Now()
	isOpen := m.conn != nil
	if !m.reopen(ctx) {
		m.agenda = agenda{}
		return
	}
	if !isOpen {
		m.lookAnew(causeLost)
	}
	m.counters.Looks.Add(1)
	a := m.takeAgenda(begin)
	m.names.begin(a.causes)
	if !m.ready {
		m.watch.watchAll()
	}
	m.lookAt(ctx, &a)
	if ctx.Err() != nil {
		return
	}
	m.reportOverrules(ctx, &a)
	m.probeComplete(ctx)
	m.watch.follow(m.findInterests())
	if m.unreadable >= reportAfter {
		m.closeSockets()
	}
	m.lookTook = time.Since(begin)
	if again := m.names.retryIn(); again > 0 {
		m.lookIn(again)
	}
	m.endFights()
	m.counters.setUplinks(m.uplinks)
	if !m.ready {
		m.ready = true
		m.send(nobody.event(EventReady))
	}
	m.planNextLook()
}

// takeAgenda returns what has to be checked: the agenda, and what is due.
func (m *maintainer) takeAgenda(now time.Time) agenda {
	a := m.agenda
	m.agenda, m.nextLook = agenda{}, time.Time{}
	for i, g := range m.groups {
		if isDue(&g.again, now) {
			a.addGroup(i, causeTime)
		}
	}
	a.shared = isDue(&m.shared.again, now) || a.shared
	a.replies = isDue(&m.replies.again, now) || a.replies
	return a
}

// isDue reports whether a time has come, and if so, sets it to zero.
func isDue(at *time.Time, now time.Time) bool {
	if at.IsZero() || at.After(now) {
		return false
	}
	*at = time.Time{}
	return true
}

// planNextLook asks for a look when a group, or the shared default, is to be looked at
// again.
func (m *maintainer) planNextLook() {
	for _, g := range m.groups {
		m.lookAtTime(g.again)
	}
	m.lookAtTime(m.shared.again)
	m.lookAtTime(m.replies.again)
}

// lookAt checks what is on an agenda.
func (m *maintainer) lookAt(ctx context.Context, a *agenda) {
	var err error
	m.triedJointly = false
	if m.reading = nil; a.anew {
		err = m.readAnew(ctx)
	} else {
		err = m.ensureReading(ctx)
	}
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
	for i, g := range m.groups {
		causes := a.of(i)
		if causes == 0 {
			continue
		}
		if err == nil {
			err = m.ensureReading(ctx)
		}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			m.reportGroup(g, groupPlan{}, causes, err)
		default:
			m.keepGroup(ctx, g, causes, a.anew)
		}
		// The default may have another next hop, and answers other sources.
		a.shared, a.replies = true, true
	}
	if a.all || a.anew || a.replies {
		m.keepReplies(ctx, a.causes, err)
	}
	m.removeLeaving(ctx, m.leaving)
	if a.all || a.anew || a.shared {
		if err == nil {
			err = m.ensureReading(ctx)
		}
		m.keepDefault(ctx, a.causes, err)
	}
	m.removeOldDefaults(ctx)
	m.endTranslated(ctx)
}

// readAnew reads the host again.
func (m *maintainer) readAnew(ctx context.Context) error {
	if len(m.uplinks) == 0 && m.shared.wanted == nil {
		return nil
	}
	now, err := m.watch.read(ctx, m.conn, m.etc())
	if err == nil {
		m.setReading(newReading(m.conn, now), m.etc())
	}
	return err
}

// setReading sets the known state of the host. Names of tables are those of files in a
// directory.
func (m *maintainer) setReading(r *reading, etc string) {
	r.now = r.now.WithNames(m.namesOf(r, etc))
	m.holdNames(r)
	m.reading, m.earlier = r, r
}

// ensureReading reads the host, unless its state is known and nothing was changed since.
func (m *maintainer) ensureReading(ctx context.Context) (err error) {
	if m.reading == nil && (len(m.uplinks) > 0 || m.shared.wanted != nil) {
		_, err = m.reread(ctx, m.etc())
	}
	return err
}

// reread reads the host after all events so far. Under the lock, the result is the present
// state.
func (m *maintainer) reread(ctx context.Context, etc string) (*reading, error) {
	now, old, err := m.watch.state(ctx, m.conn, etc)
	if err != nil {
		return nil, err
	}
	r := newReading(m.conn, now)
	r.keep(m.earlier, old)
	m.setReading(r, etc)
	return r, nil
}

// etc returns the directory of the names of tables.
func (m *maintainer) etc() string {
	if len(m.uplinks) == 0 {
		return ""
	}
	return m.uplinks[0].Etc
}

// lookIn asks for a look after some time, or sooner.
func (m *maintainer) lookIn(after time.Duration) { m.lookAtTime(time.Now().Add(after)) }

// lookAtTime asks for a look at a time, or sooner. Zero: never.
func (m *maintainer) lookAtTime(at time.Time) {
	if !at.IsZero() && (m.nextLook.IsZero() || at.Before(m.nextLook)) {
		m.nextLook = at
	}
}

// soonest sets a time to that after some time, unless it is sooner.
func soonest(at *time.Time, after time.Duration) {
	if next := time.Now().Add(after); after > 0 && (at.IsZero() || next.Before(*at)) {
		*at = next
	}
}

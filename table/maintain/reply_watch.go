package maintain

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/nft"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/table/reply"
)

// A replyWatch listens to changes of nf_tables, and notes those of the table of the policy
// for answers.
type replyWatch struct {
	sub  *nft.Subscription
	wake chan<- struct{}
	stop func()

	mu      sync.Mutex
	changed bool
	by      nft.Generation // the last change of another program that has deleted something
	err     error          // of the socket
}

// watchReplies begins to listen, if it has not begun.
func (m *maintainer) watchReplies(ctx context.Context) error {
	if m.replies.watch != nil {
		return nil
	}
	sub, err := nft.SubscribeLike(m.conn)
	if err != nil {
		return err
	}
	w := &replyWatch{sub: sub, wake: m.wake}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { w.run(ctx) })
	w.stop = func() {
		cancel()
		wg.Wait()
		sub.Close()
	}
	m.replies.watch = w
	return nil
}

// stopWatch ends to listen.
func (s *replies) stopWatch() {
	if s.watch != nil {
		s.watch.stop()
		s.watch = nil
	}
}

// run listens until ctx ends or the socket fails.
func (w *replyWatch) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := w.sub.Wait(ctx)
		if ctx.Err() != nil {
			return
		}
		isNew := false
		if err == nil {
			err = w.sub.Pending(func(c nft.Change) error {
				isNew = w.note(&c) || isNew
				return nil
			})
		}
		if errors.Is(err, rtnl.ErrOverrun) {
			err, isNew = nil, true
		}
		w.mu.Lock()
		w.changed, w.err = w.changed || isNew, err
		w.mu.Unlock()
		if isNew || err != nil {
			select {
			case w.wake <- struct{}{}:
			default:
			}
		}
		if err != nil {
			return
		}
	}
}

// note reports whether a change is one of the policy's table. Elements come and go with every
// packet of a new client, but the kernel reports only those that programs change.
func (w *replyWatch) note(c *nft.Change) (isOurs bool) {
	deletes := false
	for _, o := range c.Objects {
		if o.Family == nft.Inet && o.Table == reply.TableName {
			isOurs, deletes = true, deletes || o.Deleted
		}
	}
	if deletes && int(c.Generation.PID) != os.Getpid() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.by = c.Generation
	}
	return isOurs
}

// take returns whether the table may have changed since the last call.
func (w *replyWatch) take() (changed bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	changed, w.changed = w.changed, false
	return changed, w.err
}

// opponent returns a description of the program that has deleted something of the table.
func (w *replyWatch) opponent() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.by.PID == 0 {
		return "something keeps undoing it"
	}
	return fmt.Sprintf("process %d (%s) keeps undoing it", w.by.PID, iptext.Printable(w.by.Process))
}

// collectReplies takes what was noted about the policy's table.
func (m *maintainer) collectReplies() {
	w := m.replies.watch
	if w == nil {
		return
	}
	changed, err := w.take()
	if err != nil {
		m.replies.stopWatch() // the next look opens another one
	}
	if changed || err != nil {
		m.agenda.add(&concern{cause: causeFirewall, ours: true, replies: true})
	}
}

package maintain

import (
	"context"
	"time"

	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/table/plan"
)

// locked calls do under the lock that all programs of this module take to change uplinks.
// If another process has the lock for too long, locked calls do without it: see
// [rtnl.Impatient]. Only the wait is limited. How long do takes depends on how much there
// is to change.
func (m *maintainer) locked(ctx context.Context, do func(context.Context) error) error {
	ctx = plan.WithLockNotice(ctx, m.reportObstacle)
	return plan.Lock(rtnl.Impatient(ctx), m.conn, func() error { return do(ctx) })
}

const (
	// obstacleEvery is the shortest time between two reports of processes that have the
	// lock. A program that starts a new process for each would otherwise fill the log.
	obstacleEvery = time.Minute
	// sameObstacleEvery is the shortest time between two reports of the same process.
	sameObstacleEvery = time.Hour
)

// Obstacles are the last reports of processes that have the lock: that Run waits for one
// of them, and that it has continued although one has it.
type obstacles [2]struct {
	at time.Time
	by plan.Holder
}

// reportObstacle reports that another process has the lock, unless that was reported not
// long ago.
func (m *maintainer) reportObstacle(n plan.LockNotice) {
	last := &m.obstacles[0]
	if n.Ignored {
		last = &m.obstacles[1]
	}
	since := time.Since(last.at)
	if since < obstacleEvery || n.Holder == last.by && since < sameObstacleEvery {
		return
	}
	last.at, last.by = time.Now(), n.Holder
	e := nobody.event(EventObstructed)
	e.Reason = n.Text
	m.send(e)
}

package table

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// A budget bounds repairs: so many a second on average, and more at once after a
// quiet time. Who spends it all is in a fight, which ends when half of it has
// come back.
type budget struct {
	rate, most, left float64
	last             time.Time
	fighting         bool
}

// budgetSeconds is for how many seconds repairs may be saved up.
const budgetSeconds = 10

func newBudget(rate float64, now time.Time) *budget {
	most := max(1, rate*budgetSeconds)
	return &budget{rate: rate, most: most, left: most, last: now}
}

func (b *budget) refill(now time.Time) {
	b.left = min(b.most, b.left+b.rate*max(0, now.Sub(b.last).Seconds()))
	b.last = now
}

// take reports whether a repair may be done now.
func (b *budget) take(now time.Time) bool {
	if b.refill(now); b.left < 1 {
		return false
	}
	b.left--
	return true
}

// calm reports whether a fight has just ended.
func (b *budget) calm(now time.Time) bool {
	b.refill(now)
	if b.fighting && b.left >= b.most/2 {
		b.fighting = false
		return true
	}
	return false
}

// next is how long it takes until a repair may be done, or a fight may be over.
func (b *budget) next() time.Duration {
	need := 1 - b.left
	if need <= 0 {
		need = b.most/2 - b.left
	}
	return time.Duration(max(need, 0.01) / b.rate * float64(time.Second))
}

// opponent says who deletes what is ours: the process with the ID that is the
// port, if there is one.
func opponent(port uint32) string {
	if port == 0 {
		return "something keeps undoing it"
	}
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", port))
	if err != nil {
		return fmt.Sprintf("netlink port %d keeps undoing it", port)
	}
	return fmt.Sprintf("process %d (%s) keeps undoing it", port, strings.TrimSpace(string(name)))
}

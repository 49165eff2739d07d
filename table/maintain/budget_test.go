package maintain

import (
	"slices"
	"testing"
	"time"
)

// Repairs of ten seconds may be made at once, and then so many a second. A fight ends
// when half of the budget is back; a full budget is forgotten.
func TestLimiter(t *testing.T) {
	now := time.Unix(1000, 0)
	l := limiter{rate: 2, budgets: make(map[string]*budget)}
	for i := range 20 {
		if !l.of("a", now).spend(now) {
			t.Fatalf("repair %d is not admitted", i)
		}
	}
	b := l.of("a", now)
	if b.spend(now) {
		t.Fatal("there is no limit")
	}
	b.fighting = true
	if !l.of("b", now).spend(now) {
		t.Error("one uplink has the budget of another")
	}
	if d := b.next(); d != time.Second/2 {
		t.Errorf("the next repair is in %v, want half a second", d)
	}
	now = now.Add(time.Second / 2)
	if !b.spend(now) || b.spend(now) {
		t.Error("after half a second there is not one repair")
	}
	if ended, again := l.endFights(now); len(ended) > 0 || again != time.Second/2 {
		t.Errorf("fights that end: %q; again in %v", ended, again)
	}
	now = now.Add(4900 * time.Millisecond)
	if ended, again := l.endFights(now); len(ended) > 0 || again <= 0 || again > 200*time.Millisecond {
		t.Errorf("shortly before the end: %q; again in %v", ended, again)
	}
	now = now.Add(100 * time.Millisecond)
	if ended, again := l.endFights(now); !slices.Equal(ended, []string{"a"}) || again != 0 {
		t.Errorf("at the end: %q; again in %v", ended, again)
	}
	if l.budgets["a"] == nil || l.budgets["b"] != nil {
		t.Errorf("%d budgets are left", len(l.budgets))
	}
	l.endFights(now.Add(time.Hour))
	if len(l.budgets) != 0 {
		t.Errorf("%d budgets are left after an hour", len(l.budgets))
	}
}

// A clock that is set back gives nothing away, and takes nothing.
func TestBudgetClock(t *testing.T) {
	now := time.Unix(1000, 0)
	b := newBudget(1, now)
	for b.spend(now) {
	}
	before := now.Add(-time.Hour)
	if b.spend(before) || b.next() > time.Second {
		t.Errorf("in the past there are %v repairs, the next in %v", b.left, b.next())
	}
	if !b.spend(before.Add(time.Second)) {
		t.Error("a second later there is none")
	}
}

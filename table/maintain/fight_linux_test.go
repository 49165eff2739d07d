package maintain_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/maintain"
)

// Another program deletes a rule, a route, the table, or everything. Run adds it again.
func TestDeleted(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		u := n.Uplink2(f)
		u.MainFirst, u.Unreachable = true, true
		u.Also = []rule.Rule{{FwMark: rule.FwMark(2)}}
		k := newKeeper(n, maintain.Config{Rate: 100}, maintained(u)...)
		whole := n.Table(20)
		foreign := n.Dial(n.Server)
		rules := func() (all []rule.Rule) {
			for r, err := range rule.All(t.Context(), foreign, rule.Filter{Protocol: table.Protocol}) {
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, r)
			}
			return all
		}
		want := rules()
		flushRoutes := func() {
			if _, err := route.Flush(t.Context(), foreign, route.Filter{Table: 20}); err != nil {
				t.Fatal(err)
			}
		}
		for name, harm := range map[string]func(){
			"a rule": func() {
				if err := rule.Delete(t.Context(), foreign, want[0]); err != nil {
					t.Fatal(err)
				}
			},
			"a route": func() {
				for r, err := range route.All(t.Context(), foreign, route.Filter{Table: 20}) {
					if err != nil {
						t.Fatal(err)
					}
					if r.Gateway.IsValid() {
						if err := route.Delete(t.Context(), foreign, r); err != nil {
							t.Fatal(err)
						}
						return
					}
				}
			},
			"the table": flushRoutes,
			"everything": func() {
				for _, r := range want {
					if err := rule.Delete(t.Context(), foreign, r); err != nil {
						t.Fatal(err)
					}
				}
				flushRoutes()
			},
		} {
			k.within(300*time.Millisecond, name+" is back", func() time.Duration {
				k.untilTable("quiet", whole)
				harm()
				if count(n, 20) == strings.Count(whole, "\n") && len(rules()) == len(want) {
					return 0 // so fast was it
				}
				return k.until(name+" is back", func() bool { return n.Table(20) == whole && slices.Equal(rules(), want) })
			})
		}
		// The control: without Run nothing comes back.
		k.stop()
		flushRoutes()
		time.Sleep(400 * time.Millisecond)
		if got := n.Table(20); strings.Contains(got, "route") {
			t.Errorf("the control: who brought it back?\n%s", got)
		}
	})
}

// count returns how many rules and routes a table has.
func count(n *tabletest.Network, id rttables.ID) int { return strings.Count(n.Table(id), "\n") }

// Another program deletes rules a hundred times a second. Repairs are limited, and the
// program is reported.
func TestFight(t *testing.T) {
	t.Parallel()
	n := tabletest.NewNetwork(t)
	k := newKeeper(n, maintain.Config{Rate: 2}, maintained(n.Uplink2(tabletest.IPv4))...)
	foreign := n.Dial(n.Server)
	whole := n.Table(20)
	begin := time.Now()
	deleted := 0
	// On a busy machine it takes longer to delete as often as makes a fight.
	fighting := func() bool { return k.counters.Fights.Load() > 0 || time.Since(begin) > tabletest.Patience }
	for time.Since(begin) < 5*time.Second || !fighting() {
		for r, err := range rule.All(t.Context(), foreign, rule.Filter{Table: 20}) {
			if err == nil && rule.Delete(t.Context(), foreign, r) == nil {
				deleted++
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	repairs := k.counters.Repairs.Load()
	// What was saved up, and what there is a second; one for the installation.
	if most := uint64(2*10 + 2*time.Since(begin).Seconds() + 2); repairs > most || deleted < 20 {
		t.Errorf("%d repairs of %d deletions, want at most %d", repairs, deleted, most)
	}
	fights := 0
	for _, e := range k.log() {
		if e.Kind == maintain.EventFighting {
			fights++
			if e.Port == 0 || !strings.Contains(e.Reason, "keeps undoing it") {
				t.Errorf("it does not say whom it fights: %s", e)
			}
		}
	}
	if fights != 1 || k.counters.Fights.Load() != 1 || k.counters.Postponed.Load() == 0 {
		t.Errorf("%d reports of a fight\n%s", fights, k.text())
	}
	// The fight ends.
	k.untilTable("the uplink is whole", whole)
	k.awaitKind(0, maintain.EventCalm)
}

// Other programs change so much, while Run does not get to read, that the kernel drops
// events. The events that matter are among them.
func TestLostEvents(t *testing.T) {
	t.Parallel()
	n := tabletest.NewNetwork(t)
	p := start(n, maintained(n.Uplink2(tabletest.IPv4)), 4096)
	defer p.kill()
	whole := n.Table(20)
	p.frozen(func() {
		var noise rule.Batch
		for i := range 100 {
			a := netip.AddrFrom4([4]byte{100, 64, 0, byte(i)})
			noise.Add(rule.Rule{From: netip.PrefixFrom(a, 32), Table: 77, Priority: rule.Priority(20000)})
		}
		if err := noise.Do(t.Context(), n.Conn); err != nil {
			t.Fatal(err)
		}
		if _, err := route.Flush(t.Context(), n.Conn, route.Filter{Table: 20}); err != nil {
			t.Fatal(err)
		}
	})
	for end := time.Now().Add(tabletest.Patience); ; time.Sleep(time.Millisecond) {
		diff := tabletest.Diff(whole, n.Table(20))
		if diff == "" {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the uplink is not whole (-want +got):\n%s\n%s", diff, p.log.last(20))
		}
	}
	log := p.stop()
	for part, want := range map[string]bool{
		`msg="events lost"`: true, `"lost":0`: false, "events were lost": true, "routes changed": false,
	} {
		if strings.Contains(log, part) != want {
			t.Errorf("%s in the log: %v, want %v\n%s", part, !want, want, log)
		}
	}
}

package maintain

import (
	"encoding/json"
	"sync/atomic"

	"github.com/policyroute/policyroute/table/plan"
)

// Counters count the work of [Run]. They can be read at any time. A *Counters is an
// [expvar.Var].
type Counters struct {
	Looks     atomic.Uint64 // how often uplinks were compared with the kernel's state
	Repairs   atomic.Uint64 // transactions that changed something
	Steps     atomic.Uint64 // steps of those transactions
	Failures  atomic.Uint64 // transactions that failed, and plans that were refused
	Lost      atomic.Uint64 // how often the kernel dropped events
	Fights    atomic.Uint64 // how often repairs had to be limited
	Postponed atomic.Uint64 // repairs that had to wait because of a fight
	Redials   atomic.Uint64 // how often the sockets were opened again
	Probes    atomic.Uint64 // health probes

	// Uplinks is the number of uplinks that are maintained now, Complete is the number
	// of them that are completely installed, and Unhealthy is the number of them whose
	// probe fails.
	Uplinks, Complete, Unhealthy atomic.Int64
}

// addRepair counts a plan that was done.
func (c *Counters) addRepair(p plan.Plan) {
	c.Repairs.Add(1)
	c.Steps.Add(uint64(len(p.Steps)))
}

// setUplinks sets the numbers of uplinks.
func (c *Counters) setUplinks(uplinks []*maintainedUplink) {
	complete, unhealthy := 0, 0
	for _, k := range uplinks {
		if k.probing.unhealthy {
			unhealthy++
		}
		if k.reported.kind == EventInstalled {
			complete++
		}
	}
	c.Uplinks.Store(int64(len(uplinks)))
	c.Complete.Store(int64(complete))
	c.Unhealthy.Store(int64(unhealthy))
}

// String returns the counters as a JSON object, with names in lower case.
func (c *Counters) String() string {
	b, _ := json.Marshal(map[string]int64{ // numbers can always be encoded
		"looks": int64(c.Looks.Load()), "repairs": int64(c.Repairs.Load()), "steps": int64(c.Steps.Load()),
		"failures": int64(c.Failures.Load()), "lost": int64(c.Lost.Load()), "fights": int64(c.Fights.Load()),
		"postponed": int64(c.Postponed.Load()), "redials": int64(c.Redials.Load()), "probes": int64(c.Probes.Load()),
		"uplinks": c.Uplinks.Load(), "complete": c.Complete.Load(), "unhealthy": c.Unhealthy.Load(),
	})
	return string(b)
}

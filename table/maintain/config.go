package maintain

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/reply"
)

// A Config configures [Run]. The zero Config has the default of every field.
type Config struct {
	// Event is called for each event, one after the other. It should return soon, because Run
	// repairs nothing in the meantime. Nil: it is not called.
	Event func(Event)

	// Probed is called with the result of each health probe, from several goroutines. It
	// should return soon, because the next probe of the uplink waits for it; repairs do not
	// wait. Nil: it is not called.
	Probed func(ProbeResult)

	// Logger gets a record for each event. Nil: there is no log.
	Logger *slog.Logger

	// Counters are counters that Run increments. Nil: Run does not count.
	Counters *Counters

	// Remove removes the uplinks when ctx ends. Otherwise they stay installed, and are no
	// longer repaired.
	Remove bool

	// Default is a default route that the uplinks share in proportion to their Weight. An
	// [Update] can replace it. Nil: there is no such route.
	Default *Default

	// Reply is the policy for answers that are to leave by the uplinks: see package reply. Run
	// keeps it installed like the uplinks. An [Update] can replace it. Nil: there is none, and
	// one that is installed is removed, unless an uplink has Masquerade.
	Reply *reply.Policy

	// Update receives the uplinks that Run has to maintain from then on. Run changes what
	// differs, and removes uplinks that are not in the Update. Run refuses an invalid
	// Update as it does at the start: it sends an [EventUpdateRefused], and keeps the
	// earlier uplinks. If a new uplink has the interface of a removed one and takes over
	// its sources, these sources switch in one step. Nil or closed: the uplinks stay the
	// same.
	Update <-chan Update

	// Settle is how long Run waits after the kernel's first event for more events. If only
	// rules and routes of uplinks have changed, Run waits only until an eighth of that time
	// has passed without an event. A longer time saves work on hosts on which interfaces come
	// and go. Default: 10 milliseconds.
	Settle time.Duration

	// Rate is the maximum average number of repairs per second for the uplinks with the
	// same name. Run can do the repairs of ten seconds in a burst. If another program makes
	// more repairs necessary, Run reports that program. Default: 5.
	Rate float64

	// FullLook is the time between checks of all uplinks that do not depend on events.
	// Default: 5 minutes.
	FullLook time.Duration

	// NetNS is the path of the network namespace that dial opens its sockets in, such as
	// /run/netns/NAME. If that namespace is deleted, and perhaps created again, the sockets
	// of Run stay in the old one. So Run checks the path every two seconds. When the path no
	// longer refers to the old namespace, Run sends an [EventSocketFailed], forgets the state
	// of the old namespace, and calls dial until dial opens a socket in the new namespace. A
	// nil dial opens its sockets in the namespace at the path. Empty: Run assumes that the
	// namespace does not change.
	NetNS string

	// ReceiveBuffer is the size, in bytes, of the buffer for the kernel's events. There is
	// rarely a reason to set it. Default: 64 MiB. Without CAP_NET_ADMIN, net.core.rmem_max
	// limits the size.
	ReceiveBuffer int
}

// A ProbeResult is the result of one health probe of an uplink. Several results decide
// whether the uplink is healthy: see [EventHealthy] and [EventUnhealthy].
type ProbeResult struct {
	// Uplink and Family are those of the probed uplink, as in an [Event].
	Uplink string
	Family route.Family

	Took time.Duration // until the answer came, or the probe failed
	Err  error         // nil: an answer came
}

// withDefaults returns the configuration with the defaults of fields that are not set.
func (c Config) withDefaults() Config {
	if c.Settle == 0 {
		c.Settle = 10 * time.Millisecond
	}
	if c.Rate == 0 {
		c.Rate = 5
	}
	if c.FullLook == 0 {
		c.FullLook = 5 * time.Minute
	}
	if c.Counters == nil {
		c.Counters = new(Counters)
	}
	return c
}

// validate refuses negative times and numbers.
func (c *Config) validate() error {
	for _, f := range []struct {
		name string
		bad  bool
	}{
		{"Settle", c.Settle < 0},
		{"Rate", !(c.Rate > 0)},
		{"FullLook", c.FullLook < 0},
		{"ReceiveBuffer", c.ReceiveBuffer < 0},
	} {
		if f.bad {
			return fmt.Errorf("table: maintain.Config: %s: must not be negative", f.name)
		}
	}
	return nil
}

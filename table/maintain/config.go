package maintain

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/policyroute/policyroute/route"
)

// A Config is how [Run] does its work.
type Config struct {
	// Event is called for each event, one after the other, and should return soon:
	// nothing is repaired in the meantime. Nil: it is not called.
	Event func(Event)

	// Probed is called with the result of each health probe, and should return soon:
	// the next probe of the uplink waits for it, but repairs do not. Several goroutines
	// call it. Nil: it is not called.
	Probed func(ProbeResult)

	// Logger gets a record for each event. Nil: there is no log.
	Logger *slog.Logger

	// Counters are counted up. Nil: nothing is counted.
	Counters *Counters

	// Remove says that the uplinks are removed when ctx ends. False: they stay as they
	// are, and nobody repairs them.
	Remove bool

	// Default asks for a default route that the uplinks share by their Weight. Nil:
	// there is none. An Update may ask for another one.
	Default *Default

	// Update takes what is to be kept from now on. What differs is changed, and what
	// an Update does not have is removed. Run refuses an Update that it would refuse
	// at the start, with an [EventUpdateRefused], and goes on with what it has. A new
	// uplink that takes over the sources of one that goes, by the same interface, does
	// so in one step. Nil, or closed: nothing changes.
	Update <-chan Update

	// Settle is how long Run waits after the kernel's first event for more of them. A
	// broken uplink stays broken for that time at least. A longer time saves work
	// where interfaces come and go. Default: 10 milliseconds.
	Settle time.Duration

	// Rate is how many repairs a second there may be of each name, on average. The
	// repairs of ten seconds may be done at once. A program that makes more repairs
	// necessary is reported. Default: 5.
	Rate float64

	// FullLook is the time between looks at everything, without an event. Default: 5
	// minutes.
	FullLook time.Duration

	// NetNS is the path of the network namespace that dial opens its sockets in, such as
	// /run/netns/NAME. If it is deleted or made again, the sockets of Run would stay in
	// the old one. So Run looks at the path every two seconds, says so with an
	// [EventSocketFailed], forgets what it knew of the old namespace, and calls dial until
	// that leads to the namespace at the path. A nil dial opens its sockets there. Empty:
	// the namespace does not change.
	NetNS string

	// ReceiveBuffer is the size, in bytes, of the buffer for the kernel's events.
	// There is rarely a reason to set it. Default: 64 MiB, or what
	// net.core.rmem_max allows.
	ReceiveBuffer int
}

// A ProbeResult is the result of one health probe of an uplink. Whether the uplink is healthy
// is decided by several of them: see [EventHealthy] and [EventUnhealthy].
type ProbeResult struct {
	// Uplink and Family say which uplink was probed, as in an [Event].
	Uplink string
	Family route.Family

	Took time.Duration // until the answer came, or the probe failed
	Err  error         // nil: an answer came
}

// withDefaults returns the configuration with what it leaves open filled in.
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

// validate refuses times and numbers that make no sense.
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
			return fmt.Errorf("table: maintain.Config: %s: is negative", f.name)
		}
	}
	return nil
}

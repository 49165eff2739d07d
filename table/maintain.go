package table

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/health"
)

// A MaintainedUplink is an uplink that [Maintain] keeps.
type MaintainedUplink struct {
	SourceRoutedUplink

	// Learn is the family of a gateway that is learned: it is that of the default
	// route in table main by the uplink's interface, which a DHCP client or
	// router advertisements put there, and follows it. When that route goes, the
	// last gateway is kept. A default route of Protocol is no source for it.
	// Gateway has to be unset. Zero: the gateway is what Gateway says.
	Learn route.Family

	// Health says how to find out whether the uplink leads anywhere, and what to do
	// if it does not. Maintain probes the uplink while it is complete. A pending
	// uplink is not probed, and stays healthy or unhealthy. Probes are sent from an
	// address of the uplink, and so take its rule, its table and its gateway: the
	// rules from its addresses stay in any case. With MainFirst, do not use a target
	// that main has a more specific route for than the default. Before the first
	// verdict, and so at the start, the uplink is taken for healthy. Several uplinks
	// may have the same Health. Nil: the uplink is not probed, and taken for healthy.
	Health *health.Probe

	// Weight is the uplink's share in the default route that [MaintainConfig] asks
	// for, beside the weights of the others: from 1 to 256. Zero: it has none.
	Weight int
}

// A MaintainUpdate is what [Maintain] is to keep from now on.
type MaintainUpdate struct {
	// Uplinks are all of them.
	Uplinks []MaintainedUplink

	// Default is the default route that they share. One that there was before, and
	// that stands elsewhere, stays until this one is there. Nil: there is none, and
	// one that there was is removed.
	Default *SharedDefault
}

// A MaintainConfig is how [Maintain] does its work.
type MaintainConfig struct {
	// Event is called for each event, one after the other, and should return
	// soon: nothing is repaired meanwhile. Nil: nobody is told.
	Event func(Event)

	// Logger gets a record for each event. Nil: there is no log.
	Logger *slog.Logger

	// Counters are counted up. Nil: there are none.
	Counters *Counters

	// Remove says that the uplinks are removed when ctx ends. False: they stay
	// as they are, and nobody repairs them.
	Remove bool

	// Default asks for a default route that the uplinks share by their Weight. Nil:
	// there is none. Update may ask for another one.
	Default *SharedDefault

	// Update takes what is to be kept instead of what is kept: what differs is
	// changed, and what is not in it is removed. Maintain refuses what it would
	// refuse at the start, with an EventFailed, and keeps what it has. A new uplink
	// that takes over the sources of one that goes, by the same interface, does so
	// in one step. Nil, or closed: nothing changes.
	Update <-chan MaintainUpdate

	// Settle is how long Maintain waits after the kernel's first event for more
	// of them. Zero: 10 milliseconds. A short time is what a broken uplink costs
	// in any case; a long one saves work where interfaces come and go.
	Settle time.Duration

	// Rate is how many repairs a second there may be of each name, on average; ten
	// seconds' worth of them may be done at once. Whoever undoes them more often
	// is reported. Zero: 5.
	Rate float64

	// FullLook is the time between looks at everything, without an event. Zero: 5
	// minutes.
	FullLook time.Duration

	// ReceiveBuffer is the size, in bytes, of the buffer for the kernel's events.
	// Zero: 64 MiB, or what net.core.rmem_max allows; there is rarely a reason for
	// another.
	ReceiveBuffer int
}

// Maintain installs uplinks, and keeps them as they are declared until ctx ends.
//
// The kernel deletes the IPv4 routes of an interface that goes down, and those of
// a table with its last address, without a word, and does not bring them back.
// Addresses change with their leases. Other programs delete rules that they do
// not know. Maintain listens for changes of interfaces, addresses, routes and
// rules, compares what there is with what there should be, and repairs the
// difference as [Install] would: in one transaction for each name, which packets
// notice once. Every few minutes it looks without an event.
//
// An uplink that cannot be complete yet is pending: its interface is missing or
// down, it has no address, duplicate address detection is not over, no gateway
// was learned. What it has in rules stays, and is kept, so that with Unreachable
// its packets go nowhere meanwhile. Sources that are not there at the moment keep
// their rules until the interface is up and has others of the family, or another
// interface has them. Routes that the kernel refuses keep no rules away. Sources of one uplink are none of
// another that follows their interface. An uplink that is
// refused, or in conflict with something of others, does not hold up the others,
// and is tried again.
//
// Two more things are done for those who ask for them: to probe whether a gateway
// leads anywhere, see [health.Probe], and to share out what has no source yet, see
// [SharedDefault].
//
// dial opens the socket, in the network namespace that is to be maintained. It is
// called again if the socket fails. Nil stands for [route.Dial] of a nil config,
// which is right for the own namespace. Its result has to give access to the
// socket, as *route.Socket does, and is closed if it has a Close. A nil config has
// a zero for everything.
//
// Maintain returns nil after ctx has ended, or why the uplinks could not be
// removed then. Before, it returns only for uplinks that cannot be, a
// [*FieldError], for a config with a negative number, and if nothing could be opened
// at the start. No socket and no
// goroutine of it is left then.
func Maintain(
	ctx context.Context, dial func() (route.Conn, error), config *MaintainConfig, uplinks ...MaintainedUplink,
) error {
	m := &maintainer{dial: dial, wake: make(chan struct{}, 1)}
	if config != nil {
		m.config = *config
	}
	m.defaults()
	if err := m.config.check(); err != nil {
		return err
	}
	update := MaintainUpdate{uplinks, m.config.Default}
	if err := update.check(); err != nil {
		return err
	}
	m.adopt(update)
	return m.run(ctx)
}

// defaults fills in what the configuration leaves open.
func (m *maintainer) defaults() {
	if m.dial == nil {
		m.dial = func() (route.Conn, error) { return route.Dial(nil) }
	}
	c := &m.config
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
	m.sharings = make(map[route.Family]*sharing)
	m.budgets = make(map[string]*budget)
}

// check refuses times and numbers that make no sense.
func (c *MaintainConfig) check() error {
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
			return fmt.Errorf("table: MaintainConfig: %s: is negative", f.name)
		}
	}
	return nil
}

// Validate reports what is wrong with u on any host, as
// [SourceRoutedUplink.Validate] does, and with Learn, Health and Weight.
func (u MaintainedUplink) Validate() error {
	if err := u.SourceRoutedUplink.Validate(); err != nil {
		return err
	}
	switch {
	case u.Learn == 0:
	case u.Gateway.IsValid():
		return u.field("Learn", "is set, and so is Gateway")
	case u.Learn != route.IPv4 && u.Learn != route.IPv6:
		return u.field("Learn", "%s has no gateways", u.Learn)
	case slices.ContainsFunc(u.Sources, func(a netip.Addr) bool { return route.FamilyOf(a) != u.Learn }):
		return u.field("Learn", "%s is not the family of Sources", ipName(u.Learn))
	}
	return cmp.Or(u.validateHealth(), u.checkWeight())
}

// checkMaintained refuses uplinks that cannot be, or not together, on any host.
func checkMaintained(uplinks []MaintainedUplink) error {
	for i, u := range uplinks {
		if err := u.Validate(); err != nil {
			return err
		}
		for _, o := range uplinks[:i] {
			if err := u.beside(o); err != nil {
				return err
			}
		}
	}
	return nil
}

// beside refuses an uplink that would be in the way of another.
func (u MaintainedUplink) beside(o MaintainedUplink) error {
	shared := slices.ContainsFunc(u.forFamilies(), func(f route.Family) bool {
		return slices.Contains(o.forFamilies(), f)
	})
	both := func(a netip.Addr) bool { return slices.Contains(o.Sources, a) }
	switch {
	case u.String() == o.String() && shared:
		return u.field("Name", "is that of two uplinks of the same family")
	case u.String() != o.String() && u.Table != 0 && u.Table == o.Table:
		return u.field("Table", "%d is also the table of uplink %s", uint32(u.Table), o)
	case shared && u.Interface == o.Interface && len(u.Sources) == 0 && len(o.Sources) == 0,
		slices.ContainsFunc(u.Sources, both):
		return u.field("Sources", "are also those of uplink %s", o)
	case u.Etc != o.Etc:
		return u.field("Etc", "is not that of uplink %s", o)
	}
	return nil
}

// forFamilies are those that the uplink is about.
func (u *MaintainedUplink) forFamilies() []route.Family {
	if u.Learn != 0 {
		return []route.Family{u.Learn}
	}
	return u.families()
}

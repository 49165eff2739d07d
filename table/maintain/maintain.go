package maintain

import (
	"context"

	"github.com/policyroute/policyroute/route"
)

// Run installs uplinks, and keeps them as they are declared until ctx ends.
//
// The kernel deletes the IPv4 routes of an interface that goes down, and the routes of a table with
// its last address, without notification, and does not bring them back. Addresses change with their
// leases. Other programs delete rules that they do not know. Run listens for changes of interfaces,
// addresses, routes and rules, compares the state of the kernel with the wanted state, and repairs
// the difference as [table.Install] would: in one transaction for each name. Every few minutes Run
// also checks everything without an event.
//
// An uplink that cannot be complete yet is pending: its interface is missing or down, it has no
// address, duplicate address detection has not finished, no default route was learned, or a gateway
// is in no subnet of the interface. Run also maintains the rules of a pending uplink, so with
// Unreachable its packets are refused in the meantime. A source whose address is gone keeps its
// rules until the interface is up and has other addresses of the family, or until another interface
// has the address. An interface that was renamed counts as the same interface until another one
// gets its old name. If the kernel refuses the routes of an uplink, Run installs its rules all the
// same.
//
// If an address is in the Sources of one uplink, it is not a source of another uplink that takes
// all addresses of its interface. If an address is on the interfaces of two uplinks that take all
// addresses, it belongs to the uplink that already has it as a source or, if neither has, to the
// first one. If a network of SourceInterfaces overlaps with a network of another uplink, it stays
// with that uplink. The uplink that cannot have it fails with the reason, and everything else of
// that uplink is maintained. If an uplink is refused, or in conflict with a rule or route of
// another program, the other uplinks do not wait for it, and Run tries it again.
//
// Run does two more things for uplinks that ask for them: it probes whether a gateway leads
// anywhere, see [health.Probe], and it maintains a default route for packets that have no source
// yet, see [Default].
//
// Run calls dial to open its socket in the network namespace that is to be maintained. It calls
// dial again each time the socket fails, or the namespace is another one: see NetNS in [Config].
// Each call has to open a new socket, in the namespace as it is then. While dial fails, Run reports
// the reason once, and calls dial every second. Calls come from the goroutine of Run, which does
// nothing else until dial returns. A nil dial opens a socket in the network namespace of the
// caller, or in that of NetNS. The connection has to give access to its socket, as *[route.Socket]
// does. Run closes it if it has a method Close. A nil config means all defaults.
//
// Run returns nil after ctx has ended, or the error that kept it from removing the uplinks. It
// returns earlier only if an uplink is invalid, with a [*plan.FieldError], if a number in config is
// negative, or if no socket could be opened at the start. When Run returns, it has closed its
// sockets and its goroutines have ended.
func Run(ctx context.Context, dial func() (route.Conn, error), config *Config, uplinks ...Uplink) error {
	if config == nil {
		config = new(Config)
	}
	if dial == nil {
		dial = func() (route.Conn, error) { return dialIn(config.NetNS) }
	}
	m := newMaintainer(dial, config.withDefaults())
	if err := m.config.validate(); err != nil {
		return err
	}
	update := Update{uplinks, config.Default}
	if err := update.validate(); err != nil {
		return err
	}
	m.declare(update)
	return m.run(ctx)
}

package maintain

import (
	"context"

	"github.com/policyroute/policyroute/route"
)

// Run installs uplinks, and keeps them as they are declared until ctx ends.
//
// The kernel deletes the IPv4 routes of an interface that goes down, and the routes of
// a table with its last address, without notification, and does not bring them back.
// Addresses change with their leases. Other programs delete rules that they do not
// know. Run listens for changes of interfaces, addresses, routes and rules, compares
// what there is with what there should be, and repairs the difference as
// [table.Install] would: in one transaction for each name, which packets notice once.
// Every few minutes Run looks without an event.
//
// An uplink that cannot be complete yet is pending: its interface is missing or down,
// it has no address, duplicate address detection is not over, no default route was
// learned, or a gateway is in no subnet of the interface. The rules of a pending uplink stay and are kept, so that with Unreachable
// its packets go nowhere in the meantime. A source whose address is gone keeps its
// rules until the interface is up and has other addresses of the family, or until
// another interface has the address. An interface that was renamed is not another one,
// until another one has got its name. If the kernel refuses the routes of an uplink,
// its rules are installed all the same. An address that one uplink has among its
// Sources is no source of another uplink that takes all addresses of the interface.
// An address that is on the interfaces of two such uplinks stays with the one that has
// it as a source already or, if neither has, with the first one. A network of
// SourceInterfaces that overlaps with one of another uplink stays with that one. The
// uplink that cannot have it fails with the reason, and all else of it is kept.
// An uplink that is refused, or in conflict with something of another program, does
// not hold up the other uplinks, and is tried again.
//
// Run does two more things for uplinks that ask for them: it probes whether a gateway
// leads anywhere, see [health.Probe], and it keeps a default route for packets that
// have no source yet, see [Default].
//
// Run calls dial to open its socket, in the network namespace that is to be
// maintained, and again each time the socket fails, or the namespace is another one: see
// NetNS in [Config]. Each call has to open a new socket, in the namespace as it is then.
// While dial fails, Run reports why, once, and calls it every second. Calls come from the
// goroutine of Run, which does nothing else until dial returns. A nil dial opens a socket
// in the network namespace of the caller, or that of NetNS. The connection has to give access to its socket, as
// *[route.Socket] does. It is closed if it has a method Close. A nil config means all
// defaults.
//
// Run returns nil after ctx has ended, or the error that kept it from removing the
// uplinks. It returns earlier only if an uplink is invalid, with a
// [*plan.FieldError], if a number in config is negative, or if no socket could be
// opened at the start. When Run returns, it has closed its sockets and its goroutines
// have ended.
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

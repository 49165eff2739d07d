package maintain

import (
	"context"

	"github.com/policyroute/policyroute/route"
)

// Run installs uplinks, and keeps them installed as they are declared, until ctx ends.
//
// When an interface goes down or loses its last address, the kernel deletes the IPv4 routes through
// it, without notification, and does not add them again later. Addresses change with their leases.
// Other programs delete rules that they do not know. Run listens for changes of interfaces,
// addresses, routes and rules, compares the state of the kernel with the wanted state, and repairs
// the difference as [table.Install] does: in one transaction for all uplinks with the same name.
// Every few minutes, Run also checks everything even if there was no event.
//
// An uplink that cannot be installed completely yet is pending. Its interface is missing or down or
// has no address, duplicate address detection has not finished, there is no default route to learn
// from, or a gateway is in no subnet of the interface. Run maintains the rules of a pending uplink,
// so with Unreachable its packets are refused in the meantime. A source whose address is gone keeps
// its rules until the interface is up and has other addresses of the family, or until another
// interface has the address. Run still uses an interface that was renamed, until another interface
// gets the old name. If the kernel refuses the routes of an uplink, Run installs its rules all the
// same.
//
// Each address is a source of only one uplink. If an address is in the Sources of one uplink,
// another uplink without Sources does not use it, even if the address is on its interface. If two
// uplinks without Sources have the same address on their interfaces, it is a source of the uplink
// that already uses it or, if neither does, of the first one. If a network of SourceInterfaces
// overlaps with a network of another uplink, that other uplink keeps its network. The uplink that
// does not get an address or network fails with a reason, but everything else of it is
// maintained. If an uplink is refused, or conflicts with a rule or route of another program, the
// other uplinks do not wait for it, and Run tries again.
//
// Run has two optional tasks. It probes whether the Internet can be reached through an uplink:
// see [health.Probe]. And it maintains a default route for packets that have no source yet: see
// [Default].
//
// Run calls dial to open a socket in the network namespace that it has to maintain. It calls dial
// again each time the socket fails, or the namespace is replaced by another one: see NetNS in
// [Config]. Each call has to open a new socket, in the namespace that exists at that time. If dial
// fails, Run reports the reason once, and calls dial again every second. The goroutine of Run calls
// dial, and does nothing else until dial returns. A nil dial opens a socket in the network
// namespace of the caller, or in that of NetNS. The connection has to give access to its socket, as
// [*route.Socket] does. Run closes the connection if it has a method Close. A nil config means all
// defaults.
//
// After ctx has ended, Run returns nil, or the error that prevented it from removing the uplinks.
// It returns earlier only if an uplink is invalid, with a [*plan.FieldError], if a number in config
// is negative, or if no socket could be opened at the start. When Run returns, it has closed its
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
	update := Update{uplinks, config.Default, config.Reply}
	if err := update.validate(); err != nil {
		return err
	}
	m.declare(update)
	return m.run(ctx)
}

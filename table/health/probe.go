package health

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/policyroute/policyroute/route"
)

// A Probe says how to find out whether the Internet can be reached through an uplink,
// and what to do if not. Several uplinks may have the same Probe.
//
// A Probe has targets in TCP, Echo, Func, or several of these. All targets are tried at
// the same time, and the Probe succeeds if one target answers. Use more than one
// target: a single target may be down although the uplink works.
type Probe struct {
	// TCP lists addresses and ports to connect to. A connection is closed at once.
	// A connection that is refused is a failure.
	TCP []netip.AddrPort

	// Echo lists addresses to send an ICMP or ICMPv6 echo request to, as ping(8)
	// does. That takes no privilege, but the process must have a group that
	// net.ipv4.ping_group_range includes. Otherwise the probe cannot be made; see
	// [Error].
	Echo []netip.Addr

	// Func is a probe function of the caller. Default: none. Source is the address to probe from.
	// Dial opens connections from source, with Mark, in the network namespace that probes are sent
	// from; it can be the DialContext of an [net/http.Transport].
	//
	// Several Probers may call Func at the same time, but a single Prober never makes two calls at
	// the same time. The thread that calls Func is in the network namespace that probes are sent
	// from. So sockets that Func opens itself are in this namespace, but sockets that other
	// goroutines open for Func need not be.
	//
	// Func has to return when ctx ends, which is after Timeout. A Func that does not return has
	// failed, and is not called again until it has returned. When Run ends, it waits at most
	// another Timeout for Func, and then returns even if Func has not.
	//
	// If Func returns an [*Error], or an error that wraps syscall.EADDRNOTAVAIL because the host
	// has lost source, the probe counts neither as success nor as failure. The same applies to
	// errors of sockets that mean that this host has no more ports, descriptors or memory, or that
	// a filter of the host refuses the packet: EADDRINUSE, EMFILE, ENFILE, ENOBUFS, ENOMEM and
	// EPERM.
	Func func(ctx context.Context, source netip.Addr, dial DialFunc) error

	// Mark is the firewall mark of the probe's packets (SO_MARK), for rules and filters that need
	// one. Default: no mark. Setting a mark needs CAP_NET_ADMIN or, since Linux 5.17, CAP_NET_RAW.
	Mark uint32

	// Interface is the name of the interface that the probe's sockets are bound to
	// (SO_BINDTODEVICE), for rules that select by oif. Default: the sockets are not bound to an
	// interface.
	Interface string

	// Interval is the time from one probe to the next. Default: 5 seconds. A probe
	// that takes longer delays the next one.
	Interval time.Duration

	// Timeout is how long a probe may take. Default: Interval, but at most 2
	// seconds.
	Timeout time.Duration

	// Failures is how many probes in a row have to fail before the uplink is unhealthy.
	// Default: 3.
	Failures int

	// Successes is how many probes in a row have to succeed before an unhealthy uplink is
	// healthy again. Default: 2.
	Successes int

	// Withdraw relieves an unhealthy uplink of the traffic that other uplinks can carry: its rules
	// of Also, and its share of a shared default route, are deleted until it is healthy again.
	// Connections from the uplink's addresses, and from networks behind this host that belong to
	// the uplink, stay with the uplink, because no other uplink can carry them. Connections that a
	// rule of Also selects by a firewall mark stay as well: a mark usually stands for the uplink
	// through which a connection began, and the connection would break if it moved to another
	// uplink. Package check reports the deleted rules as missing, unless they are in its
	// Uplink.Withdrawn. If the program that maintains the uplink ends without removing it, the
	// rules stay deleted until the uplink is installed again. A Prober ignores Withdraw. Default:
	// nothing is deleted.
	Withdraw bool

	// WithdrawMarked means that Withdraw also deletes the rules of Also with a firewall mark. Set
	// it if marks select new connections, or if a broken connection is better than a stalled one.
	// It needs Withdraw. Default: these rules stay.
	WithdrawMarked bool
}

// A DialFunc opens a connection, as DialContext of [net.Dialer] does. Network is
// one of TCP or UDP. The host in address may be a name: DialFunc looks it up in the
// network namespace of the connection, with the name servers of /etc/resolv.conf.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// An Error reports a probe that this host cannot make. The health of the uplink stays the same.
// An Error wraps its cause, such as fs.ErrPermission.
type Error struct {
	Probe string // such as "echo 192.0.2.1"
	Err   error  // why the probe cannot be made
}

// Error names the probe, and says why this host cannot make it.
func (e *Error) Error() string { return fmt.Sprintf("cannot probe: %s: %v", e.Probe, e.Err) }

// Unwrap returns why the probe cannot be made.
func (e *Error) Unwrap() error { return e.Err }

// cannotProbe reports whether an error says that a probe cannot be made.
func cannotProbe(err error) bool {
	var e *Error
	return errors.As(err, &e)
}

// String returns the targets of p, such as "tcp 192.0.2.1:443, echo 192.0.2.1".
func (p *Probe) String() string {
	var words []string
	for _, t := range p.TCP {
		words = append(words, tcpTarget(t))
	}
	for _, a := range p.Echo {
		words = append(words, echoTarget(a))
	}
	if p.Func != nil {
		words = append(words, funcTarget)
	}
	return strings.Join(words, ", ")
}

// Validate returns an error if p cannot be used on any host, for an uplink of the given
// families. The text of the error is a reason without a prefix, such as "192.0.2.1:0
// has no port to connect to".
func (p *Probe) Validate(families ...route.Family) error {
	switch {
	case len(p.TCP)+len(p.Echo) == 0 && p.Func == nil:
		return errors.New("has nothing to probe: set TCP, Echo or Func")
	case p.Interval < 0 || p.Timeout < 0 || p.Failures < 0 || p.Successes < 0:
		return errors.New("has a negative Interval, Timeout, Failures or Successes")
	case p.WithdrawMarked && !p.Withdraw:
		return errors.New("has WithdrawMarked, which needs Withdraw")
	}
	targets := slices.Clone(p.Echo)
	for _, t := range p.TCP {
		if t.Port() == 0 {
			return fmt.Errorf("%s has no port to connect to", t)
		}
		targets = append(targets, t.Addr())
	}
	for _, a := range targets {
		switch {
		case !a.IsValid():
			return errors.New("an address is not set")
		case a.Zone() != "" || a.IsUnspecified() || a.IsLoopback() || a.IsMulticast() || a.IsLinkLocalUnicast():
			return fmt.Errorf("%s cannot be reached through an uplink", a)
		case a.Is4In6():
			return fmt.Errorf("%s is an IPv4 address written as an IPv6 address: write %s", a, a.Unmap())
		case !slices.Contains(families, route.FamilyOf(a)):
			return fmt.Errorf("%s is not of the uplink's family", a)
		}
	}
	return nil
}

// withDefaults returns p with the defaults of the fields that are zero.
func (p Probe) withDefaults() Probe {
	if p.Interval == 0 {
		p.Interval = 5 * time.Second
	}
	if p.Timeout == 0 {
		p.Timeout = min(p.Interval, 2*time.Second)
	}
	if p.Failures == 0 {
		p.Failures = 3
	}
	if p.Successes == 0 {
		p.Successes = 2
	}
	return p
}

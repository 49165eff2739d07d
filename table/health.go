package table

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/policyroute/policyroute/route"
)

// A Health is how [Maintain] finds out whether an uplink leads anywhere, and what
// it does about one that does not. Several uplinks may have the same.
//
// A probe is sent every Interval while the uplink is complete; one that is pending
// is not probed, and keeps its health. It is sent from an address of the uplink,
// so that it takes the uplink's rule, its table and its gateway: the rules from its
// addresses stay in any case. With MainFirst, a target is no good that main has a
// particular route for. Before the first verdict, and so at the start, an uplink is
// taken for healthy.
//
// Sockets are opened in the network namespace of the connection that Maintain
// dials. If that is not the one of the process, it takes CAP_SYS_ADMIN.
//
// A probe is TCP, Echo, Probe, or several of them, all at once: it succeeds if one
// of them does. More than one target is a good idea. The uplink is not to blame for
// one that is down, and with Withdraw that would take a good uplink away.
type Health struct {
	// TCP are addresses and ports to connect to. The connection is closed at once.
	// One that is refused has failed.
	TCP []netip.AddrPort

	// Echo are addresses to send an ICMP or ICMPv6 echo request to, as ping(8)
	// does. It takes no privilege, but a group that net.ipv4.ping_group_range
	// lists; else the probe cannot be made, see [ProbeError].
	Echo []netip.Addr

	// Probe is a probe of the caller's own. Nil: there is none. Source is the
	// uplink's address that is to be probed from, and dial opens connections from
	// it, with Mark, in the network namespace of the uplink. It does as
	// DialContext of an [net/http.Transport].
	//
	// Uplinks that share it call it at the same time, and none twice at a time. It
	// is called on a thread that is in that namespace: sockets that it opens
	// itself belong there, those that goroutines of its own open need not. It has
	// to return when ctx ends, which is after Timeout. One that does not has
	// failed, and is not called again until it has returned. When Maintain is to
	// return, it waits for that once more for Timeout, and then leaves it behind.
	//
	// A [*ProbeError] that it returns is no verdict.
	Probe func(ctx context.Context, source netip.Addr, dial DialFunc) error

	// Mark is the mark of the probe's packets, for rules and filters that want
	// one (SO_MARK). Zero: none. To set one takes CAP_NET_ADMIN or, since Linux
	// 5.17, CAP_NET_RAW.
	Mark uint32

	// Interval is the time from one probe to the next. Zero: 5 seconds. A probe
	// that takes longer delays the next.
	Interval time.Duration

	// Timeout is how long a probe may take. Zero: Interval, but 2 seconds at most.
	Timeout time.Duration

	// Failures is how many probes in a row have to fail for the uplink to become
	// unhealthy. Zero: 3.
	Failures int

	// Successes is how many probes in a row have to succeed for an unhealthy
	// uplink to become healthy. Zero: 2.
	Successes int

	// Withdraw says that the uplink's rules of Also, and its share of the default
	// route of [MaintainConfig], are taken away while it is unhealthy. Connections
	// that have one of its addresses stay with it: no other uplink could carry
	// them. [Check] says of what is away that it is missing. If Maintain ends
	// without removing the uplink, it stays away until it is installed again.
	// False: there is an event, and nothing more.
	Withdraw bool
}

// A DialFunc opens a connection, as DialContext of [net.Dialer]. Networks are those
// of TCP and UDP, and addresses may have names: these are looked up in the network
// namespace that the connection is opened in, by the servers of
// /etc/resolv.conf.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// A ProbeError reports a probe that this host cannot make. It says nothing of the
// uplink, whose health stays what it was. errors.Is tells fs.ErrPermission.
type ProbeError struct {
	Probe string // such as "echo 192.0.2.1"
	Err   error  // why not
}

func (e *ProbeError) Error() string {
	return fmt.Sprintf("table: cannot probe: %s: %v", e.Probe, e.Err)
}

// Unwrap returns why the probe cannot be made.
func (e *ProbeError) Unwrap() error { return e.Err }

// errPingGroups explains the kernel's refusal of a socket for echo requests.
var errPingGroups = fmt.Errorf(
	"%w: net.ipv4.ping_group_range has no group of this process", fs.ErrPermission)

// withDefaults fills in what is left open.
func (h Health) withDefaults() Health {
	if h.Interval == 0 {
		h.Interval = 5 * time.Second
	}
	if h.Timeout == 0 {
		h.Timeout = min(h.Interval, 2*time.Second)
	}
	if h.Failures == 0 {
		h.Failures = 3
	}
	if h.Successes == 0 {
		h.Successes = 2
	}
	return h
}

// checkHealth refuses probes that cannot be made by the uplink on any host.
func (u *MaintainedUplink) checkHealth() error {
	h := u.Health
	if h == nil {
		return nil
	}
	switch {
	case len(h.TCP)+len(h.Echo) == 0 && h.Probe == nil:
		return u.field("Health", "has nothing to probe: TCP, Echo or Probe")
	case h.Interval < 0 || h.Timeout < 0 || h.Failures < 0 || h.Successes < 0:
		return u.field("Health", "has a number below zero")
	}
	targets := slices.Clone(h.Echo)
	for _, t := range h.TCP {
		if t.Port() == 0 {
			return u.field("Health", "%s has no port to connect to", t)
		}
		targets = append(targets, t.Addr())
	}
	for _, a := range targets {
		switch {
		case !a.IsValid():
			return u.field("Health", "an address is not set")
		case a.Zone() != "" || a.IsUnspecified() || a.IsLoopback() || a.IsMulticast() || a.IsLinkLocalUnicast():
			return u.field("Health", "%s is nothing that is reached by an uplink", a)
		case a.Is4In6():
			return u.field("Health", "%s is an IPv4 address in IPv6: %s?", a, a.Unmap())
		case !slices.Contains(u.forFamilies(), route.FamilyOf(a)):
			return u.field("Health", "%s is not of the uplink's family", a)
		}
	}
	return nil
}

// A verdict is what the probes of an uplink so far say.
type verdict struct {
	known     bool // there was one
	unhealthy bool
	run       int // probes in a row that say otherwise
}

// add takes a result, and reports whether there is something new.
func (v *verdict) add(ok bool, h *Health) bool {
	if ok != v.unhealthy { // it says nothing else
		v.run = 0
		first := ok && !v.known
		v.known = v.known || ok
		return first
	}
	need := h.Failures
	if ok {
		need = h.Successes
	}
	if v.run++; v.run < need {
		return false
	}
	*v = verdict{known: true, unhealthy: !ok}
	return true
}

// unable reports whether an error says that a probe cannot be made.
func unable(err error) bool {
	var e *ProbeError
	return errors.As(err, &e)
}

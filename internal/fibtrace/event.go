package fibtrace

import (
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"time"
)

// An Event is one lookup in one table.
type Event struct {
	// Time is the clock CLOCK_MONOTONIC at the lookup.
	Time time.Duration
	// CPU is the processor.
	CPU int
	// PID is the thread that was running. It did not cause the lookup if Interrupt is
	// true.
	PID int
	// Interrupt is true for a lookup in an interrupt, such as that of a packet that
	// came in.
	Interrupt bool
	// Family is 4 or 6.
	Family int

	Table     uint32     // the ID of the table
	OIF       int32      // the index of the interface that the packet has to leave by; 0: any
	IIF       int32      // the index of the interface that it came in by; that of the loopback for IPv4: this host sends it
	Proto     uint8      // the protocol above IP; 0: not known to the lookup
	TOS       uint8      // the DS field without its ECN bits
	Scope     uint8      // the widest scope of routes that are of use
	Flags     uint8      // FLOWI_FLAG_*
	FlowLabel uint32     // the flow label; IPv6 only
	Src, Dst  netip.Addr // the addresses; an unspecified Src is not chosen yet
	SPort     uint16     // the source port; 0: not known to the lookup
	DPort     uint16     // the destination port; 0: not known to the lookup

	// Err is what the table said: 0 for a route that was found, EAGAIN for a throw
	// route, and the error of a route that refuses packets. For no route it is EAGAIN in
	// IPv4, and EHOSTUNREACH in IPv6, as for an unreachable route.
	Err syscall.Errno
	// Type is the type of the route (RTN_*). IPv6 only, and 0 on kernels that do not
	// report it.
	Type uint8
	// Dev is the name of the interface of the next hop. It is empty, or "-", if there is
	// none.
	Dev string
	// Gateway is the next router. Zero: none.
	Gateway netip.Addr
}

// String returns the event in a line, in the order of the kernel's own text.
func (e Event) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "table %d oif %d iif %d proto %d %s -> %s", e.Table, e.OIF, e.IIF, e.Proto,
		netip.AddrPortFrom(e.Src, e.SPort), netip.AddrPortFrom(e.Dst, e.DPort))
	if e.Family == 6 {
		fmt.Fprintf(&b, " flowlabel %#x", e.FlowLabel)
	}
	fmt.Fprintf(&b, " tos %d scope %d flags %#x ==>", e.TOS, e.Scope, e.Flags)
	if e.Err != 0 {
		fmt.Fprintf(&b, " err %d", int(e.Err))
		return b.String()
	}
	fmt.Fprintf(&b, " dev %s", e.Dev)
	if e.Gateway.IsValid() {
		fmt.Fprintf(&b, " via %s", e.Gateway)
	}
	return b.String()
}

// A Config says which lookups are of interest. The zero Config selects all of both
// families.
type Config struct {
	// Family is 4 or 6. Zero: both.
	Family int
	// Src and Dst select lookups by address. Zero: any. The kernel applies Dst if it
	// is one IPv4 address, else all events are read and those of other addresses are
	// dropped.
	Src, Dst netip.Prefix
	// PID selects the lookups of a thread, in the numbers of the initial PID
	// namespace, such as those for requests that the thread makes by netlink. The
	// kernel applies it. Zero: any.
	PID int
	// BufferKB is the size of the kernel's buffer for each processor in KiB. If the
	// buffer is full, the oldest events are lost, see [Tracer.Lost]. Zero: 1024.
	BufferKB int
}

// selects reports whether the addresses of e are those of the config.
func (c *Config) selects(e *Event) bool {
	return (!c.Src.IsValid() || c.Src.Contains(e.Src)) && (!c.Dst.IsValid() || c.Dst.Contains(e.Dst)) &&
		(c.PID == 0 || e.PID == c.PID)
}

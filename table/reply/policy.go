package reply

import (
	"fmt"
	"slices"
	"time"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/plan"
)

// A Policy says which answers leave by the way the question came, besides those that the
// rules from the uplinks' addresses already send there. The zero Policy is none.
type Policy struct {
	// UDP are the ports of this host's UDP servers that listen on all addresses. Their
	// answers get the address that the client asked as their source. A port mask is not
	// possible. None: no UDP server is helped.
	UDP []rule.Ports

	// Remember is how long an asked address is remembered after the client's last packet,
	// in whole seconds. Zero: [DefaultRemember].
	Remember time.Duration

	// Clients is how many pairs of a client's address and port are remembered for each
	// address and port of this host. When there are more, answers to the new ones leave
	// as they would without the policy. Zero: [DefaultClients].
	Clients uint32

	// Forwarded applies to connections that do not end at an address of an uplink:
	// connections that come in by an uplink to a published port (DNAT), such as a
	// container's, and those that this host forwards for other networks. All packets of
	// such a connection leave by the uplink that its first packet took. It needs
	// connection tracking (nf_conntrack).
	Forwarded bool

	// Mask are the bits of packets' marks and of connections' marks that belong to the
	// policy. Their other bits stay as they are. Zero: [DefaultMask].
	Mask uint32

	// Mark is the first of the uplinks' marks. The others follow it, in Mask. Zero: the
	// lowest bit of Mask.
	Mark uint32
}

// An Uplink is an uplink whose answers the policy is about.
type Uplink struct {
	table.SourceRoutedUplink

	// Masquerade gives packets of other hosts and of containers that leave by the uplink
	// its own address as their source. It needs connection tracking (nf_conntrack).
	Masquerade bool
}

// Protocol is the protocol of the rules that this package adds, 0xd4. No uplink can have
// it.
const Protocol route.Protocol = form.ReplyProtocol

// TableName is the name of the table of nf_tables that this package adds, in the family
// inet.
const TableName = "policyroute"

// The defaults of a [Policy].
const (
	// DefaultMask has values for 31 uplinks. Its bits are not those of Tailscale (0xff0000),
	// mwan3 (0x3f00), Kubernetes (0xc000), Cilium (0xf00 and 0xffff0000), Calico
	// (0xffff0000) or the VPC CNI of AWS (0x80). Docker sets no marks on the host. The two lowest bits are free for the marks 1 to 3
	// of administrators.
	DefaultMask uint32 = 0x7c

	DefaultRemember        = time.Minute
	DefaultClients  uint32 = 1 << 16
)

// AllPorts are all ports, for field UDP of a [Policy].
func AllPorts() rule.Ports { return rule.PortRange(1, 1<<16-1) }

// longest is how long an address can be remembered.
const longest = 24 * time.Hour

// mostClients is how many clients can be remembered. Each takes some hundred bytes of the
// kernel's memory.
const mostClients = 1 << 24

// Validate reports what is wrong with p on any host. The error is a [*plan.FieldError].
func (p *Policy) Validate() error {
	for _, ports := range p.UDP {
		if !ports.IsSet() || ports.First() == 0 || ports.Last() < ports.First() || ports.Mask() != 1<<16-1 {
			return fieldError("UDP", "%q is neither a port nor a range of ports: use rule.Port or rule.PortRange", ports)
		}
	}
	switch {
	case p.Remember < 0 || p.Remember > longest || p.Remember%time.Second != 0:
		return fieldError("Remember", "%v is not a number of seconds up to %v", p.Remember, longest)
	case p.Clients > mostClients:
		return fieldError("Clients", "%d are more than %d", p.Clients, mostClients)
	case p.Mark&^p.mask() != 0:
		return fieldError("Mark", "%#x has bits that Mask, %#x, has not: take the mark from the mask, or widen the mask", p.Mark, p.mask())
	}
	return nil
}

func fieldError(field, format string, args ...any) error {
	return &plan.FieldError{Field: field, Reason: fmt.Sprintf(format, args...)}
}

func (p *Policy) mask() uint32 {
	if p.Mask == 0 {
		return DefaultMask
	}
	return p.Mask
}

func (p *Policy) remember() time.Duration {
	if p.Remember == 0 {
		return DefaultRemember
	}
	return p.Remember
}

func (p *Policy) clients() uint32 {
	if p.Clients == 0 {
		return DefaultClients
	}
	return p.Clients
}

// ranges returns the ports of UDP in ascending order, those that touch each other as one.
func (p *Policy) ranges() []rule.Ports {
	sorted := slices.SortedFunc(slices.Values(p.UDP), func(a, b rule.Ports) int { return int(a.First()) - int(b.First()) })
	var all []rule.Ports
	for _, r := range sorted {
		if n := len(all); n > 0 && int(r.First()) <= int(all[n-1].Last())+1 {
			all[n-1] = rule.PortRange(all[n-1].First(), max(all[n-1].Last(), r.Last()))
			continue
		}
		all = append(all, r)
	}
	return all
}

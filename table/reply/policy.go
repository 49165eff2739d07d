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

// A Policy declares which replies leave through the uplink of their request, in addition to
// the replies for which the rules from the uplinks' addresses do this already. The zero
// Policy declares none.
type Policy struct {
	// UDP has the ports of UDP servers of this host that listen on all addresses. The source
	// of a reply from such a port is the address that the client sent the request to. A port
	// mask is not possible. If UDP is empty, the policy does not apply to UDP servers.
	UDP []rule.Ports

	// Remember is how long a client is remembered after its last packet, in whole seconds.
	// Zero means [DefaultRemember].
	Remember time.Duration

	// Clients is how many clients are remembered for each address of an uplink. A client is
	// an address with a port, and counts once for each port of this host that it uses.
	// Replies to further clients leave as they do without the policy. Zero means
	// [DefaultClients].
	Clients uint32

	// Forwarded makes all packets of a forwarded connection leave through the uplink that
	// its first packet took. Forwarded connections are those to a published port (DNAT),
	// such as a container's, that come in through an uplink, and those that this host
	// forwards for other networks. Forwarded needs connection tracking (nf_conntrack).
	Forwarded bool

	// Mask has the bits that the policy uses in the marks of packets and of connections. The
	// policy does not change the other bits. Zero means [DefaultMask].
	Mask uint32

	// Mark is the first mark of an uplink. The marks of further uplinks are the next values
	// within the bits of Mask. Zero means the lowest bit of Mask.
	Mark uint32
}

// An Uplink is an uplink to which a policy applies.
type Uplink struct {
	table.SourceRoutedUplink

	// Masquerade replaces the source of packets from other hosts and from containers that
	// leave through the uplink: the new source is an address of the uplink. Masquerade needs
	// connection tracking (nf_conntrack).
	Masquerade bool
}

// Protocol is the protocol number of the rules that this package adds. No uplink can use
// this number.
const Protocol route.Protocol = form.ReplyProtocol

// TableName is the name of the table of nf_tables that this package adds, in the family
// inet.
const TableName = "policyroute"

// The defaults of a [Policy].
const (
	// DefaultMask has marks for 31 uplinks. Tailscale (0xff0000), mwan3 (0x3f00), Kubernetes
	// (0xc000), Cilium (0xf00 and 0xffff0000), Calico (0xffff0000) and the VPC CNI of AWS
	// (0x80) use other bits. Docker sets no marks on the host. The two lowest bits are left
	// for marks 1 to 3, which administrators often use.
	DefaultMask uint32 = 0x7c

	DefaultRemember        = time.Minute
	DefaultClients  uint32 = 1 << 16
)

// AllPorts returns the range of all ports, for the field UDP of a [Policy].
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

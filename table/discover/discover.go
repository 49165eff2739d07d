package discover

import (
	"context"
	"net/netip"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/maintain"
)

// A Host is what a host has of uplinks.
type Host struct {
	Uplinks []Uplink
	// Others are interfaces with global addresses by which no default route leads: LANs,
	// bridges and tunnels.
	Others []Interface
	// Rules are those that no uplink takes over, and that stay as they are. The kernel's
	// own are not among them.
	Rules []rule.Rule
}

// An Uplink is a way out of a host.
type Uplink struct {
	// Uplink says what the way out is like, for [maintain.Run].
	maintain.Uplink
	// Reasons are sentences that say what on the host it comes from.
	Reasons []string
	// Needless says that packets take the way already, and that rules of scripts leave no
	// priority for those of the uplink.
	Needless bool

	way *way
}

// An Interface is one by which no default route leads.
type Interface struct {
	Name      string
	Addresses []netip.Addr
}

// Read finds the uplinks of a host. Names of tables are those of files in the directory
// etc; an empty etc stands for /etc/iproute2. Read needs no privilege and changes nothing.
func Read(ctx context.Context, c route.Conn, etc string) (*Host, error) {
	now, err := host.Read(ctx, c, etc)
	if err != nil {
		return nil, err
	}
	tables := map[rttables.ID]bool{rttables.Main: true}
	for _, f := range form.Families {
		for _, r := range now.Rules(f).All {
			if r.Action == rule.ActionLookup && !form.IsSystemTable(r.Table) {
				tables[r.Table] = true
			}
		}
	}
	for id := range tables {
		if err := now.ReadRoutes(ctx, c, id); err != nil {
			return nil, err
		}
	}
	x := newSearch(now)
	found := x.host()
	for i := range found.Uplinks {
		found.Uplinks[i].Etc = etc
	}
	return found, nil
}

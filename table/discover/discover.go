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

// A Host has the uplinks of a host, and the interfaces and rules that belong to no
// uplink.
type Host struct {
	Uplinks []Uplink
	// Others are interfaces with global addresses and without a default route: LANs,
	// bridges and tunnels.
	Others []Interface
	// Rules are the rules that Adopt would not replace for any of the uplinks. The
	// kernel's own rules are left out.
	Rules []rule.Rule
}

// An Uplink is an uplink that was found on a host.
type Uplink struct {
	// Uplink is the declaration of the uplink, for [maintain.Run].
	maintain.Uplink
	// Reasons are sentences that say where on the host the uplink comes from.
	Reasons []string
	// Needless means that the uplink need not be installed: packets already leave through
	// it, and the rules of scripts leave no priority for the uplink's rules.
	Needless bool

	way *way
}

// An Interface is an interface without a default route.
type Interface struct {
	Name      string
	Addresses []netip.Addr
}

// Read finds the uplinks of a host. Names of tables are those of files in the directory
// etc, or in /etc/iproute2 if etc is empty. Read needs no privilege and changes nothing.
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

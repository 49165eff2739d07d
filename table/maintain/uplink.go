package maintain

import (
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/health"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/uplink"
)

// An Uplink is an uplink that [Run] maintains as it is declared.
type Uplink struct {
	table.SourceRoutedUplink

	// Learn is the family of default routes that the uplink learns: those by its interface
	// that a DHCP client, router advertisements or another program has put into
	// LearnTable. The uplink gets all properties of such a route (gateways, if any, of
	// either family, onlink, src, mtu and the other metrics, preference, from, encap),
	// except for its metric, its protocol and its expiry time. If there are several
	// routes, the uplink gets all of them, in the order of their metrics. When these
	// routes change, so do those of the uplink. When all of them are deleted, the uplink
	// keeps the last ones. Default routes with the uplink's own Protocol are ignored.
	// Gateway and Defaults have to be unset. Zero: the uplink does not learn.
	Learn route.Family

	// LearnTable is the table that Learn reads. Some network managers put an interface's
	// default route into a table of its own, as systemd-networkd does with RouteTable=.
	// LearnTable cannot be the uplink's own table. Zero: main.
	LearnTable rttables.ID

	// Health says how to find out whether the Internet can be reached through the uplink,
	// and what to do if not. Run probes the uplink while it is complete. It does not probe
	// a pending uplink, whose health stays the same. Probes are sent from an address of
	// the uplink, so they match its rule and use its table and its gateway. This works
	// even while the uplink is unhealthy, because the rules from its addresses are never
	// withdrawn. With MainFirst, do not use a target for which main has a more specific
	// route than the default. Until the first result, the uplink counts as healthy.
	// Several uplinks may have the same Health. Nil: Run does not probe the uplink, and it
	// counts as healthy.
	Health *health.Probe

	// Weight is the uplink's share in the [Default] route, relative to the weights of
	// the other uplinks: from 1 to 256. Zero: the uplink has no share.
	Weight int

	// Masquerade gives packets of other hosts and of containers that leave by the uplink its
	// own address as their source: see package reply. While the uplink is withdrawn and
	// another one is not, Run deletes the connections with such a source from connection
	// tracking, so that they begin again by the other uplink.
	Masquerade bool
}

// Validate reports what is wrong with u on any host, as
// [table.SourceRoutedUplink.Validate] does. It also checks Learn, Health and Weight.
func (u Uplink) Validate() error {
	if err := u.SourceRoutedUplink.Validate(); err != nil {
		return err
	}
	switch {
	case u.Learn == 0 && u.LearnTable != 0:
		return u.fieldError("LearnTable", "needs Learn, the family of the routes to learn")
	case u.Learn == 0:
	case u.Gateway.IsValid():
		return u.fieldError("Learn", "excludes Gateway")
	case len(u.Defaults) > 0:
		return u.fieldError("Learn", "excludes Defaults")
	case u.Family != 0 && u.Family != u.Learn:
		return u.fieldError("Learn", "%s differs from the uplink's Family, %s", u.Learn, u.Family)
	case u.Learn != route.IPv4 && u.Learn != route.IPv6:
		return u.fieldError("Learn", "%s has no default routes to learn: want inet or inet6", u.Learn)
	case u.LearnTable == rttables.Local || u.LearnTable == rttables.Compat:
		return u.fieldError("LearnTable", "%s is a system table, without default routes", u.LearnTable)
	case u.LearnTable != 0 && u.LearnTable == u.Table:
		return u.fieldError("LearnTable", "%d is the uplink's own table: learn from the table that a DHCP client or another program writes to",
			uint32(u.LearnTable))
	case slices.ContainsFunc(u.Sources, func(a netip.Addr) bool { return route.FamilyOf(a) != u.Learn }):
		return u.fieldError("Learn", "%s differs from the family of Sources", form.FamilyName(u.Learn))
	}
	if u.Health != nil {
		if err := u.Health.Validate(u.families()...); err != nil {
			return u.fieldError("Health", "%v", err)
		}
	}
	if err := u.validateUnbound(); err != nil {
		return err
	}
	return u.validateWeight()
}

// maxWeight is the greatest weight that struct rtnexthop has room for.
const maxWeight = 256

// validateWeight refuses a weight that the kernel cannot hold.
func (u *Uplink) validateWeight() error {
	if u.Weight < 0 || u.Weight > maxWeight {
		return u.fieldError("Weight", "%d is not between 0 and %d", u.Weight, maxWeight)
	}
	return nil
}

// hasShare reports whether the uplink can have a next hop in the default route of a
// family.
func (u *Uplink) hasShare(f route.Family) bool {
	return u.Weight > 0 && slices.Contains(u.families(), f)
}

// spec returns the uplink in the type of the planner.
func (u *Uplink) spec() *uplink.Spec {
	spec := uplink.Spec(u.SourceRoutedUplink)
	return &spec
}

// protocol returns the protocol of the uplink's rules and routes.
func (u *Uplink) protocol() route.Protocol { return u.spec().Proto() }

// families returns the families that the uplink can have.
func (u *Uplink) families() []route.Family {
	if u.Learn != 0 {
		return []route.Family{u.Learn}
	}
	return u.spec().Families()
}

// family returns the uplink's family, or zero if it can have both.
func (u *Uplink) family() route.Family {
	if families := u.families(); len(families) == 1 {
		return families[0]
	}
	return 0
}

func (u *Uplink) fieldError(field, format string, args ...any) error {
	return u.spec().FieldError(field, format, args...)
}

package maintain

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/health"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/internal/uplink"
)

// An Uplink is an uplink that [Run] keeps as it is declared.
type Uplink struct {
	table.SourceRoutedUplink

	// Learn is the family of a gateway that is learned from the default route in
	// table main by the uplink's interface, which a DHCP client or router
	// advertisements put there. The gateway follows that route. When the route goes,
	// the last gateway is kept. A default route with the uplink's Protocol is ignored.
	// Gateway has to be unset. Zero: the gateway is Gateway.
	Learn route.Family

	// Health says how to find out whether the uplink leads anywhere, and what to do
	// if it does not. Run probes the uplink while it is complete. A pending uplink is
	// not probed, and stays healthy or unhealthy. Probes are sent from an address of
	// the uplink, and so take its rule, its table and its gateway: the rules from its
	// addresses stay in any case. With MainFirst, do not use a target that main has a
	// more specific route for than the default. Until the first verdict the uplink
	// counts as healthy. Several uplinks may have the same Health. Nil: the uplink is
	// not probed, and counts as healthy.
	Health *health.Probe

	// Weight is the uplink's share in the [Default] route, relative to the weights of
	// the other uplinks: from 1 to 256. Zero: the uplink has no share.
	Weight int
}

// Validate reports what is wrong with u on any host, as
// [table.SourceRoutedUplink.Validate] does, and with Learn, Health and Weight.
func (u Uplink) Validate() error {
	if err := u.SourceRoutedUplink.Validate(); err != nil {
		return err
	}
	switch {
	case u.Learn == 0:
	case u.Gateway.IsValid():
		return u.fieldError("Learn", "is set, and so is Gateway")
	case u.Learn != route.IPv4 && u.Learn != route.IPv6:
		return u.fieldError("Learn", "%s has no gateways", u.Learn)
	case slices.ContainsFunc(u.Sources, func(a netip.Addr) bool { return route.FamilyOf(a) != u.Learn }):
		return u.fieldError("Learn", "%s is not the family of Sources", form.FamilyName(u.Learn))
	}
	if u.Health != nil {
		if err := u.Health.Validate(u.families()...); err != nil {
			return u.fieldError("Health", "%v", err)
		}
	}
	return u.validateWeight()
}

// maxWeight is the greatest weight that struct rtnexthop has room for.
const maxWeight = 256

// validateWeight refuses a weight that the kernel has no room for.
func (u *Uplink) validateWeight() error {
	if u.Weight < 0 || u.Weight > maxWeight {
		return u.fieldError("Weight", "%d is not between 0 and %d", u.Weight, maxWeight)
	}
	if u.Weight > 0 && !slices.ContainsFunc(u.families(), u.hasShare) {
		return u.fieldError("Weight", "IPv6 needs a Gateway for that")
	}
	return nil
}

// hasShare reports whether the uplink can have a next hop in the default route of a
// family.
func (u *Uplink) hasShare(f route.Family) bool {
	return u.Weight > 0 && slices.Contains(u.families(), f) &&
		(f == route.IPv4 || u.Gateway.IsValid() || u.Learn != 0)
}

// spec returns the uplink as the planner takes it.
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

// noGateway says that there is no gateway to be learned.
func (u *Uplink) noGateway() string {
	return fmt.Sprintf("table main has no %s default route by %s to learn the gateway from",
		form.FamilyName(u.Learn), u.Interface)
}

// withGateway returns the uplink with a gateway that was learned, if it learns one. An
// invalid address stands for a gateway that is not known. The uplink then has the
// unspecified address of its family.
func (u *Uplink) withGateway(gateway netip.Addr) table.SourceRoutedUplink {
	if u.Learn == 0 {
		return u.SourceRoutedUplink
	}
	s := u.SourceRoutedUplink
	switch {
	case gateway.IsValid():
		s.Gateway = gateway
	case u.Learn == route.IPv6:
		s.Gateway = netip.IPv6Unspecified()
	default:
		s.Gateway = netip.IPv4Unspecified()
	}
	return s
}

// Resolve returns the uplink as it can be installed now: with Learn, its gateway is
// the one that [Run] would learn. If there is none, the error is a [*plan.FieldError].
func (u Uplink) Resolve(ctx context.Context, c route.Conn) (table.SourceRoutedUplink, error) {
	if u.Learn == 0 {
		return u.SourceRoutedUplink, nil
	}
	if err := u.Validate(); err != nil {
		return u.SourceRoutedUplink, err
	}
	now, err := host.ReadRules(ctx, c, u.Etc)
	if err == nil {
		err = now.ReadLink(ctx, c, u.Interface)
	}
	if err != nil {
		return u.SourceRoutedUplink, err
	}
	gateway, err := newReading(c, now).learnGateway(ctx, &u, netip.Addr{})
	switch {
	case err != nil:
		return u.SourceRoutedUplink, err
	case !gateway.IsValid():
		return u.SourceRoutedUplink, u.fieldError("Learn", "%s", u.noGateway())
	}
	return u.withGateway(gateway), nil
}

package uplink

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
)

// ReadGateways reads the routes of main that [Spec.CheckGateways] needs, unless the
// addresses of the interface are enough.
func (u *Spec) ReadGateways(ctx context.Context, c route.Conn, now *host.State) error {
	index, ok := now.Link(u.Interface)
	if !ok {
		return nil
	}
	for _, h := range u.hops() {
		if needsSubnet(h) && !u.isInSubnet(now, index, h.Gateway) {
			if err := now.ReadLinkRoutes(ctx, c, index, route.FamilyOf(h.Gateway)); err != nil {
				return err
			}
		}
	}
	return nil
}

// CheckGateways refuses gateways that are not possible on this host as it is now.
func (u *Spec) CheckGateways(now *host.State) error {
	if reason := u.GatewayReason(now); reason != "" {
		return u.FieldError(u.gatewayField(), "%s", reason)
	}
	return nil
}

// CheckOwn refuses gateways that are addresses of this host, and SourceInterfaces that are
// the uplink's own interface by another name.
func (u *Spec) CheckOwn(now *host.State) error {
	for _, h := range u.hops() {
		if now.IsLocal(h.Gateway) {
			return u.FieldError(u.gatewayField(), "%s is an address of this host", h.Gateway)
		}
	}
	index, ok := now.Link(u.Interface)
	for _, dev := range u.SourceInterfaces {
		if other, found := now.Link(dev); ok && found && other == index {
			return u.FieldError("SourceInterfaces", "%s is the uplink's own interface, %s: networks behind this host are on other interfaces", dev, u.Interface)
		}
	}
	return nil
}

// gatewayField returns the field that has the gateways.
func (u *Spec) gatewayField() string {
	if len(u.Defaults) > 0 {
		return "Defaults"
	}
	return "Gateway"
}

// GatewayReason returns why the kernel would refuse one of the gateways, or why packets to
// it would be lost. It returns "" if nothing is wrong.
func (u *Spec) GatewayReason(now *host.State) string {
	index, ok := now.Link(u.Interface)
	if !ok {
		return ""
	}
	for _, h := range u.hops() {
		if reason := u.hopReason(now, index, h); reason != "" {
			return reason
		}
	}
	return ""
}

// hops returns the next hops of the uplink's default routes that have a gateway.
func (u *Spec) hops() []route.NextHop {
	var all []route.NextHop
	for _, d := range u.templates() {
		for _, h := range form.NextHops(&d) {
			if h.Gateway.IsValid() {
				all = append(all, h)
			}
		}
	}
	return all
}

// hopReason is GatewayReason for one gateway.
func (u *Spec) hopReason(now *host.State, index uint32, h route.NextHop) string {
	a := h.Gateway
	if subnet := narrowestSubnet(now, index, a); a.Is4() && subnet.IsValid() && subnet.Bits() <= 30 {
		switch a {
		case subnet.Addr():
			return fmt.Sprintf("%s is the address of the subnet %s itself, not of a router", a, subnet)
		case lastAddress(subnet):
			return fmt.Sprintf("%s is the broadcast address of the subnet %s, not the address of a router", a, subnet)
		}
	}
	if !needsSubnet(h) || u.isInSubnet(now, index, a) {
		return ""
	}
	if has, known := now.HasLinkRoute(index, a); has || !known {
		return ""
	}
	if u.gatewayField() == "Defaults" {
		return fmt.Sprintf("the gateway %s is in no subnet of %s, and its route does not have onlink", a, u.Interface)
	}
	return fmt.Sprintf("%s is in no subnet of %s: add onlink if it is on the link", a, u.Interface)
}

// needsSubnet reports whether the kernel accepts a gateway only in a subnet of the
// interface.
func needsSubnet(h route.NextHop) bool {
	return h.Flags&route.FlagOnLink == 0 && !(h.Gateway.Is6() && h.Gateway.IsLinkLocalUnicast())
}

// isInSubnet reports whether a gateway is in a subnet that the uplink's table has.
func (u *Spec) isInSubnet(now *host.State, index uint32, a netip.Addr) bool {
	if narrowestSubnet(now, index, a).IsValid() {
		return true
	}
	for _, p := range u.Subnets {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// narrowestSubnet returns the subnet of an interface's addresses that contains an address.
// It is not valid if there is none.
func narrowestSubnet(now *host.State, index uint32, a netip.Addr) netip.Prefix {
	var found netip.Prefix
	for _, have := range now.AddressesOf(index) {
		if have.Subnet.IsValid() && have.Subnet.Contains(a) && (!found.IsValid() || have.Subnet.Bits() > found.Bits()) {
			found = have.Subnet
		}
	}
	return found
}

// lastAddress returns the last address of an IPv4 prefix.
func lastAddress(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	return netip.AddrFrom4(b)
}

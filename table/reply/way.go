package reply

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table/internal/draft"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/internal/uplink"
)

// A way is a way out of this host: an interface, and a table of routes by it. The uplinks of
// both families can be one way.
type way struct {
	name   string
	owners []int // the indexes of its uplinks among those of the call
	dev    string
	table  rttables.ID
	mark   uint32
	halves []*half
}

// A half is what a way has in one family.
type half struct {
	family      route.Family
	sources     []netip.Addr
	subnets     []netip.Prefix // on the link
	masquerade  bool
	unreachable bool
	// isShared means that another way has the same interface in this family.
	isShared bool
}

// resolve works out the ways of some uplinks on a host.
func resolve(ctx context.Context, c route.Conn, now *host.State, uplinks []Uplink) ([]*way, []*uplink.Policy, error) {
	specs := make([]uplink.Spec, len(uplinks))
	for i, u := range uplinks {
		specs[i] = uplink.Spec(u.SourceRoutedUplink)
		if err := checkNames(&specs[i]); err != nil {
			return nil, nil, err
		}
	}
	policies, err := draft.Resolve(ctx, c, now, specs)
	if err != nil {
		return nil, nil, err
	}
	var ways []*way
	for i, p := range policies {
		if p.Table == 0 {
			return nil, nil, p.Spec.FieldError("Table", "is not set, and the uplink is not installed: install it first")
		}
		dev := now.LinkName(p.Spec.Interface)
		k := slices.IndexFunc(ways, func(w *way) bool { return w.dev == dev && w.table == p.Table })
		if k < 0 {
			k = len(ways)
			ways = append(ways, &way{name: p.Spec.String(), dev: dev, table: p.Table})
		}
		ways[k].owners = append(ways[k].owners, i)
		for _, f := range p.Families {
			ways[k].add(now, f, p, uplinks[i].Masquerade)
		}
	}
	for _, w := range ways {
		for _, h := range w.halves {
			h.isShared = slices.ContainsFunc(ways, func(o *way) bool { return o != w && o.dev == w.dev && o.half(h.family) != nil })
		}
	}
	return ways, policies, nil
}

// checkNames refuses the name of an interface that nft(8) has no words for.
func checkNames(u *uplink.Spec) error {
	if strings.ContainsAny(u.Interface, "\"\\*") {
		return u.FieldError("Interface", "nft(8) cannot name %q, which has a quotation mark, a backslash or an asterisk: rename the interface", u.Interface)
	}
	return nil
}

// half returns what the way has in a family, or nil.
func (w *way) half(f route.Family) *half {
	for _, h := range w.halves {
		if h.family == f {
			return h
		}
	}
	return nil
}

// add adds what an uplink has in a family.
func (w *way) add(now *host.State, f route.Family, p *uplink.Policy, masquerade bool) {
	h := w.half(f)
	if h == nil {
		h = &half{family: f}
		w.halves = append(w.halves, h)
		slices.SortFunc(w.halves, func(a, b *half) int { return int(a.family) - int(b.family) })
	}
	h.masquerade, h.unreachable = h.masquerade || masquerade, h.unreachable || p.Spec.Unreachable
	for _, a := range p.Sources {
		if route.FamilyOf(a) == f && !slices.Contains(h.sources, a) {
			h.sources = append(h.sources, a)
		}
	}
	for _, a := range now.AddressesOf(p.Index) {
		subnet := a.Subnet.Masked()
		if a.Subnet.IsValid() && route.FamilyOf(a.Addr) == f && !a.Addr.IsLinkLocalUnicast() && subnet.Bits() > 0 && !slices.Contains(h.subnets, subnet) {
			h.subnets = append(h.subnets, subnet)
		}
	}
}

// sourcesOf returns the addresses of all ways in a family, each once.
func sourcesOf(ways []*way, f route.Family) []netip.Addr {
	var all []netip.Addr
	for _, w := range ways {
		if h := w.half(f); h != nil {
			for _, a := range h.sources {
				if !slices.Contains(all, a) {
					all = append(all, a)
				}
			}
		}
	}
	return all
}

// familiesOf returns the families that ways have.
func familiesOf(ways []*way) []route.Family {
	return slices.DeleteFunc(slices.Clone(form.Families[:]), func(f route.Family) bool {
		return !slices.ContainsFunc(ways, func(w *way) bool { return w.half(f) != nil })
	})
}

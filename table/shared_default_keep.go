package table

import (
	"context"
	"errors"
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

// A sharing is the shared default of a family, with what is known of it.
type sharing struct {
	kept
	// has are the uplinks that have a share.
	has []*kept
}

// newSharing is one of a family. It is called as an uplink would be.
func newSharing(f route.Family) *sharing {
	u := SourceRoutedUplink{Name: defaultName, Gateway: netip.IPv4Unspecified()}
	if f == route.IPv6 {
		u.Gateway = netip.IPv6Unspecified()
	}
	return &sharing{kept: kept{MaintainedUplink: MaintainedUplink{SourceRoutedUplink: u}}}
}

// A formerDefault is a shared default that is no longer asked for, in a family.
type formerDefault struct {
	SharedDefault
	family route.Family
}

// check refuses what cannot be maintained, or not together.
func (u *MaintainUpdate) check() error {
	if err := checkMaintained(u.Uplinks); err != nil || u.Default == nil {
		return err
	}
	d := u.Default.withDefaults()
	return d.check(u.Uplinks)
}

// adoptDefault takes another shared default, or none.
func (m *maintainer) adoptDefault(d *SharedDefault) {
	old := m.shared
	m.shared = nil
	if d != nil {
		whole := d.withDefaults()
		m.shared = &whole
		m.formerly = slices.DeleteFunc(m.formerly, func(o formerDefault) bool { return o.SharedDefault == whole })
	}
	if old != nil && m.shared != nil && *m.shared == *old {
		return
	}
	for _, f := range bothFamilies {
		if old != nil {
			m.formerly = append(m.formerly, formerDefault{*old, f})
		}
		if s := m.sharings[f]; s != nil && m.shared != nil { // nothing was said of this one
			s.said, s.saidReason = 0, ""
		}
	}
}

// leaveDefault removes shared defaults that are no longer asked for, once the new one
// has replaced them. In a table that an uplink got, its transaction has done so.
func (m *maintainer) leaveDefault(ctx context.Context) {
	m.formerly = slices.DeleteFunc(m.formerly, func(d formerDefault) bool {
		return slices.ContainsFunc(m.all, func(k *kept) bool { return k.id() == d.Table })
	})
	for _, d := range slices.Clone(m.formerly) {
		if !m.replaced(d.family) || ctx.Err() != nil {
			continue
		}
		switch err := m.removeDefault(ctx, d); {
		case err != nil && ctx.Err() != nil:
			return
		case err != nil:
			m.config.Counters.Failures.Add(1)
			m.complain(Event{Kind: EventFailed, Uplink: defaultName, Family: d.family, Err: err})
			m.again(redialAfter)
		default:
			m.said = ""
		}
	}
}

// removeDefault removes one, and reports it.
func (m *maintainer) removeDefault(ctx context.Context, d formerDefault) error {
	e := Event{Kind: EventRemoved, Uplink: defaultName, Family: d.family}
	if m.shared != nil {
		e.Kind, e.Reason = EventRepaired, causeUpdate.String()
	}
	if err := m.locked(ctx, func(ctx context.Context) error {
		p, err := d.planRemove(ctx, m.c, d.family)
		// The new one may stand beside it, with another metric.
		p.Steps = slices.DeleteFunc(p.Steps, func(s Step) bool { return s.Route.Priority != d.Metric })
		e.Steps = p.Steps
		if err != nil || p.Empty() {
			return err
		}
		return p.apply(ctx, m.c)
	}); err != nil {
		return err
	}
	m.formerly = slices.DeleteFunc(m.formerly, func(o formerDefault) bool { return o == d })
	tell := len(e.Steps) > 0
	if tell {
		m.config.Counters.Repairs.Add(1)
		m.config.Counters.Steps.Add(uint64(len(e.Steps)))
	}
	if s := m.sharings[d.family]; s != nil && m.shared == nil {
		tell = tell || s.said != 0 // that it could not be, perhaps
		*s = *newSharing(d.family)
	}
	if tell {
		m.event(e)
	}
	return nil
}

// replaced reports whether the shared default of a family is there, or not wanted.
func (m *maintainer) replaced(f route.Family) bool {
	return m.shared == nil || m.sharings[f] != nil && m.sharings[f].said == EventInstalled ||
		!slices.ContainsFunc(m.all, func(k *kept) bool { return k.shares(f) })
}

// claimed are the tables that are not free for an uplink, beside some.
func (m *maintainer) claimed(some []rttables.ID) []rttables.ID {
	if m.shared != nil {
		some = append(slices.Clone(some), m.shared.Table)
	}
	return some
}

// locked does something under the lock, for which it does not wait for ever.
func (m *maintainer) locked(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, lockWithin)
	defer cancel()
	return locked(ctx, m.c, func() error { return do(ctx) })
}

// share keeps the shared default.
func (m *maintainer) share(ctx context.Context, causes cause, tables map[rttables.ID]bool) {
	d := m.shared
	if d == nil || ctx.Err() != nil {
		return
	}
	var err error
	if tables[d.Table] {
		err = &FieldError{Uplink: defaultName, Field: "Table", Reason: "it is also that of an uplink"}
	}
	tables[d.Table] = true
	links, linkErr := listLinkStates(ctx, m.c)
	if err == nil {
		err = linkErr
	}
	for _, f := range bothFamilies {
		if m.sharings[f] == nil {
			m.sharings[f] = newSharing(f)
		}
		m.shareFamily(ctx, m.sharings[f], f, links, causes, err)
	}
}

// shareFamily keeps the route of one family.
func (m *maintainer) shareFamily(
	ctx context.Context, s *sharing, f route.Family, links map[string]linkState, causes cause, err error,
) {
	all := slices.DeleteFunc(slices.Clone(m.all), func(k *kept) bool { return !k.shares(f) })
	if len(all) == 0 {
		if s.said != 0 || causes&(causeStart|causeUpdate) != 0 {
			m.unshare(ctx, s, f)
		}
		return
	}
	s.has = choose(all, s.has, f)
	s.waits = ""
	if len(s.has) == 0 {
		s.waits = "no uplink that has a share of it is complete"
	}
	var p prospect
	var before error
	if err == nil && s.waits == "" {
		p.plan, before, err = m.shared.plan(ctx, m.c, m.shared.route(f, s.hops(links)))
	}
	if err == nil && !p.plan.Empty() {
		if causes&causesOwn == 0 && s.said == EventInstalled && !m.mayRepair([]*kept{&s.kept}, p.plan) {
			return
		}
		err = m.locked(ctx, func(ctx context.Context) error {
			p.plan, before, err = m.shared.plan(ctx, m.c, m.shared.route(f, s.hops(links)))
			if err != nil {
				return err
			}
			return p.plan.apply(ctx, m.c)
		})
		if err == nil {
			m.config.Counters.Repairs.Add(1)
			m.config.Counters.Steps.Add(uint64(len(p.plan.Steps)))
		}
	}
	if err == nil {
		err = before
	}
	if err == nil || ctx.Err() == nil {
		s.report(m, p, causes, nil, err)
	}
}

// unshare removes the route of a family in which no uplink has a share any more.
func (m *maintainer) unshare(ctx context.Context, s *sharing, f route.Family) {
	e := Event{Kind: EventRemoved, Uplink: s.String(), Family: f}
	err := m.locked(ctx, func(ctx context.Context) error {
		p, err := m.shared.planRemove(ctx, m.c, f)
		if err != nil || p.Empty() {
			return err
		}
		e.Steps = p.Steps
		return p.apply(ctx, m.c)
	})
	switch {
	case err != nil && ctx.Err() != nil:
	case err != nil:
		s.failed(m, e, err)
	case len(e.Steps) > 0 || s.said != 0:
		m.event(e)
		fallthrough
	default:
		*s = *newSharing(f)
	}
}

// choose are those of the uplinks that get a share, after those that had one.
func choose(all, had []*kept, f route.Family) []*kept {
	var usable, healthy, stay []*kept
	for _, k := range all {
		if !k.complete() || !slices.ContainsFunc(k.live, func(a netip.Addr) bool { return route.FamilyOf(a) == f }) {
			continue
		}
		usable = append(usable, k)
		if !k.withdrawn() {
			healthy = append(healthy, k)
		}
		if slices.ContainsFunc(had, func(o *kept) bool { return o.String() == k.String() && o.family() == k.family() }) {
			stay = append(stay, k)
		}
	}
	switch {
	case len(healthy) > 0:
		return healthy
	case len(stay) > 0:
		return stay
	}
	return usable
}

// hops are the next hops of the uplinks that have a share.
func (s *sharing) hops(links map[string]linkState) []route.NextHop {
	var hops []route.NextHop
	for _, k := range s.has {
		hop := route.NextHop{Gateway: k.uplink().Gateway, OIF: links[k.Interface].index, Weight: uint16(k.Weight)}
		if k.OnLink {
			hop.Flags = route.FlagOnLink
		}
		i := slices.IndexFunc(hops, func(o route.NextHop) bool { return o.OIF == hop.OIF && o.Gateway == hop.Gateway })
		if i >= 0 { // IPv6 has no two of a kind
			hops[i].Weight = min(hops[i].Weight+hop.Weight, maxWeight)
			continue
		}
		hops = append(hops, hop)
	}
	return hops
}

// endDefault removes the shared default at the end.
func (m *maintainer) endDefault(ctx context.Context) error {
	m.adoptDefault(nil)
	var errs []error
	for _, d := range slices.Clone(m.formerly) {
		errs = append(errs, m.removeDefault(ctx, d))
	}
	return errors.Join(errs...)
}

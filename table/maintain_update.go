package table

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

// adopt takes what is to be kept, and keeps what is known of what it has already.
// The rest is to go.
func (m *maintainer) adopt(update MaintainUpdate) {
	m.stopProbers()
	m.adoptDefault(update.Default)
	old := m.all
	m.all, m.ready = nil, false
	for _, u := range update.Uplinks {
		m.all = append(m.all, &kept{MaintainedUplink: u})
	}
	took := make(map[*kept]bool)
	take := func(same func(k, o *kept) bool) {
		for _, k := range m.all {
			i := slices.IndexFunc(old, func(o *kept) bool { return k.canFollow(o) && same(k, o) })
			if i < 0 || took[k] {
				continue
			}
			took[k] = true
			k.follow(old[i])
			old = slices.Delete(slices.Clone(old), i, i+1)
		}
	}
	take(func(k, o *kept) bool { return k.String() == o.String() })
	take(func(k, o *kept) bool { return k.Name+o.Name == "" && k.Interface == o.Interface })
	for _, k := range m.all {
		if slices.ContainsFunc(m.all, func(o *kept) bool { return o.Table == k.former }) {
			k.former = 0
		}
		for _, o := range m.all {
			if o != k {
				k.taken = append(k.taken, o.Sources...)
			}
		}
	}
	m.gone = append(m.gone, old...)
	m.causes |= causeStart
	if len(old) > 0 || m.c != nil {
		m.causes = m.causes&^causeStart | causeUpdate
	}
}

// canFollow reports whether an uplink can be what has become of another: what
// there is of that is changed then, and not removed first.
func (k *kept) canFollow(o *kept) bool {
	return k.family() == o.family() && k.protocol() == o.protocol() && k.Etc == o.Etc &&
		(k.Interface == o.Interface || k.Table == o.Table)
}

// follow takes over what is known of an uplink.
func (k *kept) follow(o *kept) {
	k.said, k.saidReason = o.said, o.saidReason
	k.inheritHealth(o)
	if o.Interface != k.Interface {
		return
	}
	k.gateway, k.sources, k.recalled = o.gateway, o.sources, o.recalled
	k.table, k.former = o.table, o.former
	if k.Table != 0 && k.Table != o.table {
		k.table, k.former = 0, o.table
	}
}

// id is the table that an uplink has. Zero: it is not known.
func (k *kept) id() rttables.ID { return cmp.Or(k.table, k.Table) }

// leave removes uplinks that are no longer maintained: before the others are looked
// at, those that are in their way; afterwards the rest, of which others may have
// taken over sources or the table by then, in one step.
func (m *maintainer) leave(ctx context.Context, early bool) {
	for _, k := range slices.Clone(m.gone) {
		if early {
			m.unname(k)
		}
		if early && !m.inTheWay(k) || ctx.Err() != nil {
			continue
		}
		err := m.remove(ctx, []*kept{k})
		e := Event{Kind: EventFailed, Uplink: k.String(), Family: k.family(), Err: err}
		switch {
		case isNameError(err):
			m.event(e)
		case err != nil && ctx.Err() != nil:
			continue
		case err != nil:
			m.config.Counters.Failures.Add(1)
			m.complain(e)
			m.again(redialAfter)
			continue
		}
		m.gone = slices.DeleteFunc(m.gone, func(o *kept) bool { return o == k })
		m.said = ""
		m.again(0) // someone may have waited for that
		m.event(Event{Kind: EventRemoved, Uplink: k.String(), Family: k.family()})
	}
}

// inTheWay reports whether an uplink that goes keeps another from being installed.
func (m *maintainer) inTheWay(gone *kept) bool {
	return slices.ContainsFunc(m.all, func(k *kept) bool {
		return k.id() != 0 && k.id() == gone.id() && k.protocol() != gone.protocol() ||
			k.Interface != gone.Interface && slices.ContainsFunc(k.Sources, func(a netip.Addr) bool {
				return slices.Contains(gone.sources, a)
			})
	})
}

// remove removes what there is of uplinks: what carries their protocol in their
// tables, in families that no uplink that is kept has there.
func (m *maintainer) remove(ctx context.Context, gone []*kept) error {
	if len(gone) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lockWithin)
	defer cancel()
	return locked(ctx, m.c, func() error {
		s, err := readState(ctx, m.c, gone[0].Etc)
		if err != nil {
			return err
		}
		var all []*wanted
		var protocols []route.Protocol
		for _, k := range gone {
			w := m.rest(s, k)
			w.families = slices.DeleteFunc(w.families, func(f route.Family) bool {
				// One that is gone for long may have had the table before.
				return slices.ContainsFunc(all, func(o *wanted) bool { return o.owns(f, w.table, k.protocol()) })
			})
			if w.table != 0 && len(w.families) > 0 {
				if err := s.readRoutes(ctx, m.c, w.table); err != nil {
					return err
				}
				all, protocols = append(all, w), append(protocols, k.protocol())
			}
		}
		var p Plan
		if err := p.recover(ctx, m.c, s, protocols, false); err != nil {
			return err
		}
		if err := p.remove(s, all); err != nil {
			return err
		}
		return p.apply(ctx, m.c)
	})
}

// rest is what there is of an uplink that is to go.
func (m *maintainer) rest(s *state, k *kept) *wanted {
	u := k.uplink()
	w := &wanted{uplink: &u, table: k.id()}
	if w.table == 0 {
		w.table, _ = s.table(&u, k.sources)
	}
	for _, f := range k.forFamilies() {
		if !slices.ContainsFunc(m.all, func(o *kept) bool {
			return o.id() == w.table && o != k && o.protocol() == k.protocol() && slices.Contains(o.forFamilies(), f)
		}) {
			w.families = append(w.families, f)
		}
	}
	return w
}

// unname takes away the name of a table that is from now on that of an uplink with
// another name.
func (m *maintainer) unname(gone *kept) {
	if slices.ContainsFunc(m.all, func(k *kept) bool { return k.id() == gone.id() && k.Name != gone.Name }) &&
		rttables.Registered(gone.Etc, gone.id(), gone.Name) {
		if err := rttables.Unregister(gone.Etc, gone.id(), gone.Name); err != nil {
			m.complain(Event{Kind: EventFailed, Uplink: gone.String(), Family: gone.family(), Err: &NameError{
				Table: gone.id(), Name: gone.Name, Err: err,
			}})
		}
	}
}

// end removes the uplinks, if it is asked to.
func (m *maintainer) end() error {
	if !m.config.Remove {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), endWithin)
	defer cancel()
	if m.c == nil {
		if err := m.open(ctx); err != nil {
			return err
		}
	}
	shared := m.endDefault(ctx)
	all := append(m.all, m.gone...)
	m.all = nil
	if err := m.remove(ctx, all); err != nil {
		return errors.Join(shared, err)
	}
	for _, k := range all {
		m.event(Event{Kind: EventRemoved, Uplink: k.String(), Family: k.family()})
	}
	return shared
}

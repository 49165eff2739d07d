package table

import (
	"context"
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/internal/uapi"
)

// recall takes over the sources that uplinks have rules for: an earlier Maintain,
// that was killed, has left them. That is before anything is repaired, as rules
// behind gates tell as well.
func (m *maintainer) recall(ctx context.Context) {
	if !slices.ContainsFunc(m.all, func(k *kept) bool { return !k.recalled }) {
		return
	}
	s, err := readState(ctx, m.c, m.all[0].Etc)
	if err != nil {
		return // that will be found out, and said, again
	}
	links, err := listLinkStates(ctx, m.c)
	if err != nil {
		return
	}
	var young []*kept
	for _, k := range m.all {
		if !k.recalled {
			k.recalled = true
			k.recall(s)
			_ = k.learn(ctx, m.c, s) // that will be found out, and said, again
			young = append(young, k)
		}
	}
	recallOrphans(s, links, young)
}

func (k *kept) recall(s *state) {
	id, err := s.table(&k.SourceRoutedUplink, k.Sources)
	if err != nil || id == 0 {
		return // to plan is to find that out again, and to say it
	}
	for _, r := range s.rules {
		if r.Table == id && r.Protocol == k.protocol() && isRung(r) && slices.Contains(k.forFamilies(), r.Family) {
			k.table = id
			k.remember(r.From.Addr())
		}
	}
}

// remember adds a source, if they are not given.
func (k *kept) remember(a netip.Addr) {
	if len(k.Sources) == 0 && !slices.Contains(k.sources, a) {
		k.sources = append(k.sources, a)
	}
}

// recallOrphans finds sources of which the rules to a table were deleted, but not the
// others. Such a source belongs to the one uplink that can lack it.
func recallOrphans(s *state, links map[string]linkState, uplinks []*kept) {
	for _, r := range s.rules {
		a := r.From.Addr()
		if !isRung(r) || !reserved(r.Table) || s.local(a) {
			continue
		}
		var owners []*kept
		for _, k := range uplinks {
			_, usable := k.sourcesOf(s, r.Family, links)
			if r.Protocol == k.protocol() && slices.Contains(k.forFamilies(), r.Family) && len(k.Sources) == 0 &&
				(len(usable) == 0 || links[k.Interface].flags&uapi.IFF_UP == 0) {
				owners = append(owners, k)
			}
		}
		told := slices.ContainsFunc(uplinks, func(k *kept) bool { return slices.Contains(k.sources, a) })
		if len(owners) == 1 && !told {
			owners[0].remember(a)
		}
	}
}

// tidy cleans up, once, what a process that was killed has left, also where it has
// left no gate: claims of tables, routes that no rule leads to.
func (m *maintainer) tidy(ctx context.Context) {
	if m.tidied || len(m.all) == 0 {
		return
	}
	lock, cancel := context.WithTimeout(ctx, lockWithin)
	defer cancel()
	var p Plan
	err := locked(lock, m.c, func() error {
		s, err := readState(ctx, m.c, m.all[0].Etc)
		if err != nil {
			return err
		}
		if err := p.recover(ctx, m.c, s, m.protocols(), true); err != nil {
			return err
		}
		// A default route that is shared may be in a table of the caller's.
		p.Steps = slices.DeleteFunc(p.Steps, func(step Step) bool {
			return step.Op == DeleteRoute && slices.Contains(m.claimed(nil), step.Route.Table)
		})
		return p.apply(ctx, m.c)
	})
	switch {
	case err != nil && ctx.Err() != nil:
	case err != nil:
		m.config.Counters.Failures.Add(1)
		m.complain(Event{Kind: EventFailed, Err: err})
	default:
		if m.tidied = true; !p.Empty() {
			m.config.Counters.Repairs.Add(1)
			m.config.Counters.Steps.Add(uint64(len(p.Steps)))
			m.event(Event{Kind: EventRepaired, Reason: "left over from one that was killed", Steps: p.Steps})
		}
	}
}

package table

import (
	"context"
	"fmt"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

// Sync is [Install] of the uplinks, and [Remove] of all others that have their
// protocols, in one: all or nothing. Others are known by their routes and rules
// alone; what there is of the protocol in a table that is none of the uplinks'
// goes. Without uplinks it is all that carries [Protocol], with names in
// /etc/iproute2.
//
// What a new uplink takes over from one that goes, its addresses or its table,
// changes over in one step, as in any update.
func Sync(ctx context.Context, c route.Conn, uplinks ...SourceRoutedUplink) error {
	return locked(ctx, c, func() error {
		return untilClaimed(ctx, c, func(claimed []rttables.ID) (Plan, error) {
			return planSync(ctx, c, claimed, uplinks)
		})
	})
}

// PlanSync returns what [Sync] of the same uplinks would do now. It changes
// nothing.
func PlanSync(ctx context.Context, c route.Conn, uplinks ...SourceRoutedUplink) (Plan, error) {
	return planSync(ctx, c, nil, uplinks)
}

func planSync(ctx context.Context, c route.Conn, claimed []rttables.ID, uplinks []SourceRoutedUplink) (Plan, error) {
	etc := ""
	protocols := []route.Protocol{Protocol}
	if len(uplinks) > 0 {
		etc, protocols = uplinks[0].Etc, protocolsOf(uplinks)
	}
	s, err := readState(ctx, c, etc)
	if err != nil {
		return Plan{}, err
	}
	s.claimed, s.alone = claimed, true
	var p Plan
	if err := p.recover(ctx, c, s, protocols, false); err != nil {
		return Plan{}, err
	}
	all, err := p.installAll(ctx, c, s, uplinks)
	if err != nil {
		return Plan{}, err
	}
	var rest []*wanted
	for _, proto := range protocols {
		others, err := s.others(ctx, c, proto, etc, all)
		if err != nil {
			return Plan{}, err
		}
		rest = append(rest, others...)
	}
	err = p.remove(s, rest)
	return p, err
}

// others are the uplinks of an owner that are not among some.
func (s *state) others(
	ctx context.Context, c route.Conn, proto route.Protocol, etc string, all []*wanted,
) ([]*wanted, error) {
	var others []*wanted
	find := func(f route.Family, id rttables.ID, p route.Protocol) {
		kept := slices.ContainsFunc(all, func(w *wanted) bool { return w.table == id && w.owns(f, id, p) })
		if kept || p != proto || reserved(id) || f != route.IPv4 && f != route.IPv6 {
			return
		}
		i := slices.IndexFunc(others, func(w *wanted) bool { return w.table == id })
		if i < 0 {
			i = len(others)
			u := &SourceRoutedUplink{Protocol: proto, Etc: etc, Table: id}
			if name := s.names.get().FileNames().Name(id); rttables.Registered(etc, id, name) {
				u.Name = name
			}
			others = append(others, &wanted{uplink: u, table: id})
		}
		if !slices.Contains(others[i].families, f) {
			others[i].families = append(others[i].families, f)
		}
	}
	for _, r := range s.rules {
		find(r.Family, r.Table, r.Protocol)
	}
	for r, err := range route.All(ctx, c, route.Filter{Protocol: proto}) {
		if err != nil {
			return nil, fmt.Errorf("table: %w", err)
		}
		if have, ok := s.routes[r.Table]; ok && len(have) == 0 {
			continue // it is planned to be gone
		}
		find(r.Family, r.Table, r.Protocol)
	}
	for _, w := range others {
		if err := s.readRoutes(ctx, c, w.table); err != nil {
			return nil, err
		}
		s.describe(w)
	}
	return others, nil
}

// describe gives an uplink that is known by its routes an interface and a gateway
// to be called by.
func (s *state) describe(w *wanted) {
	for _, r := range s.routes[w.table] {
		if r.Protocol == w.uplink.protocol() && r.OIF != 0 {
			w.uplink.Interface = s.names.known.Links.Name(r.OIF)
			if r.Gateway.IsValid() {
				w.uplink.Gateway = r.Gateway
			}
		}
	}
}

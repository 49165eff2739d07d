package table

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"

	"github.com/jsimonetti/rtnetlink/v2"
	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/snapshot"
)

// A survey is all that [Check] judges, as it was read.
type survey struct {
	uplinks  []surveyed
	snapshot snapshot.Snapshot
	links    map[string]linkState
	addrs    []address
	// neighbours are the states, NUD_*, of those that were asked for.
	neighbours map[neighbour]uint16
	// ways are the interfaces that the kernel sends packets by, and the table
	// that says so. Without an entry there is no way.
	ways map[route.Query]route.Route
	host hostState
	// left are the steps that clean up after a transaction that was not ended.
	left []Step
	// unread says what could not be looked at, and why.
	unread []string
}

// A surveyed is an uplink with what Install and Remove would do.
type surveyed struct {
	uplink    *SourceRoutedUplink
	installed []Step // what Remove would delete
	todo      []Step // what Install would do
	refused   error  // why Install would not
}

type linkState struct {
	index uint32
	flags uint32 // IFF_*
}

type neighbour struct {
	index uint32
	addr  netip.Addr
}

// readSurvey reads what there is to read, of files in root.
func readSurvey(ctx context.Context, c route.Conn, root fs.FS, uplinks []SourceRoutedUplink) (*survey, error) {
	s := &survey{ways: make(map[route.Query]route.Route)}
	var err error
	if s.snapshot, err = snapshot.Take(ctx, c); err != nil {
		return nil, err
	}
	if s.links, err = listLinkStates(ctx, c); err != nil {
		return nil, err
	}
	if s.addrs, err = listAddresses(ctx, c); err != nil {
		return nil, fmt.Errorf("table: list addresses: %w", err)
	}
	if s.neighbours, err = listNeighbours(ctx, c); err != nil {
		return nil, err
	}
	if s.uplinks, err = planBoth(ctx, c, uplinks); err != nil {
		return nil, err
	}
	if s.left, err = unfinished(ctx, c, uplinks); err != nil {
		return nil, err
	}
	s.readHost(c, root)
	for i := range s.uplinks {
		for _, q := range s.questions(&s.uplinks[i]) {
			r, err := route.Lookup(ctx, c, q)
			if err == nil {
				s.ways[q] = r
			} else if ctx.Err() != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

// planBoth makes the plans of uplinks: together, because they choose priorities
// and tables in turn, or one by one where that is refused.
func planBoth(ctx context.Context, c route.Conn, uplinks []SourceRoutedUplink) ([]surveyed, error) {
	all := make([]surveyed, len(uplinks))
	for i := range uplinks {
		all[i].uplink = &uplinks[i]
	}
	together, err := PlanInstall(ctx, c, uplinks...)
	if err != nil && !refusal(err) {
		return nil, err
	}
	alone := false
	for i := range all {
		v := &all[i]
		remove, removeErr := PlanRemove(ctx, c, *v.uplink)
		if removeErr != nil && !refusal(removeErr) {
			return nil, removeErr
		}
		v.installed = v.own(remove)
		v.todo = v.own(together)
		if err == nil {
			continue
		}
		plan, e := PlanInstall(ctx, c, *v.uplink)
		if e != nil && !refusal(e) {
			return nil, e
		}
		v.todo, v.refused = v.own(plan), e
		alone = alone || e != nil
	}
	if err != nil && !alone {
		// Each could be installed, but not beside the others.
		for i := range all {
			if all[i].uplink.String() == refusedUplink(err) {
				all[i].refused = err
			}
		}
	}
	return all, nil
}

// refusal reports whether an error says that an uplink cannot be installed.
func refusal(err error) bool { return refusedUplink(err) != "" }

func refusedUplink(err error) string {
	var field *FieldError
	var conflict *ConflictError
	switch {
	case errors.As(err, &field):
		return field.Uplink
	case errors.As(err, &conflict):
		return conflict.Uplink
	}
	return ""
}

// own are the steps of a plan that are the uplink's, without those that make
// the change atomic.
func (v *surveyed) own(p Plan) []Step {
	var own []Step
	for _, step := range p.Net().Steps {
		f := step.Family()
		if step.Uplink == v.uplink.String() && (f == 0 || slices.Contains(uplinkFamilies(v.uplink), f)) {
			own = append(own, step)
		}
	}
	return own
}

// unfinished are the steps that clean up after a transaction which has left a
// gate. Others, which only tidy up, are not meant.
func unfinished(ctx context.Context, c route.Conn, uplinks []SourceRoutedUplink) ([]Step, error) {
	p, err := PlanRecover(ctx, c, protocolsOf(uplinks)...)
	gate := func(s Step) bool { return s.Op == DeleteRule && (isGate(s.Rule) || isEnd(s.Rule)) }
	if err != nil || !slices.ContainsFunc(p.Steps, gate) {
		return nil, err
	}
	return p.Steps, nil
}

// object is what a step is about: its command without ip and the verb, and
// route, rule or name before it.
func object(s Step) string {
	kind, _, _ := strings.Cut(s.Op.String(), " ")
	text := s.String()
	if _, words, ok := strings.Cut(text, " "+s.Op.String()+" "); ok {
		text = words
	}
	return kind + " " + text
}

// uplinkFamilies are those that an uplink can be about.
func uplinkFamilies(u *SourceRoutedUplink) []route.Family {
	var families []route.Family
	for _, f := range []route.Family{route.IPv4, route.IPv6} {
		of := func(a netip.Addr) bool { return route.FamilyOf(a) == f }
		if of(u.Gateway) || !u.Gateway.IsValid() && (len(u.Sources) == 0 || slices.ContainsFunc(u.Sources, of)) {
			families = append(families, f)
		}
	}
	return families
}

// listDump calls fn for each message of a dump.
func listDump(ctx context.Context, c route.Conn, what string, typ netlink.HeaderType, size int,
	fn func([]byte) error,
) error {
	err := ctx.Err()
	if err == nil {
		req := netlink.Message{
			Header: netlink.Header{Type: typ, Flags: netlink.Request | netlink.Dump}, Data: make([]byte, size),
		}
		for m, e := range rtnl.Dump(c, req) {
			if err = e; err == nil {
				err = fn(m.Data)
			}
			if err != nil {
				break
			}
		}
	}
	if err != nil {
		return fmt.Errorf("table: list %s: %w", what, err)
	}
	return nil
}

func listLinkStates(ctx context.Context, c route.Conn) (map[string]linkState, error) {
	links := make(map[string]linkState)
	err := listDump(ctx, c, "interfaces", uapi.RTM_GETLINK, uapi.SizeofIfInfomsg, func(b []byte) error {
		var m rtnetlink.LinkMessage
		if err := m.UnmarshalBinary(b); err != nil {
			return err
		}
		if m.Attributes != nil {
			links[m.Attributes.Name] = linkState{m.Index, m.Flags}
		}
		return nil
	})
	return links, err
}

func listNeighbours(ctx context.Context, c route.Conn) (map[neighbour]uint16, error) {
	all := make(map[neighbour]uint16)
	err := listDump(ctx, c, "neighbours", uapi.RTM_GETNEIGH, uapi.SizeofNdMsg, func(b []byte) error {
		var m rtnetlink.NeighMessage
		if err := m.UnmarshalBinary(b); err != nil {
			return err
		}
		if m.Attributes == nil {
			return nil
		}
		if a, ok := netip.AddrFromSlice(m.Attributes.Address); ok {
			all[neighbour{m.Index, a}] = m.State
		}
		return nil
	})
	return all, err
}

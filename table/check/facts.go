package check

import (
	"context"
	"encoding/binary"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/internal/uplink"
	"github.com/policyroute/policyroute/table/plan"
	"github.com/policyroute/policyroute/table/snapshot"
)

// Facts are what [Run] reads, and the plans made from it.
type facts struct {
	now *host.State // links, addresses, all rules, and the routes that are selected
	// left are the numbers of routes that are not in now.
	left map[listing]int
	// mayHaveSourceRoutes says that there are, or may be, IPv6 routes for packets from some
	// sources only.
	mayHaveSourceRoutes bool
	// places are the places of the rules with the uplinks' protocols, by family. They are
	// made when they are needed.
	places map[route.Family]map[rule.Rule][]int
	// addresses are indexes into now.Addrs. Several interfaces can have the same
	// address.
	addresses  map[netip.Addr][]int
	neighbours map[neighbour]uint16 // states, NUD_*
	system     systemFacts
	replies    replyFacts
	config     Config
	uplinks    []uplinkFacts
	specs      []uplink.Spec    // of the uplinks
	protocols  []route.Protocol // of the uplinks
	// unfinished cleans up after a transaction that was interrupted.
	unfinished plan.Plan
	unread     []string // what could not be read, and why
}

// UplinkFacts are the facts about one uplink.
type uplinkFacts struct {
	spec     *uplink.Spec
	index    uint32         // of the interface; zero: there is none
	families []route.Family // that the uplink can have, IPv4 first
	// sources are the addresses of this host whose packets take the uplink, in the
	// kernel's order.
	sources []host.Address
	pending string       // why it cannot be installed yet
	targets []netip.Addr // destinations that the uplink has to reach
	// isWithdrawn reports whether a rule is withdrawn for now.
	isWithdrawn func(rule.Rule) bool
	installed   installation
	todo        part     // what Install would do
	refused     error    // why Install would do nothing
	adoptable   []string // the objects that Adopt would replace
}

// A neighbour is an address on the link of an interface.
type neighbour struct {
	index uint32
	addr  netip.Addr
}

// readFacts reads the host once, and files below root.
func readFacts(ctx context.Context, c route.Conn, root fs.FS, config *Config, uplinks []Uplink) (*facts, error) {
	addrs, err := host.ListAddresses(ctx, c, 0)
	if err != nil {
		return nil, err
	}
	var selected *selection
	s, err := snapshot.TakeSome(ctx, c, func() func(*route.Route) bool {
		selected = newSelection(addrs, uplinks)
		return selected.keeps
	})
	if err != nil {
		return nil, err
	}
	toListForm(s.Routes)
	f := newFacts(host.Make(host.NewNames("", s.Links), s.Links, addrs, s.Rules, s.Routes), uplinks)
	f.left, f.mayHaveSourceRoutes = selected.left, selected.hasSourceRoutes
	if config != nil {
		f.config = *config
	}
	if f.neighbours, err = listNeighbours(ctx, c); err != nil {
		return nil, err
	}
	if err := f.plan(ctx, c); err != nil {
		return nil, err
	}
	f.readSystem(c, root)
	f.readReplies(ctx, c, uplinks)
	return f, nil
}

// newFacts returns the facts that follow from the state of the host.
func newFacts(now *host.State, uplinks []Uplink) *facts {
	f := &facts{
		now: now, addresses: make(map[netip.Addr][]int), uplinks: make([]uplinkFacts, len(uplinks)), mayHaveSourceRoutes: true,
	}
	f.specs = make([]uplink.Spec, len(uplinks))
	for i := range uplinks {
		f.specs[i] = uplink.Spec(uplinks[i].SourceRoutedUplink)
	}
	f.protocols = uplink.Protocols(f.specs)
	for i, a := range now.Addrs {
		f.addresses[a.Addr] = append(f.addresses[a.Addr], i)
	}
	for i := range f.specs {
		u := &f.uplinks[i]
		u.spec, u.pending, u.targets = &f.specs[i], uplinks[i].Pending, uplinks[i].Targets
		u.isWithdrawn = uplinks[i].IsWithdrawn
		u.index, _ = now.Link(u.spec.Interface)
		for _, family := range form.Families {
			if slices.Contains(u.spec.Families(), family) {
				u.families = append(u.families, family)
			}
		}
		u.sources = f.sourcesOf(u)
	}
	return f
}

// sourcesOf returns the addresses of this host whose packets take an uplink.
func (f *facts) sourcesOf(u *uplinkFacts) []host.Address {
	var sources []host.Address
	if u.spec.TakesAll() {
		for _, a := range f.now.AddressesOf(u.index) {
			if a.Global && u.inFamily(route.FamilyOf(a.Addr)) {
				sources = append(sources, a)
			}
		}
		return sources
	}
	var indexes []int
	for _, a := range u.spec.Sources {
		indexes = append(indexes, f.addresses[a]...)
	}
	slices.Sort(indexes)
	for _, i := range slices.Compact(indexes) {
		sources = append(sources, f.now.Addrs[i])
	}
	return sources
}

// inFamily reports whether the uplink can have something in a family.
func (u *uplinkFacts) inFamily(f route.Family) bool { return slices.Contains(u.families, f) }

// firstSource returns the first source of a family that packets can be sent from, if
// there is one.
func (u *uplinkFacts) firstSource(f route.Family) (netip.Addr, bool) {
	usable := slices.DeleteFunc(slices.Clone(u.sources), func(a host.Address) bool { return a.Tentative })
	p := uplink.Policy{Spec: u.spec, Index: u.index}
	if ranked := p.Ranked(f, usable); len(ranked) > 0 {
		return ranked[0], true
	}
	return netip.Addr{}, false
}

// listNeighbours lists the states of neighbours (RTM_GETNEIGH).
func listNeighbours(ctx context.Context, c route.Conn) (map[neighbour]uint16, error) {
	fail := func(err error) (map[neighbour]uint16, error) {
		return nil, fmt.Errorf("check: list neighbours: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return fail(err)
	}
	req := netlink.Message{
		Header: netlink.Header{Type: uapi.RTM_GETNEIGH, Flags: netlink.Request | netlink.Dump},
		Data:   make([]byte, uapi.SizeofNdMsg),
	}
	all := make(map[neighbour]uint16)
	for m, err := range rtnl.Dump(c, req) {
		if err != nil {
			return fail(err)
		}
		if n, state, ok := decodeNeighbour(m.Data); ok {
			all[n] = state
		}
	}
	return all, nil
}

// decodeNeighbour reads a message of type RTM_NEWNEIGH. It returns false for a message
// without an IP address. Hardware addresses can have any length.
func decodeNeighbour(b []byte) (n neighbour, state uint16, ok bool) {
	if len(b) < uapi.SizeofNdMsg {
		return neighbour{}, 0, false
	}
	dst, _ := attr.First(b[uapi.SizeofNdMsg:], uapi.NDA_DST)
	n.addr, ok = netip.AddrFromSlice(dst)
	n.index = binary.NativeEndian.Uint32(b[uapi.NdMsgIndex:])
	return n, binary.NativeEndian.Uint16(b[uapi.NdMsgState:]), ok
}

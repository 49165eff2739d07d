package table

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
)

// A state is what an uplink depends on, as it was found.
type state struct {
	names *names
	addrs []address
	rules []rule.Rule // of IPv4 and IPv6, in their order
	// routes of the tables that were asked for
	routes map[rttables.ID][]route.Route
	// claimed are tables that turned out to be someone else's.
	claimed []rttables.ID
	// alone: uplinks that are not asked for are to go.
	alone bool
	// maintained, unless nil, says what there should be of an uplink instead of
	// want: also of one that cannot be installed wholly at the moment.
	maintained func(*SourceRoutedUplink) (*wanted, error)
}

// An address is one of this host's.
type address struct {
	index  uint32 // of the interface
	addr   netip.Addr
	subnet netip.Prefix // that the address makes connected; a peer's, on a point-to-point link
	global bool         // as opposed to link and host scope
	// tentative: duplicate address detection has not ended, or has failed
	tentative bool
}

// usualRules is how many rules there are on most hosts, or fewer.
const usualRules = 16

// readState reads links, addresses and rules, and the names of tables in etc.
func readState(ctx context.Context, c route.Conn, etc string) (*state, error) {
	links, err := route.ListLinks(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("table: %w", err)
	}
	s := &state{
		names:  &names{etc: etc, known: route.Names{Links: links}},
		rules:  make([]rule.Rule, 0, usualRules),
		routes: make(map[rttables.ID][]route.Route),
	}
	if s.addrs, err = listAddresses(ctx, c); err != nil {
		return nil, fmt.Errorf("table: list addresses: %w", err)
	}
	for r, err := range rule.All(ctx, c, rule.Filter{}) {
		if err != nil {
			return nil, fmt.Errorf("table: %w", err)
		}
		if r.Family == route.IPv4 || r.Family == route.IPv6 {
			s.rules = append(s.rules, r)
		}
	}
	return s, nil
}

// names are those that errors and plans use. Interfaces have theirs from the
// start; files are read when they are needed, which for a table that is a number
// may be never.
type names struct {
	etc   string
	once  sync.Once
	known route.Names
}

func (n *names) get() *route.Names {
	if n == nil {
		return nil
	}
	n.once.Do(func() {
		if n.known.Files == nil {
			n.known.Files = loadNames(n.etc)
		}
	})
	return &n.known
}

// with is n with another name of a table.
func (n *names) with(files *rttables.Names) *names {
	return &names{etc: n.etc, known: route.Names{Links: n.known.Links, Files: files}}
}

// loadNames reads the names of tables and protocols. A damaged or unreadable
// file costs names, and no more.
func loadNames(etc string) *rttables.Names {
	root := os.DirFS("/")
	if etc == "" {
		names, _ := rttables.Load(root)
		return names
	}
	abs, err := filepath.Abs(etc)
	if err != nil {
		return nil
	}
	names, _ := rttables.Load(root, filepath.ToSlash(abs)[1:])
	return names
}

// readRoutes reads the routes of a table, both families, unless it has already.
func (s *state) readRoutes(ctx context.Context, c route.Conn, id rttables.ID) error {
	if _, ok := s.routes[id]; ok {
		return nil
	}
	routes, err := route.List(ctx, c, route.Filter{Table: id})
	if err != nil {
		return fmt.Errorf("table: %w", err)
	}
	s.routes[id] = routes
	return nil
}

// local reports whether a is one of this host's addresses.
func (s *state) local(a netip.Addr) bool {
	for _, x := range s.addrs {
		if x.addr == a {
			return true
		}
	}
	return false
}

func listAddresses(ctx context.Context, c route.Conn) ([]address, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	req := netlink.Message{
		Header: netlink.Header{Type: uapi.RTM_GETADDR, Flags: netlink.Request | netlink.Dump},
		Data:   make([]byte, uapi.SizeofIfAddrmsg),
	}
	var addrs []address
	for m, err := range rtnl.Dump(c, req) {
		if err != nil {
			return nil, err
		}
		a, err := addressOf(m.Data)
		if err != nil {
			return nil, err
		}
		if a.addr.IsValid() {
			addrs = append(addrs, a)
		}
	}
	return addrs, nil
}

// addressOf reads a message of type RTM_NEWADDR. IPv4 always has IFA_LOCAL, and
// IFA_ADDRESS is the same or the peer's; IPv6 has IFA_LOCAL only beside a peer's
// address.
func addressOf(b []byte) (address, error) {
	if len(b) < uapi.SizeofIfAddrmsg {
		return address{}, fmt.Errorf("%d bytes are no address message: its header has %d", len(b), uapi.SizeofIfAddrmsg)
	}
	var far, own netip.Addr
	flags := uint32(b[uapi.IfAddrmsgFlags])
	for num, p := range attr.All(b[uapi.SizeofIfAddrmsg:]) {
		switch {
		case num == uapi.IFA_ADDRESS:
			far, _ = netip.AddrFromSlice(p)
		case num == uapi.IFA_LOCAL:
			own, _ = netip.AddrFromSlice(p)
		case num == uapi.IFA_FLAGS && len(p) == 4:
			flags |= binary.NativeEndian.Uint32(p)
		}
	}
	own, far = cmp.Or(own, far), cmp.Or(far, own)
	a := address{
		index:     binary.NativeEndian.Uint32(b[uapi.IfAddrmsgIndex:]),
		addr:      own,
		global:    b[uapi.IfAddrmsgScope] == uapi.RT_SCOPE_UNIVERSE,
		tentative: own.Is6() && flags&(uapi.IFA_F_TENTATIVE|uapi.IFA_F_DADFAILED) != 0 && flags&uapi.IFA_F_OPTIMISTIC == 0,
	}
	if p, err := far.Prefix(int(b[uapi.IfAddrmsgPrefixlen])); err == nil && p != netip.PrefixFrom(own, own.BitLen()) {
		a.subnet = p
	}
	return a, nil
}

package route

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"sync"
	"syscall"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/rttables"
)

// A Filter selects the routes of a listing. A field that is zero selects any. The
// kernel does the selection: a table of ten routes is listed as fast as if there
// were no other table.
type Filter struct {
	Family   Family
	Table    rttables.ID
	Protocol Protocol
	Type     Type
	// OIF is the index of the interface of one of the next hops.
	OIF uint32
}

// match selects what the kernel does not select for a Conn without strict checking.
// Routes that the kernel has cloned for a cache are not part of a listing.
func (f *Filter) match(r *Route) bool {
	if r.Flags&FlagCloned != 0 ||
		f.Family != 0 && f.Family != r.Family ||
		f.Table != 0 && f.Table != r.Table ||
		f.Protocol != 0 && f.Protocol != r.Protocol ||
		f.Type != 0 && f.Type != r.Type {
		return false
	}
	if f.OIF == 0 || f.OIF == r.OIF {
		return true
	}
	if r.NextHopID != 0 && r.OIF == 0 && len(r.Multipath) == 0 {
		return true // the kernel, which does not say the interface, has selected it
	}
	for i := range r.Multipath {
		if r.Multipath[i].OIF == f.OIF {
			return true
		}
	}
	return false
}

// isMissing reports whether err says that the table or the interface of f does not
// exist. Without strict checking the kernel would list nothing.
func (f *Filter) isMissing(err error) bool {
	return f.Table != 0 && errors.Is(err, syscall.ENOENT) || f.OIF != 0 && errors.Is(err, syscall.ENODEV)
}

// request returns the dump request for f. Strict checking allows the protocol and
// the type in the header, the table and the interface as attributes, and nothing
// else.
func (f *Filter) request() netlink.Message {
	b := make([]byte, uapi.SizeofRtMsg, 32)
	b[uapi.RtMsgFamily] = uint8(f.Family)
	b[uapi.RtMsgProtocol] = uint8(f.Protocol)
	b[uapi.RtMsgType] = uint8(f.Type)
	if f.Table != 0 {
		b = attr.AppendU32(b, uapi.RTA_TABLE, uint32(f.Table))
	}
	if f.OIF != 0 {
		b = attr.AppendU32(b, uapi.RTA_OIF, f.OIF)
	}
	return netlink.Message{
		Header: netlink.Header{Type: uapi.RTM_GETROUTE, Flags: netlink.Request | netlink.Dump},
		Data:   b,
	}
}

// All yields the routes that f selects, as the kernel sends them (a dump with
// RTM_GETROUTE), without collecting them. The kernel determines the order. If there is
// an error, it is the last value. The loop can use c, and can end early.
//
// If routes change during the listing, the kernel shows some of the changes and not
// others. A table or an interface that does not exist has no routes.
func All(ctx context.Context, c Conn, f Filter) iter.Seq2[Route, error] {
	return all(ctx, c, f, listError)
}

// all is All for verbs whose errors have text of their own. It is one function,
// since each function that yields to another costs time for each route.
func all(ctx context.Context, c Conn, f Filter, fail func(error) error) iter.Seq2[Route, error] {
	return func(yield func(Route, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(Route{}, fail(err))
			return
		}
		var r Route
		for m, err := range rtnl.Dump(c, f.request()) {
			if err == nil {
				err = ctx.Err()
			}
			if err == nil && m.Header.Type == uapi.RTM_NEWROUTE {
				r = Route{}
				if err = r.read(m.Data); err == nil && f.match(&r) && !yield(r, nil) {
					return
				}
			}
			if err != nil {
				if !f.isMissing(err) {
					yield(Route{}, fail(err))
				}
				return
			}
		}
	}
}

func listError(err error) error {
	return &rtnl.Error{Package: "route", Verb: "list", Err: err}
}

// List returns the routes that f selects. See [All].
func List(ctx context.Context, c Conn, f Filter) ([]Route, error) {
	if err := ctx.Err(); err != nil {
		return nil, listError(err)
	}
	// The number of routes is known only at the end. Until then, keep the messages,
	// which have a fifth of the size of a Route.
	var s rtnl.Spool
	for m, err := range rtnl.Dump(c, f.request()) {
		if err == nil {
			err = ctx.Err()
		}
		switch {
		case err == nil && m.Header.Type == uapi.RTM_NEWROUTE:
			s.Add(m.Data)
		case err != nil && f.isMissing(err):
			return nil, nil
		case err != nil:
			return nil, listError(err)
		}
	}
	if s.Len() == 0 {
		return nil, nil
	}
	routes := make([]Route, s.Len())
	n := 0
	for payload := range s.All() {
		r := &routes[n]
		if err := r.read(payload); err != nil {
			return nil, listError(err)
		}
		if f.match(r) {
			n++
		} else {
			*r = Route{}
		}
	}
	routes = routes[:n]
	if len(routes) <= cap(routes)/2 {
		routes = slices.Clone(routes) // the Conn does not select
	}
	return routes, nil
}

// A Query describes a packet whose route is looked up. For a field that is zero or
// unset, the kernel chooses a value or ignores the property.
type Query struct {
	Dst       netip.Addr  // the destination; required
	Src       netip.Addr  // the source: from
	TOS       uint8       // its DS field: tos
	IIF       uint32      // the index of the interface that it came in by, if it is forwarded: iif
	OIF       uint32      // the index of the interface that its socket is bound to: oif
	Mark      uint32      // its firewall mark: mark
	UID       Opt[uint32] // the user who sends it: uid
	IPProto   IPProto     // its protocol: ipproto
	SPort     uint16      // its source port; needs IPProto: sport
	DPort     uint16      // its destination port; needs IPProto: dport
	FlowLabel Opt[uint32] // its IPv6 flow label: flowlabel
	// FibMatch asks for the route as it is in its table, instead of the route
	// that the packet takes: fibmatch.
	FibMatch bool
}

// Lookup returns the route that a packet takes according to the rules and tables, as
// "ip route get" does: RTM_GETROUTE. Table is the table in which the kernel found
// the route.
//
// A syscall.Errno in the error is also the error that the packet's sender would get:
// ENETUNREACH for no route or an unreachable one (EHOSTUNREACH from an
// unreachable route), EACCES for prohibit, EINVAL for blackhole.
func Lookup(ctx context.Context, c Conn, q Query) (Route, error) {
	r, payload, err := lookup(ctx, c, q)
	if err != nil {
		return Route{}, q.wrapError(payload, err)
	}
	return r, nil
}

// wrapError says which lookup failed, and which attribute of the request is at
// fault.
func (q Query) wrapError(payload []byte, err error) error {
	return &rtnl.Error{Package: "route", Verb: "lookup", Object: q.String(), Attr: attrAt(err, payload), Err: err}
}

var errNoDst = errors.New("no Dst to look up")

func lookup(ctx context.Context, c Conn, q Query) (r Route, payload []byte, err error) {
	if err := q.check(); err != nil {
		return Route{}, nil, err
	}
	if err := ctx.Err(); err != nil {
		return Route{}, nil, err
	}
	a := lookupRequests.Get().(*lookupRequest)
	defer lookupRequests.Put(a)
	if a.payload, err = q.append(a.payload[:0]); err != nil {
		return Route{}, nil, err
	}
	a.route = Route{}
	a.request[0] = lookupMessage(a.payload)
	err = rtnl.Ask(c, a.request[:], a.take)
	if err == nil {
		err = a.err
	}
	if err != nil {
		return Route{}, slices.Clone(a.payload), err
	}
	return a.route, nil, nil
}

// A lookupRequest is the memory of one lookup. It is pooled, since what a Conn gets
// is on the heap.
type lookupRequest struct {
	payload []byte
	request [1]netlink.Message
	take    func(int, netlink.Message, error) // the method setAnswer
	route   Route
	err     error
}

var lookupRequests = sync.Pool{New: func() any {
	a := new(lookupRequest)
	a.take = a.setAnswer
	return a
}}

func (a *lookupRequest) setAnswer(_ int, m netlink.Message, err error) {
	if a.err = err; err == nil {
		a.err = a.route.decode(m.Data)
	}
}

// append appends the payload of the request.
func (q *Query) append(b []byte) ([]byte, error) {
	start := len(b)
	r := q.route()
	b, err := r.append(b)
	if err != nil {
		return b, err
	}
	var flags uint32
	if r.Family == IPv4 {
		flags = uapi.RTM_F_LOOKUP_TABLE // IPv6 always reports the table, and refuses the flag
	}
	if q.FibMatch {
		flags |= uapi.RTM_F_FIB_MATCH
	}
	binary.NativeEndian.PutUint32(b[start+uapi.RtMsgFlags:], flags)
	return b, nil
}

func lookupMessage(payload []byte) netlink.Message {
	return netlink.Message{
		Header: netlink.Header{Type: uapi.RTM_GETROUTE, Flags: netlink.Request},
		Data:   payload,
	}
}

// check refuses what cannot be looked up.
func (q *Query) check() error {
	for _, a := range [...]netip.Addr{q.Dst, q.Src} {
		if a.Zone() != "" {
			return fmt.Errorf("%s has a zone: leave out the zone, and set OIF", a)
		}
	}
	if !q.Dst.IsValid() {
		return errNoDst
	}
	return nil
}

// route returns the route whose attributes the request has.
func (q *Query) route() Route {
	r := Route{Family: FamilyOf(q.Dst), Dst: hostPrefix(q.Dst), TOS: q.TOS, OIF: q.OIF}
	p := Packet{
		IIF: q.IIF, Mark: q.Mark, UID: q.UID, IPProto: q.IPProto, SPort: q.SPort, DPort: q.DPort, FlowLabel: q.FlowLabel,
	}
	if p != (Packet{}) {
		packet := p // so that only these queries allocate one
		r.Packet = &packet
	}
	if q.Src.IsValid() {
		r.Src = hostPrefix(q.Src)
	}
	return r
}

func hostPrefix(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// String returns the words of "ip route get".
func (q Query) String() string {
	r := q.route()
	r.Family = r.family()
	// String leaves out these values, which are the defaults of "ip route get".
	r.Type, r.Protocol, r.Scope = TypeUnicast, ProtoBoot, r.defaultScope()
	s := r.String()
	if q.FibMatch {
		s = "fibmatch " + s
	}
	return s
}

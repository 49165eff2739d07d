package route

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
)

// A recentAttr is an attribute that an older kernel ignores without an error, so
// that it makes another route.
//
// Of the attributes that are newer than strict checking (Linux 4.20, the oldest
// supported kernel), the others need no check. A kernel refuses a kind of
// encapsulation, a mode or action of one, and a metric that it does not know. It
// refuses a unicast route with a nexthop object, since it finds no interface.
type recentAttr struct {
	name  string
	since uapi.Version
	isSet func(*Route) bool
}

var recentAttrs = []recentAttr{
	// Without it, the route is to neighbors on the link.
	{"RTA_VIA", uapi.Version{Major: 5, Minor: 2}, func(r *Route) bool {
		return r.Family == IPv4 && (r.Gateway.Is6() ||
			slices.ContainsFunc(r.Multipath, func(nh NextHop) bool { return nh.Gateway.Is6() }))
	}},
	{"RTA_NH_ID", uapi.RTA_NH_ID.Since(), func(r *Route) bool { return r.NextHopID != 0 && r.Type != TypeUnicast }},
	{"LWTUNNEL_IP_OPTS", uapi.LWTUNNEL_IP_OPTS.Since(), func(r *Route) bool {
		return hasEncap(r, func(e EncapIP) bool { return e.Opts != "" })
	}},
	{"LWTUNNEL_IP6_OPTS", uapi.LWTUNNEL_IP6_OPTS.Since(), func(r *Route) bool {
		return hasEncap(r, func(e EncapIP6) bool { return e.Opts != "" })
	}},
	{"SEG6_LOCAL_COUNTERS", uapi.SEG6_LOCAL_COUNTERS.Since(), func(r *Route) bool {
		return hasEncap(r, func(e EncapSeg6Local) bool { return e.Counters.IsSet() })
	}},
	{"SEG6_LOCAL_FLAVORS", uapi.SEG6_LOCAL_FLAVORS.Since(), func(r *Route) bool {
		return hasEncap(r, func(e EncapSeg6Local) bool { return e.Flavors != Seg6Flavors{} })
	}},
}

// hasEncap reports whether r or a next hop of it has an encapsulation of type E
// for which has returns true.
func hasEncap[E Encap](r *Route, has func(E) bool) bool {
	if e, ok := r.Encap.(E); ok && has(e) {
		return true
	}
	return slices.ContainsFunc(r.Multipath, func(nh NextHop) bool {
		e, ok := nh.Encap.(E)
		return ok && has(e)
	})
}

// recentAttrs returns the recent attributes that are set in r. They include the
// unknown ones.
func (r *Route) recentAttrs() (set []recentAttr) {
	if r.Unknown == "" && r.Encap == nil && len(r.Multipath) == 0 && r.NextHopID == 0 && !r.Gateway.Is6() {
		return nil // like most routes
	}
	own := *r // so that only these routes escape, through a function value
	for _, x := range recentAttrs {
		if x.isSet(&own) {
			set = append(set, x)
		}
	}
	for num := range attr.All(codec.WithoutZeros(string(r.Unknown))) {
		set = append(set, unknownAttr(num))
	}
	return set
}

// unknownAttr returns the recentAttr for an attribute that this package has no
// field for. It takes every kernel for one that may ignore it.
func unknownAttr(num uint16) recentAttr {
	return recentAttr{uapi.RTA(num).String(), uapi.Version{Major: 255}, func(r *Route) bool {
		for n := range r.Unknown.All() {
			if n == num {
				return true
			}
		}
		return false
	}}
}

// put writes r, whose defaults are filled in, and makes sure that the kernel does
// not ignore an attribute. A request with NLM_F_EXCL is echoed and compared. Other
// requests may change an existing route, which could not be restored: if the
// kernel may be too old, put first adds a route that carries no traffic.
func (r Route) put(ctx context.Context, c Conn, v verb) error {
	var running uapi.Version
	if len(r.recentAttrs()) > 0 {
		running, _ = uapi.Running() // makes a system call
	}
	return r.putOn(ctx, c, running, v)
}

func (r Route) putOn(ctx context.Context, c Conn, running uapi.Version, v verb) error {
	err := r.check()
	if err != nil {
		return writeError(v, &r, nil, err)
	}
	recent := r.recentAttrs()
	if len(recent) > 0 && verbs[v].flags&netlink.Excl != 0 {
		payload, err := addVerified(ctx, c, r, recent)
		return writeError(v, &r, payload, err)
	}
	for _, x := range recent {
		if running.Less(x.since) {
			if err := probe(ctx, c, r, recent); err != nil {
				return writeError(v, &r, nil, err)
			}
			break
		}
	}
	return write(ctx, c, v, &r)
}

// addVerified adds r, compares what the kernel says it has added, and deletes the
// route if a recent attribute is missing.
func addVerified(ctx context.Context, c Conn, r Route, recent []recentAttr) (payload []byte, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	// An acknowledgement besides the echo would stay in the socket of a
	// *netlink.Conn. A refusal needs none.
	m, err := r.request(uapi.RTM_NEWROUTE, netlink.Create|netlink.Excl|netlink.Echo)
	if err != nil {
		return nil, err
	}
	msgs, err := rtnl.Replies(c, m)
	if err != nil {
		return m.Data, err
	}
	for _, msg := range msgs {
		var got Route
		if msg.Header.Type != uapi.RTM_NEWROUTE {
			continue
		}
		if err := got.UnmarshalBinary(msg.Data); err != nil {
			return nil, err
		}
		var missing []string
		for _, x := range recent {
			if !x.isSet(&got) {
				missing = append(missing, x.name)
			}
		}
		if len(missing) > 0 {
			err := fmt.Errorf("the kernel does not know %s: %w", strings.Join(missing, ", "), errors.ErrUnsupported)
			if e := Delete(context.WithoutCancel(ctx), c, got); e != nil {
				return nil, errors.Join(err, e)
			}
			return nil, rtnl.NotSent(err)
		}
	}
	return nil, nil
}

// unroutable are destinations that no route is looked up for: packets to them go
// to the host itself.
var unroutable = map[Family]netip.Prefix{
	IPv4: netip.PrefixFrom(netip.IPv4Unspecified(), 32),
	IPv6: netip.PrefixFrom(netip.IPv6Unspecified(), 128),
}

// probe adds a route like r that carries no traffic, and deletes it.
func probe(ctx context.Context, c Conn, r Route, recent []recentAttr) error {
	r.Dst, r.Src = unroutable[r.Family], netip.Prefix{}
	_, addErr := addVerified(ctx, c, r, recent)
	if addErr != nil && rtnl.IsVerdict(addErr) {
		return addErr
	}
	ctx = context.WithoutCancel(ctx)
	err := Delete(ctx, c, r)
	if err != nil && !rtnl.IsVerdict(err) {
		err = Delete(ctx, c, r) // the reply was lost
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	return cmp.Or(addErr, err)
}

// check refuses the fields of a looked-up packet, which the kernel would ignore.
func (r *Route) check() error {
	if r.Family != IPv4 && r.Family != IPv6 {
		return nil
	}
	p := deref(r.Packet)
	for _, x := range [...]struct {
		set  bool
		name string
	}{
		{p.IIF != 0, "IIF"}, {p.Mark != 0, "Mark"}, {p.UID.IsSet(), "UID"}, {p.IPProto != 0, "IPProto"},
		{p.SPort != 0, "SPort"}, {p.DPort != 0, "DPort"}, {p.FlowLabel.IsSet(), "FlowLabel"},
	} {
		if x.set {
			return fmt.Errorf("field Packet.%s belongs to a packet that is looked up, not to a route", x.name)
		}
	}
	return nil
}

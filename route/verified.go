package route

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
)

// An ignorable is what a kernel may not know and would ignore in silence: the
// route would be there, and be another one.
//
// Of what is newer than strict checking, without which no kernel is supported,
// the rest needs no look. A kind of encapsulation, an action or a mode of one,
// and a metric are refused by a kernel that does not know them; a unicast route
// by a nexthop object has no interface for it; what is older than RTA_NH_ID in
// linux/rtnetlink.h every kernel knows.
type ignorable struct {
	name  string
	since uapi.Version
	of    func(*Route) bool
}

var ignored = []ignorable{
	// Without it, the route is one to neighbours on the link.
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

// hasEncap reports whether r or a next hop of it has an encapsulation of a type
// with something in it.
func hasEncap[E Encap](r *Route, has func(E) bool) bool {
	if e, ok := r.Encap.(E); ok && has(e) {
		return true
	}
	return slices.ContainsFunc(r.Multipath, func(nh NextHop) bool {
		e, ok := nh.Encap.(E)
		return ok && has(e)
	})
}

// newer are the ignorables of r. What may be the kernel's to say, as a count, is
// not compared but by its number.
func (r *Route) newer() (f []ignorable) {
	if r.Unknown == "" && r.Encap == nil && len(r.Multipath) == 0 && r.NextHopID == 0 && !r.Gateway.Is6() {
		return nil // as of most routes
	}
	own := *r // a call through a function value has it allocated: not for those
	for _, x := range ignored {
		if x.of(&own) {
			f = append(f, x)
		}
	}
	for num := range r.Unknown.All() {
		f = append(f, unknown(num))
	}
	return f
}

// unknown is an attribute that this package has no field for, and no idea of
// which kernels know it.
func unknown(num uint16) ignorable {
	return ignorable{uapi.RTA(num).String(), uapi.Version{Major: 255}, func(r *Route) bool {
		for n := range r.Unknown.All() {
			if n == num {
				return true
			}
		}
		return false
	}}
}

// put sends r, which has its defaults, and sees to it that the kernel does not
// make another route of it. What NLM_F_EXCL adds is echoed back and looked at.
// What may change a route that is there could not be undone: before it, a kernel
// that is not known to be new enough is tried with a route that carries nothing.
func (r Route) put(ctx context.Context, c Conn, v verb) error {
	var running uapi.Version
	if len(r.newer()) > 0 {
		running, _ = uapi.Running() // a system call
	}
	return r.putOn(ctx, c, running, v)
}

func (r Route) putOn(ctx context.Context, c Conn, running uapi.Version, v verb) error {
	err := r.check()
	if err != nil {
		return writeError(v, &r, nil, err)
	}
	newer := r.newer()
	if len(newer) > 0 && verbs[v].flags&netlink.Excl != 0 {
		payload, err := addVerified(ctx, c, r, newer)
		return writeError(v, &r, payload, err)
	}
	for _, f := range newer {
		if running.Less(f.since) {
			if err := try(ctx, c, r, newer); err != nil {
				return writeError(v, &r, nil, err)
			}
			break
		}
	}
	return write(ctx, c, v, &r)
}

// addVerified adds r, looks at what the kernel says it has added, and deletes
// that if it lacks something.
func addVerified(ctx context.Context, c Conn, r Route, newer []ignorable) (payload []byte, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	// With an acknowledgement as well, *netlink.Conn would leave that in the
	// socket. A refusal comes without one, too.
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
		for _, f := range newer {
			if !f.of(&got) {
				missing = append(missing, f.name)
			}
		}
		if len(missing) > 0 {
			err := fmt.Errorf("the kernel does not know %s: %w", strings.Join(missing, ", "), errors.ErrUnsupported)
			return nil, errors.Join(err, Delete(context.WithoutCancel(ctx), c, got))
		}
	}
	return nil, nil
}

// nowhere are destinations that no packet has: what is sent there goes to the
// host itself, before any table is looked at.
var nowhere = map[Family]netip.Prefix{
	IPv4: netip.PrefixFrom(netip.IPv4Unspecified(), 32),
	IPv6: netip.PrefixFrom(netip.IPv6Unspecified(), 128),
}

// try adds a route like r that carries no packet, and deletes it.
func try(ctx context.Context, c Conn, r Route, newer []ignorable) error {
	r.Dst, r.Src = nowhere[r.Family], netip.Prefix{}
	if _, err := addVerified(ctx, c, r, newer); err != nil {
		return err
	}
	return Delete(context.WithoutCancel(ctx), c, r)
}

// check says why r must not be sent: the kernel would take the rest of it.
func (r *Route) check() error {
	if r.Family != IPv4 && r.Family != IPv6 {
		return nil
	}
	p := value(r.Packet)
	for _, x := range [...]struct {
		set  bool
		name string
	}{
		{p.IIF != 0, "IIF"}, {p.Mark != 0, "Mark"}, {p.UID.IsSet(), "UID"}, {p.IPProto != 0, "IPProto"},
		{p.SPort != 0, "SPort"}, {p.DPort != 0, "DPort"}, {p.FlowLabel.IsSet(), "FlowLabel"},
	} {
		if x.set {
			return fmt.Errorf("field Packet.%s is of a packet that is looked up, and no part of a route", x.name)
		}
	}
	return nil
}

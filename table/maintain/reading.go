package maintain

import (
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/internal/host"
)

// A reading is the state of the host, for all uplinks, and the default routes that uplinks
// learn. Routes that were read once are kept until an event shows that they may have changed.
type reading struct {
	conn route.Conn
	now  *host.State
	// defaults are the default routes of a table by an interface, once they were needed.
	defaults map[interfaceTable][]route.Route
	// takers are the rules of other programs that may take packets, once they were needed.
	takers map[route.Family]*takers
}

func newReading(c route.Conn, now *host.State) *reading {
	return &reading{
		conn: c, now: now, defaults: make(map[interfaceTable][]route.Route), takers: make(map[route.Family]*takers),
	}
}

// keep takes over the routes that an earlier reading has read, except for those that are
// stale.
func (r *reading) keep(old *reading, s stale) {
	if old == nil || s.all {
		return
	}
	if !s.rules {
		r.takers = old.takers
	}
	r.now.KeepRoutes(old.now, s.tables)
	if s.anyLink {
		r.now.ForgetLinks()
		return
	}
	r.defaults = old.defaults
	for index := range s.links {
		r.forgetLink(index)
	}
}

// forgetLink forgets the routes of main by an interface, and the default routes by it.
func (r *reading) forgetLink(index uint32) {
	r.now.ForgetLink(index)
	for at := range r.defaults {
		if at.index == index {
			delete(r.defaults, at)
		}
	}
}

// with returns the reading with another state of the host, which follows from the first
// one. The default routes to be learned are the same.
func (r *reading) with(now *host.State) *reading {
	return &reading{conn: r.conn, now: now, defaults: r.defaults, takers: r.takers}
}

// isUp reports whether the interface with an index is up.
func (r *reading) isUp(index uint32) bool { return r.now.Links.Flags(index)&uapi.IFF_UP != 0 }

// exists reports whether there is an interface with an index.
func (r *reading) exists(index uint32) bool { return len(r.now.Links.Names(index)) > 0 }

// isElsewhere reports whether an interface other than that of the uplink has an address. An
// interface that was renamed is still the same one, until another one gets its name. Addresses
// are read before links: an interface that is not among the links has been deleted since, and
// may have been the uplink's.
func (r *reading) isElsewhere(k *maintainedUplink, a netip.Addr) bool {
	have, ok := r.now.Address(a)
	if !ok {
		return false
	}
	index, ok := r.now.Link(k.Interface)
	if !ok {
		if index = k.memory.index; index == 0 {
			// The rules are of an earlier process, and no route tells which interface it
			// had. It may be this one, renamed, unless another uplink has this one.
			return r.isOther(k, have.Index)
		}
	}
	if have.Index == index {
		return false
	}
	return r.exists(have.Index)
}

// isOther reports whether an interface is that of another uplink, or the loopback
// interface.
func (r *reading) isOther(k *maintainedUplink, index uint32) bool {
	return r.now.Links.Flags(index)&uapi.IFF_LOOPBACK != 0 || slices.ContainsFunc(k.others, func(o *maintainedUplink) bool {
		has, ok := r.now.Link(o.Interface)
		return ok && has == index
	})
}

package maintain

import (
	"context"
	"net/netip"

	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/internal/host"
)

// A reading is the host as it was read once, for all uplinks: its state, and the
// default routes that uplinks learn.
type reading struct {
	conn route.Conn
	now  *host.State
	// defaults are the default routes of a table by an interface, once they were asked
	// for.
	defaults map[interfaceTable][]route.Route
}

func newReading(c route.Conn, now *host.State) *reading {
	return &reading{conn: c, now: now, defaults: make(map[interfaceTable][]route.Route)}
}

// readHost reads rules, addresses and links, each once.
func readHost(ctx context.Context, c route.Conn, etc string) (*reading, error) {
	now, err := host.Read(ctx, c, etc)
	if err != nil {
		return nil, err
	}
	return newReading(c, now), nil
}

// with returns the reading with another state of the host, which follows from the first
// one. The default routes to be learned are the same.
func (r *reading) with(now *host.State) *reading {
	return &reading{conn: r.conn, now: now, defaults: r.defaults}
}

// isUp reports whether the interface with an index is up.
func (r *reading) isUp(index uint32) bool { return r.now.Links.Flags(index)&uapi.IFF_UP != 0 }

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
		index = k.memory.index
	}
	if have.Index == index {
		return false
	}
	link, ok := r.now.Link(r.now.Links.Name(have.Index))
	return ok && link == have.Index
}

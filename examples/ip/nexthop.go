package main

import (
	"context"
	"errors"
	"syscall"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/nexthop"
	"github.com/policyroute/policyroute/route/show"
)

// addNextHops adds the nexthop objects to s, if a route uses one. The option -d prints
// routes with them.
func (p *program) addNextHops(s *show.Style, routes []route.Route) error {
	used := make(map[uint32]bool)
	for i := range routes {
		if id := routes[i].NextHopID; id != 0 {
			used[id] = true
		}
	}
	if len(used) == 0 {
		return nil
	}
	objects, err := p.listNextHops()
	s.NextHops = objects
	return kernelFailure(err)
}

// listNextHops lists the nexthop objects, with -s those of groups with their statistics.
func (p *program) listNextHops() ([]nexthop.Object, error) {
	if p.stats > 0 {
		objects, err := p.dumpNextHops()
		if err == nil || !errors.Is(err, syscall.EINVAL) { // of a kernel without statistics
			return objects, err
		}
	}
	return nexthop.List(context.Background(), p.conn, nexthop.Filter{})
}

func (p *program) dumpNextHops() (objects []nexthop.Object, err error) {
	flags := uint32(uapi.NHA_OP_FLAG_DUMP_STATS)
	if p.stats > 1 {
		flags |= uapi.NHA_OP_FLAG_DUMP_HW_STATS
	}
	for m, err := range rtnl.Dump(p.conn, netlink.Message{
		Header: netlink.Header{Type: uapi.RTM_GETNEXTHOP, Flags: netlink.Request | netlink.Dump},
		Data:   attr.AppendU32(make([]byte, uapi.SizeofNhmsg), uapi.NHA_OP_FLAGS, flags),
	}) {
		var n nexthop.Object
		if err == nil {
			err = n.UnmarshalBinary(m.Data)
		}
		if err != nil {
			return nil, err
		}
		objects = append(objects, n)
	}
	return objects, nil
}

package main

import (
	"context"

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
	objects, err := nexthop.List(context.Background(), p.conn, nexthop.Filter{})
	s.NextHops = objects
	return kernelFailure(err)
}

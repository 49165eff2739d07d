package main

import (
	"context"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/nexthop"
	"github.com/policyroute/policyroute/route/show"
)

// addNextHops gives s the nexthop objects that -d shows routes with.
func (p *program) addNextHops(s *show.Style, routes []route.Route) error {
	wanted := make(map[uint32]bool)
	for i := range routes {
		if id := routes[i].NextHopID; id != 0 {
			wanted[id] = true
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	objects, err := nexthop.List(context.Background(), p.conn, nexthop.Filter{})
	s.NextHops = objects
	return refused(err)
}

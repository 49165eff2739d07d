package main

import (
	"context"

	"github.com/policyroute/policyroute/route"
)

// addNextHops gives s the nexthop objects that -d shows routes with.
func (p *program) addNextHops(s *route.Style, routes []route.Route) error {
	wanted := make(map[uint32]bool)
	for i := range routes {
		if id := routes[i].NextHopID; id != 0 {
			wanted[id] = true
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	objects, err := route.ListNextHops(context.Background(), p.conn, route.NextHopFilter{})
	s.NextHops = objects
	return refused(err)
}

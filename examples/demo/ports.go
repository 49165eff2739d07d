package main

import (
	"context"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
)

// A service is a service of the client, and the uplink that calls to it should take.
type service struct {
	port   uint16
	router int
	table  rttables.ID
}

func (s *story) stepPorts(ctx context.Context) error {
	s.p.step(5, "Mail leaves by router B, and web traffic by router A")
	s.p.say("Now the server calls the client, from sockets that are not bound to an address. No rule with \"from\" " +
		"matches these calls, so all of them use main's default route:")
	s.p.callHeader("from source", "by table")
	for _, port := range []uint16{mailPort, webPort, tlsPort} {
		if err := s.reach(ctx, service{port, routerA, rttables.Main}); err != nil {
			return err
		}
	}
	s.p.say("The field Also of the same two values adds rules by destination port:")
	s.p.code("lan1.Also = []rule.Rule{{IPProto: route.TCP, DPort: rule.Port(80)},")
	s.p.code("    {IPProto: route.TCP, DPort: rule.Port(443)}}")
	s.p.code("lan2.Also = []rule.Rule{{IPProto: route.TCP, DPort: rule.Port(25)}}")
	s.p.code("err = table.Install(ctx, conn, lan1, lan2)")
	if err := s.installPorts(ctx); err != nil {
		return err
	}
	s.p.say("These rules come after those with \"from\", so packets that already have a source never reach " +
		"them. Other packets get their source from the word src of the route that the kernel finds. Before " +
		"each rule comes one that looks up main without its default route, so a mail server in the LAN is " +
		"still reached directly.")
	s.p.callHeader("from source", "by table")
	for _, to := range []service{{mailPort, routerB, lan2}, {webPort, routerA, lan1}, {tlsPort, routerA, lan1}} {
		if err := s.reach(ctx, to); err != nil {
			return err
		}
	}
	return nil
}

// installPorts installs the two uplinks with rules by port. Their tables and their first
// rules exist already, and stay.
func (s *story) installPorts(ctx context.Context) error {
	web := []rule.Rule{
		{IPProto: route.TCP, DPort: rule.Port(webPort)},
		{IPProto: route.TCP, DPort: rule.Port(tlsPort)},
	}
	mail := []rule.Rule{{IPProto: route.TCP, DPort: rule.Port(mailPort)}}
	if err := s.ops.install(ctx, s.changer, s.uplinks(web, mail)...); err != nil {
		return err
	}
	if err := s.listRules(ctx, s.p, s.plan); err != nil {
		return err
	}
	after, err := s.state(ctx)
	if err != nil {
		return err
	}
	c := after.changesSince(s.before)
	s.p.observe(len(c.addedRules) == 8 && len(c.addedRoutes) == 4 && c.isOnlyOurs(),
		"%d rules and %d routes more than before step 2, all with proto 210; nothing else has changed",
		len(c.addedRules), len(c.addedRoutes))
	s.listRemoved(c.removed)
	return nil
}

// reach makes the server call a service of the client, and asks the kernel for the table
// that has the route.
func (s *story) reach(ctx context.Context, to service) error {
	r, err := route.Lookup(ctx, s.conn, route.Query{
		Dst: s.plan.client.Addr(), IPProto: route.TCP, DPort: to.port,
	})
	if err != nil {
		return err
	}
	c := s.callClient(ctx, s.plan, to.port, s.patience())
	if err := ctx.Err(); err != nil {
		return err
	}
	source := s.plan.sides[to.router].server.Addr()
	ok := c.err == nil && c.server.Addr() == source && r.Table == to.table &&
		seenOnlyAt(c.to, to.router) && seenOnlyAt(c.from, to.router)
	near := "none"
	if c.server.Addr().IsValid() {
		near = c.server.Addr().String()
	}
	s.p.callLine(ok, c, c.client.String(), near, s.tableNames().Name(r.Table))
	return nil
}

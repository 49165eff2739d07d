package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
)

// The tables of the two uplinks.
const (
	lan1 rttables.ID = 10
	lan2 rttables.ID = 20
)

// A story is one run of all steps in one family.
type story struct {
	*network
	plan plan
	p    *printer
	ops  operations

	before *state // the state before the first step that changes it
}

// tell runs the steps. The observations are printed and counted. An error ends the story.
func (s *story) tell(ctx context.Context) error {
	s.p.line("")
	s.p.title(s.plan.title)
	s.draw()
	var err error
	if err = s.settle(ctx, s.ops.patience); err != nil {
		return err
	}
	if s.before, err = s.state(ctx); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{
		s.stepBefore, s.stepInstall, s.stepAfter, s.stepUDP, s.stepPorts, s.stepRemove,
	} {
		if err := step(ctx); err != nil {
			return err
		}
		if err := errors.Join(ctx.Err(), s.lab.Err()); err != nil {
			return err
		}
	}
	return nil
}

// draw draws the network.
func (s *story) draw() {
	a, b := s.plan.sides[routerA], s.plan.sides[routerB]
	way := func(eth string, s side) string {
		near, far := fmt.Sprintf("%s %s ", eth, s.server.Addr()), fmt.Sprintf(" %s", s.lan.Addr())
		return near + strings.Repeat("-", 44-len(near)-len(far)) + far
	}
	s.p.line("            .-- %s router A --.", way("eth0", a))
	s.p.line("   server --|   %44s            |-- client %s", "", s.plan.client.Addr())
	s.p.line("            '-- %s router B --'", way("eth1", b))
}

// uplinks returns the uplinks of the story: Install, a second Install and Remove get the
// same values. Each uplink gets one of the lists in also.
func (s *story) uplinks(also ...[]rule.Rule) []table.SourceRoutedUplink {
	u := []table.SourceRoutedUplink{
		{Name: "lan1", Table: lan1, Interface: "eth0", Gateway: s.plan.sides[routerA].lan.Addr(), Etc: s.etc},
		{Name: "lan2", Table: lan2, Interface: "eth1", Gateway: s.plan.sides[routerB].lan.Addr(), Etc: s.etc},
	}
	for i := range also {
		u[i].Also = also[i]
	}
	return u
}

func (s *story) stepBefore(ctx context.Context) error {
	s.p.step(1, "Before: the answers to all calls leave by router A")
	if err := s.listRules(ctx, s.p, s.plan); err != nil {
		return err
	}
	if err := s.listTable(ctx, s.p, s.plan, rttables.Main); err != nil {
		return err
	}
	s.p.say("The client calls the two addresses of the server. A call to the second address arrives through router "+
		"B. The answer takes main's default route, whatever its source, and so goes to router A, "+
		"which drops the answer because %s is not an address of its subnet.", s.plan.sides[routerB].server.Addr())
	s.p.callHeader("result", "reached the client")
	if err := s.call(ctx, routerA, routerA, answered); err != nil {
		return err
	}
	return s.call(ctx, routerB, routerA, noAnswer)
}

// call makes the client call the address of the server behind a router, and checks that the
// answers leave by the router back, and the result of the call.
func (s *story) call(ctx context.Context, router, back int, want string) error {
	works := want == answered
	patience := s.patience()
	if !works {
		patience = noAnswerPatience
	}
	c := s.callServer(ctx, s.plan, router, patience)
	if err := ctx.Err(); err != nil {
		return err // an interrupted call is not an observation
	}
	if !works {
		c = s.waitFor(c, back, s.patience())
	}
	ok := c.result() == want && seenOnlyAt(c.to, router) && seenOnlyAt(c.from, back) && (c.reached > 0) == works
	s.p.callLine(ok, c, c.server.String(), c.result(), fmt.Sprintf("%4d", c.reached))
	return nil
}

// patience returns how long to wait for an event that should happen. After the first failed
// observation others will probably fail, so the wait gets shorter.
func (s *story) patience() time.Duration {
	if s.p.failed > 0 {
		return min(s.ops.patience, 2*time.Second)
	}
	return s.ops.patience
}

func (s *story) stepInstall(ctx context.Context) error {
	s.p.step(2, "Install: each source gets its own table with its own default route")
	for _, u := range s.uplinks() {
		s.p.code(fmt.Sprintf("%s := table.SourceRoutedUplink{Name: %q, Table: %d,", u.Name, u.Name, uint32(u.Table)))
		s.p.code(fmt.Sprintf("    Interface: %q, Gateway: netip.MustParseAddr(%q)}", u.Interface, u.Gateway))
	}
	s.p.code("err := table.Install(ctx, conn, lan1, lan2)")
	if err := s.ops.install(ctx, s.changer, s.uplinks()...); err != nil {
		return err
	}
	if err := s.listRules(ctx, s.p, s.plan); err != nil {
		return err
	}
	for _, id := range []rttables.ID{lan1, lan2} {
		if err := s.listTable(ctx, s.p, s.plan, id); err != nil {
			return err
		}
	}
	after, err := s.state(ctx)
	if err != nil {
		return err
	}
	s.p.say("The kernel now looks up packets from each of the two addresses in the table of its interface, " +
		"before main. The protocol 210 marks ours: Remove deletes no other rules and routes.")
	c := after.changesSince(s.before)
	s.p.observe(len(c.addedRules) == 2 && len(c.addedRoutes) == 4 && c.isOnlyOurs(),
		"%d rules and %d routes were added, all with proto 210; nothing else has changed", len(c.addedRules), len(c.addedRoutes))
	s.listRemoved(c.removed)
	again, err := table.PlanInstall(ctx, s.conn, s.uplinks()...)
	if err != nil {
		return err
	}
	s.p.observe(again.Empty(), "a second Install changes nothing")
	names := s.tableNames()
	s.p.observe(names.Name(lan1) == "lan1" && names.Name(lan2) == "lan2",
		"rt_tables has the names: table %d is %s, table %d is %s",
		uint32(lan1), names.Name(lan1), uint32(lan2), names.Name(lan2))
	return nil
}

// listRemoved prints rules and routes that should not have been removed.
func (s *story) listRemoved(gone []string) {
	for _, l := range gone {
		s.p.detail("gone: %s", l)
	}
}

func (s *story) stepAfter(ctx context.Context) error {
	s.p.step(3, "After: each router gets the answers to its own calls")
	s.p.callHeader("result", "reached the client")
	if err := s.call(ctx, routerA, routerA, answered); err != nil {
		return err
	}
	return s.call(ctx, routerB, routerB, answered)
}

func (s *story) stepRemove(ctx context.Context) error {
	s.p.step(6, "Remove: everything is as it was before")
	if !s.noTables {
		if err := s.removeReply(ctx); err != nil {
			return err
		}
	}
	s.p.code("err = table.Remove(ctx, conn, lan1, lan2)")
	if err := s.ops.remove(ctx, s.changer, s.uplinks()...); err != nil {
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
	s.p.observe(slices.Equal(after.rules, s.before.rules) && slices.Equal(after.routes, s.before.routes),
		"%d rules and %d routes, of all tables in both families, are the same as before step 2",
		len(after.rules), len(after.routes))
	for _, l := range append(c.addedRules, c.addedRoutes...) {
		s.p.detail("left: %s", l)
	}
	s.listRemoved(c.removed)
	if err := s.checkReplyGone(ctx); err != nil {
		return err
	}
	s.p.observe(string(after.names) == string(s.before.names), "rt_tables is the same, byte for byte (%d bytes)", len(after.names))
	if string(after.names) != string(s.before.names) {
		for l := range strings.Lines(string(after.names)) {
			s.p.detail("has: %s", strings.TrimSpace(l))
		}
	}
	return nil
}

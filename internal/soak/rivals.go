package main

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
)

func rivalKinds() []kind {
	return []kind{
		{"delete-rules", ofRivals, rivalDeletesRules},
		{"delete-one-rule", ofRivals, rivalDeletesOneRule},
		{"delete-routes", ofRivals, rivalDeletesRoutes},
		{"flush", ofRivals, rivalFlushes},
		{"fight", ofRivals, rivalFights},
		{"overrule", ofRivals, rivalOverrules},
		{"replace-route", ofRivals, rivalReplaces},
		{"duplicate", ofRivals, rivalDuplicates},
		{"foreign-route", ofRivals, rivalAddsRoute},
		{"shared", ofRivals, rivalDeletesShared},
		{"local", ofRivals, rivalMovesLocal},
		{"main", ofRivals, rivalMovesMain},
	}
}

// tableOf returns the table of the uplink of a wire.
func (w *world) tableOf(x *wire) rttables.ID {
	for i, o := range w.wires {
		if o == x {
			return rttables.ID(10 * i)
		}
	}
	return 0
}

// rulesOf returns the rules of the uplinks that are from sources, or all for none.
func (r *round) rulesOf(sources ...*source) (all []rule.Rule, err error) {
	for u, err := range rule.All(r.ctx, r.w.rival, rule.Filter{Protocol: table.Protocol}) {
		if err != nil {
			return nil, err
		}
		mine := len(sources) == 0
		for _, s := range sources {
			mine = mine || u.From == netip.PrefixFrom(s.addr, s.addr.BitLen())
		}
		if mine {
			all = append(all, u)
		}
	}
	return all, nil
}

// deleteRules deletes rules, of which some may have gone in the meantime.
func (r *round) deleteRules(rules []rule.Rule) error {
	for _, u := range rules {
		if err := rule.Delete(r.ctx, r.w.rival, u); err != nil && !gone(err) {
			return err
		}
	}
	return nil
}

// rivalDeletesRules deletes all rules of the sources of a wire.
func rivalDeletesRules(r *round) error {
	x := r.uplinkWire()
	r.excuse(x.protected...)
	rules, err := r.rulesOf(x.protected...)
	return errors.Join(err, r.deleteRules(rules))
}

// rivalDeletesOneRule deletes one rule.
func rivalDeletesOneRule(r *round) error {
	s := r.w.sources[r.rng.IntN(len(r.w.sources))]
	r.excuse(s)
	rules, err := r.rulesOf(s)
	if err != nil || len(rules) == 0 {
		return err
	}
	i := r.rng.IntN(len(rules))
	return r.deleteRules(rules[i : i+1])
}

// rivalFights deletes a rule again and again, as often as the daemon repairs in ten seconds
// and more.
func rivalFights(r *round) error {
	s := r.w.sources[r.rng.IntN(len(r.w.sources))]
	r.excuse(s)
	for range 60 {
		rules, err := r.rulesOf(s)
		if err := errors.Join(err, r.deleteRules(rules)); err != nil {
			return err
		}
		r.hold(30 * time.Millisecond)
		if r.ctx.Err() != nil {
			return nil
		}
	}
	return nil
}

// routesOf returns the routes of the uplinks in a table.
func (r *round) routesOf(t rttables.ID) (all []route.Route, err error) {
	for u, err := range route.All(r.ctx, r.w.rival, route.Filter{Protocol: table.Protocol, Table: t}) {
		if err != nil && gone(err) {
			return all, nil // the table is empty
		}
		if err != nil {
			return nil, err
		}
		all = append(all, u)
	}
	return all, nil
}

func (r *round) deleteRoutes(routes []route.Route) error {
	for _, u := range routes {
		if err := route.Delete(r.ctx, r.w.rival, u); err != nil && !gone(err) {
			return err
		}
	}
	return nil
}

// rivalDeletesRoutes deletes the routes of an uplink. Its packets then have no way: the
// uplinks are all unreachable.
func rivalDeletesRoutes(r *round) error {
	routes, err := r.routesOf(r.w.tableOf(r.uplinkWire()))
	return errors.Join(err, r.deleteRoutes(routes))
}

// rivalFlushes deletes all rules and routes of all uplinks.
func rivalFlushes(r *round) error {
	r.excuse(r.w.sources...)
	rules, err1 := r.rulesOf()
	routes, err2 := r.routesOf(0)
	return errors.Join(err1, err2, r.deleteRules(rules), r.deleteRoutes(routes))
}

// rivalDeletesShared deletes the shared default routes.
func rivalDeletesShared(r *round) error {
	routes, err := r.routesOf(rttables.Main)
	return errors.Join(err, r.deleteRoutes(routes))
}

// with adds a rule of another program for a while.
func (r *round) with(u rule.Rule) error {
	if err := rule.Add(r.ctx, r.w.rival, u); err != nil {
		return fmt.Errorf("add %s: %w", u, err)
	}
	r.hold(longestHold)
	return r.deleteRules([]rule.Rule{u}) // adopt takes such rules over
}

// rivalOverrules adds a rule that takes the packets of a source first.
func rivalOverrules(r *round) error {
	s := r.w.sources[r.rng.IntN(len(r.w.sources))]
	r.excuse(s)
	return r.with(rule.Rule{
		From: netip.PrefixFrom(s.addr, s.addr.BitLen()), Table: rttables.Main, Priority: rule.Priority(1), Protocol: route.ProtoStatic,
	})
}

// rivalDuplicates adds rules that look like those of an uplink, before and after them.
func rivalDuplicates(r *round) error {
	s := r.w.sources[r.rng.IntN(len(r.w.sources))]
	r.excuse(s)
	u := rule.Rule{
		From: netip.PrefixFrom(s.addr, s.addr.BitLen()), Table: r.w.tableOf(s.wire), Priority: rule.Priority(5), Protocol: route.ProtoBoot,
	}
	if r.rng.IntN(2) == 0 {
		u.Priority = rule.Priority(32760)
	}
	return r.with(u)
}

// rivalReplaces replaces the default route of an uplink with one by another wire.
func rivalReplaces(r *round) error {
	x := r.uplinkWire()
	routes, err := r.routesOf(r.w.tableOf(x))
	if err != nil {
		return err
	}
	for _, d := range routes {
		if d.Family != route.IPv4 || d.Dst.IsValid() && d.Dst.Bits() > 0 {
			continue
		}
		r.excuse(x.protected...)
		foreign := route.Route{
			Table: d.Table, Priority: d.Priority, Gateway: netip.MustParseAddr("10.0.0.1"),
			OIF: r.w.host.Index("u0"), Protocol: route.ProtoStatic,
		}
		if err := route.Replace(r.ctx, r.w.rival, foreign); err != nil {
			return err
		}
		r.hold(longestHold)
		return r.deleteRoutes([]route.Route{foreign})
	}
	return nil
}

// rivalAddsRoute adds a route of its own to the table of an uplink.
func rivalAddsRoute(r *round) error {
	x := r.uplinkWire()
	u := route.Route{
		Dst: netip.MustParsePrefix("192.0.2.0/24"), Table: r.w.tableOf(x), Gateway: netip.MustParseAddr("10.0.0.1"),
		OIF: r.w.host.Index("u0"), Protocol: route.ProtoStatic,
	}
	if err := route.Replace(r.ctx, r.w.rival, u); err != nil {
		return err
	}
	r.hold(longestHold)
	return r.deleteRoutes([]route.Route{u})
}

// rivalMovesLocal moves the rule for the table local behind other rules, as some programs do,
// and back.
func rivalMovesLocal(r *round) error { return r.moveRule(rttables.Local, 0, 100) }

// rivalMovesMain moves the rule for the table main a little, and back.
func rivalMovesMain(r *round) error { return r.moveRule(rttables.Main, 32766, 32765) }

// moveRule moves a rule of the kernel to another priority, and back.
func (r *round) moveRule(table rttables.ID, from, to uint32) error {
	family := route.IPv4
	if r.rng.IntN(2) == 0 {
		family = route.IPv6
	}
	here := rule.Rule{Family: family, Table: table, Priority: rule.Priority(from), Protocol: route.ProtoKernel}
	there := here
	there.Priority = rule.Priority(to)
	for _, move := range [][2]rule.Rule{{there, here}, {here, there}} {
		if err := rule.Add(r.ctx, r.w.rival, move[0]); err != nil {
			return fmt.Errorf("add %s: %w", move[0], err)
		}
		if err := rule.Delete(r.ctx, r.w.rival, move[1]); err != nil {
			return fmt.Errorf("delete %s: %w", move[1], err)
		}
		r.hold(longestHold)
	}
	return nil
}

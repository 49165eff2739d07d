package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
)

// listRules prints the rules of one family as "ip rule list" does.
func (n *network) listRules(ctx context.Context, p *printer, plan plan) error {
	p.command(plan.ip + " rule list")
	names := &route.Names{Files: n.tableNames()}
	for r, err := range rule.All(ctx, n.conn, rule.Filter{Family: plan.family}) {
		if err != nil {
			return err
		}
		p.output(ipRule(r, names))
	}
	return nil
}

// listTable prints a table of one family as "ip route list table NAME" does.
func (n *network) listTable(ctx context.Context, p *printer, plan plan, id rttables.ID) error {
	names := &route.Names{Files: n.tableNames(), Links: n.links}
	p.command(fmt.Sprintf("%s route list table %s", plan.ip, names.Files.Name(id)))
	for r, err := range route.All(ctx, n.conn, route.Filter{Family: plan.family, Table: id}) {
		if err != nil {
			return err
		}
		p.output(ipRoute(r, names))
	}
	return nil
}

// ipRule is a rule as ip(8) lists it: our own words, but for the tab, and for
// the kernel's own rules not being called that.
func ipRule(r rule.Rule, names *route.Names) string {
	r.Family = 0 // which the command said already
	if r.Protocol == route.ProtoKernel {
		r.Protocol = 0
	}
	return strings.Replace(r.Text(names), ": ", ":\t", 1)
}

// ipRoute is a route as ip(8) lists it, as far as the routes of this network
// go. It differs from our own words, those of "ip route add", in what goes
// without saying: the table, which the command said, no; the scope, yes.
func ipRoute(r route.Route, names *route.Names) string {
	words := []string{"default"}
	if r.Dst.Bits() > 0 {
		words[0] = strings.TrimSuffix(r.Dst.String(), fmt.Sprintf("/%d", r.Dst.Addr().BitLen()))
	}
	put := func(say bool, name, value string) {
		if say {
			words = append(words, name, value)
		}
	}
	put(r.Gateway.IsValid(), "via", r.Gateway.String())
	put(r.OIF != 0, "dev", names.Links.Name(r.OIF))
	put(r.Protocol != route.ProtoBoot, "proto", names.Files.Protos().Name(uint32(r.Protocol)))
	put(r.Scope != route.ScopeGlobal, "scope", names.Files.Scopes().Name(uint32(r.Scope)))
	put(r.PrefSrc.IsValid(), "src", r.PrefSrc.String())
	put(r.Priority != 0, "metric", fmt.Sprint(r.Priority))
	if r.Flags != 0 {
		words = append(words, r.Flags.String())
	}
	pref, ok := r.Preference.Get()
	put(ok, "pref", pref.String())
	return strings.Join(words, " ")
}

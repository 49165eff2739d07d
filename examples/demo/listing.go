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

// ipRule returns a rule as ip(8) lists it. The text of package rule differs in the tab, and
// has the protocol of the kernel's rules.
func ipRule(r rule.Rule, names *route.Names) string {
	r.Family = 0 // the command has the family
	if r.Protocol == route.ProtoKernel {
		r.Protocol = 0
	}
	return strings.Replace(r.Text(names), ": ", ":\t", 1)
}

// ipRoute returns a route of this network as ip(8) lists it. The text of package route, which
// is that of "ip route add", has the table, which the list leaves out, and not the scope.
func ipRoute(r route.Route, names *route.Names) string {
	words := []string{"default"}
	if r.Dst.Bits() > 0 {
		words[0] = strings.TrimSuffix(r.Dst.String(), fmt.Sprintf("/%d", r.Dst.Addr().BitLen()))
	}
	put := func(isSet bool, name, value string) {
		if isSet {
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

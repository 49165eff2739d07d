// Package owner tells whose the rules and routes of other programs are, as far as their
// priorities, marks, tables and protocols tell.
package owner

import (
	"fmt"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
)

// A Program is a program that is known by its rules.
type Program struct {
	Name string
	by   string // what it is known by
	// owns reports whether a rule looks like one of the program's.
	owns func(r *rule.Rule) bool
	// Cure is what keeps the program's rules from taking packets of uplinks. Empty: there
	// is nothing that is particular to the program.
	Cure string
	// Always says that the program puts its rules before those of uplinks, whatever
	// priority these have.
	Always bool
}

// programs are those whose rules are known, by priority, mark and table. The first one
// that owns a rule is taken.
var programs = []Program{
	{
		Name: "wg-quick", by: "mark", Always: true,
		owns: both(ofManager, func(r *rule.Rule) bool {
			// The mark of the tunnel's own packets is the number of its table.
			return r.Not && r.FwMark.IsSet() && rttables.ID(r.FwMark.Value()) == r.Table || r.Table == 51820
		}),
		Cure: "Table = off in the tunnel's file, and PostUp = ip rule add … pref 32000, with a priority behind the uplinks'; " +
			"or AllowedIPs without 0.0.0.0/0 and ::/0",
	},
	{
		Name: "Tailscale", by: "priority", owns: both(ofIP, between(5210, 5270)),
		Cure: "tailscale set --exit-node= if the exit node is not wanted",
	},
	{Name: "amazon-vpc-cni", by: "priority and mark", owns: both(between(512, 1536), marks(0x80))},
	{Name: "Cilium", by: "priority", owns: func(r *rule.Rule) bool {
		return (r.Protocol == route.ProtoKernel || marks(0xf00)(r)) &&
			(between(9, 9)(r) || between(20, 20)(r) || between(100, 112)(r))
	}},
	{Name: "mwan3", by: "priority and mark", owns: both(between(1000, 3999), marks(0x3f00))},
	{Name: "pbr", by: "priority", owns: both(ofIP, between(29000, 30000))},
	{Name: "nm-cloud-setup", by: "priority", owns: both(ofManager, between(30200, 30400))},
	{Name: "kube-proxy", by: "mark", owns: marks(0xc000)},
}

// ofIP reports whether a rule is one as ip(8) adds it, and whoever calls it.
func ofIP(r *rule.Rule) bool { return r.Protocol == route.ProtoUnspec || r.Protocol == route.ProtoBoot }

// ofManager is ofIP, and takes rules of network managers as well.
func ofManager(r *rule.Rule) bool { return ofIP(r) || r.Protocol == route.ProtoStatic }

// between returns whether a rule has one of some priorities.
func between(first, last uint32) func(*rule.Rule) bool {
	return func(r *rule.Rule) bool { return r.Priority.Or(0) >= first && r.Priority.Or(0) <= last }
}

// marks returns whether a rule looks at nothing of the mark but some bits.
func marks(bits uint32) func(*rule.Rule) bool {
	return func(r *rule.Rule) bool { return r.FwMark.IsSet() && r.FwMark.Mask()&^bits == 0 }
}

func both(a, b func(*rule.Rule) bool) func(*rule.Rule) bool {
	return func(r *rule.Rule) bool { return a(r) && b(r) }
}

// Of returns the program that a rule looks to be of, or nil.
func Of(r *rule.Rule) *Program {
	for i := range programs {
		if programs[i].owns(r) {
			return &programs[i]
		}
	}
	return nil
}

// Whose says in a few words whose rule one is.
func Whose(r *rule.Rule) string {
	if o := Of(r); o != nil {
		return fmt.Sprintf("by its %s, it may be one of %s", o.by, o.Name)
	}
	return OfProtocol(r.Protocol)
}

// OfProtocol says in a few words who makes rules and routes with a protocol.
func OfProtocol(p route.Protocol) string {
	switch p {
	case route.ProtoUnspec, route.ProtoBoot:
		return "made with ip by hand, or by a script"
	case route.ProtoStatic:
		return "proto static: of an administrator, or of a network manager"
	case route.ProtoKernel:
		return "of the kernel"
	}
	return fmt.Sprintf("proto %s", p)
}

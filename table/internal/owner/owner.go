// Package owner tells which program the rules and routes of other programs belong to, as
// far as their priorities, marks, tables and protocols show that.
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
	// near reports whether a rule looks like one of the program's on a host where owns is
	// true for another rule. Nil: no rule does.
	near func(r *rule.Rule) bool
	// Cure keeps the program's rules from taking packets of uplinks. Empty: no cure is
	// particular to the program.
	Cure string
	// Always means that the program puts its rules before those of uplinks, whatever
	// priorities the uplinks have.
	Always bool
}

// programs are the programs whose rules are known by priority, mark and table. The first
// one that owns a rule is taken.
var programs = []Program{
	{
		Name: "wg-quick", by: "mark", Always: true,
		owns: both(ofManager, func(r *rule.Rule) bool {
			// The mark of the tunnel's own packets is the number of its table.
			return r.Not && r.FwMark.IsSet() && rttables.ID(r.FwMark.Value()) == r.Table || r.Table == 51820
		}),
		Cure: "set Table = off in the tunnel's file, and PostUp = ip rule add … pref 32000, with a priority after the uplinks'; " +
			"or use AllowedIPs without 0.0.0.0/0 and ::/0",
	},
	{
		Name: "Tailscale", by: "priority", owns: both(ofIP, between(5210, 5270)),
		Cure: "tailscale set --exit-node= if the exit node is not wanted",
	},
	{
		Name: "amazon-vpc-cni", by: "priority and mark", owns: both(between(512, 1536), marks(0x80)),
		near: both(ofIP, both(between(512, 1536), unmarked)),
	},
	{Name: "Cilium", by: "priority", owns: func(r *rule.Rule) bool {
		return (r.Protocol == route.ProtoKernel || marks(0xf00)(r)) &&
			(between(9, 10)(r) || between(20, 20)(r) || between(100, 112)(r))
	}},
	{
		Name: "mwan3", by: "priority and mark", owns: both(between(1000, 3999), marks(0x3f00)),
		near: both(ofIP, both(between(1000, 3999), unmarked)),
	},
	{Name: "pbr", by: "priority", owns: both(ofIP, between(29000, 30000))},
	{Name: "nm-cloud-setup", by: "priority", owns: both(ofManager, between(30200, 30400))},
	{Name: "kube-proxy", by: "mark", owns: marks(0xc000)},
}

// ofIP reports whether a rule has the protocol of rules that ip(8) adds.
func ofIP(r *rule.Rule) bool { return r.Protocol == route.ProtoUnspec || r.Protocol == route.ProtoBoot }

// ofManager is ofIP, and also accepts the protocol of network managers.
func ofManager(r *rule.Rule) bool { return ofIP(r) || r.Protocol == route.ProtoStatic }

// between returns whether a rule has one of some priorities.
func between(first, last uint32) func(*rule.Rule) bool {
	return func(r *rule.Rule) bool { return r.Priority.Or(0) >= first && r.Priority.Or(0) <= last }
}

// marks returns a function that reports whether a rule looks at no bits of the mark but
// some.
func marks(bits uint32) func(*rule.Rule) bool {
	return func(r *rule.Rule) bool { return r.FwMark.IsSet() && r.FwMark.Mask()&^bits == 0 }
}

// unmarked reports whether a rule does not look at the mark.
func unmarked(r *rule.Rule) bool { return !r.FwMark.IsSet() }

func both(a, b func(*rule.Rule) bool) func(*rule.Rule) bool {
	return func(r *rule.Rule) bool { return a(r) && b(r) }
}

// Of returns the program that a rule appears to belong to, or nil.
func Of(r *rule.Rule) *Program {
	for i := range programs {
		if programs[i].owns(r) {
			return &programs[i]
		}
	}
	return nil
}

// Names returns the name of the program that each of the rules of a host appears to belong
// to. It is empty if none is known. Rules of protocols that no program is known by have the
// name of the protocol.
func Names(rules []rule.Rule) []string {
	names := make([]string, len(rules))
	there := make(map[*Program]bool)
	for i := range rules {
		if o := Of(&rules[i]); o != nil {
			names[i], there[o] = o.Name, true
		}
	}
	for i := range rules {
		if names[i] == "" {
			names[i] = nameOf(&rules[i], there)
		}
	}
	return names
}

// nameOf returns the name for a rule that no program owns by its own features. Programs that
// have other rules are there.
func nameOf(r *rule.Rule, there map[*Program]bool) string {
	for i := range programs {
		if p := &programs[i]; there[p] && p.near != nil && p.near(r) {
			return p.Name
		}
	}
	switch p := r.Protocol; p {
	case route.ProtoUnspec, route.ProtoBoot, route.ProtoStatic, route.ProtoKernel:
		return ""
	case ours:
		return "policyroute"
	default:
		return p.String()
	}
}

// ours is the protocol of uplinks, unless they have another one.
const ours route.Protocol = 210

// Whose returns a few words about the owner of a rule.
func Whose(r *rule.Rule) string {
	if o := Of(r); o != nil {
		return fmt.Sprintf("by its %s, it may belong to %s", o.by, o.Name)
	}
	return OfProtocol(r.Protocol)
}

// OfProtocol returns a few words about the owner of rules and routes with a protocol.
func OfProtocol(p route.Protocol) string {
	switch p {
	case route.ProtoUnspec, route.ProtoBoot:
		return "added with ip, by hand or by a script"
	case route.ProtoStatic:
		return "proto static: from an administrator or a network manager"
	case route.ProtoKernel:
		return "from the kernel"
	}
	return fmt.Sprintf("proto %s", p)
}

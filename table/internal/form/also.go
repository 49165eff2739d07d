package form

import (
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
)

// A rule of Also sends packets to the uplink to which main may know a better way:
// a mail server in the LAN, the subnet of another uplink. And while the link is down,
// they would go on by main. So it comes in a group:
//
//	SELECTOR lookup local                           if ours come before the rule for local
//	SELECTOR lookup main suppress_prefixlength 1    the main-first rule, see [NoDefault]
//	SELECTOR lookup T
//	SELECTOR unreachable                            with Unreachable
//
// The others are its companions. Those before it change nothing by themselves.

// A Role is what a rule is in a group of Also.
type Role uint8

// The roles, in the order of the rules.
const (
	NoRole Role = iota
	LocalFirst
	MainFirst
	ToUplink
	Closing
)

// RoleOf returns the role that a rule of ours has, if it belongs to a group.
func RoleOf(r *rule.Rule) Role {
	switch {
	case r.Action == rule.ActionUnreachable && r.Table == rttables.Unspec:
		return Closing
	case r.Action != rule.ActionLookup:
		return NoRole
	case r.Table == rttables.Local && !r.SuppressPrefixLength.IsSet():
		return LocalFirst
	case r.Table == rttables.Main && leavesOutDefault(r):
		return MainFirst
	case !IsSystemTable(r.Table) && !r.SuppressPrefixLength.IsSet():
		return ToUplink
	}
	return NoRole
}

// StandsAlone reports whether a rule of Also, as its owner wrote it, is installed without
// a main-first rule.
func StandsAlone(r *rule.Rule) bool {
	return r.Table != 0 || r.Priority.IsSet() || r.SuppressPrefixLength.IsSet() || r.To.IsValid() || r.L3MDev
}

// HasPlace reports whether a rule of Also, as its owner wrote it, has a priority of its
// own, or may let packets go on to the next rule. Such a rule is installed as it is,
// without a companion.
func HasPlace(r *rule.Rule) bool {
	return r.Priority.IsSet() || r.SuppressPrefixLength.IsSet() || r.SuppressIfGroup.IsSet() || r.L3MDev
}

// Companion returns the rule of a role in the group of a rule of Also, or of another
// companion.
func Companion(r rule.Rule, role Role) rule.Rule {
	r.Action, r.SuppressPrefixLength = rule.ActionLookup, route.Opt[uint32]{}
	switch role {
	case LocalFirst:
		r.Table = rttables.Local
	case MainFirst:
		r.Table, r.SuppressPrefixLength = rttables.Main, NoDefault(r.Family)
	case Closing:
		r.Action, r.Table = rule.ActionUnreachable, rttables.Unspec
	}
	return r
}

// IsMainFirst reports whether a rule has the form of a main-first rule.
func IsMainFirst(r *rule.Rule) bool { return RoleOf(r) == MainFirst }

// IsCompanion reports whether a rule has the form of a companion.
func IsCompanion(r *rule.Rule) bool {
	role := RoleOf(r)
	return role != NoRole && role != ToUplink
}

// Selector returns the selector that all rules of a group have.
func Selector(r rule.Rule) rule.Rule {
	r = Like(r)
	r.Action, r.Table, r.SuppressPrefixLength = 0, 0, route.Opt[uint32]{}
	return r
}

// NextGroup returns how many of some rules of Also are the first group.
func NextGroup(also []rule.Rule) int {
	n := 0
	for n < len(also)-1 && RoleOf(&also[n]) != ToUplink && IsCompanion(&also[n]) {
		n++
	}
	n++
	if n < len(also) && RoleOf(&also[n]) == Closing && Selector(also[n]) == Selector(also[n-1]) {
		n++
	}
	return n
}

// SelectsSource reports whether a rule selects by a source, and has no other selector.
func SelectsSource(r *rule.Rule) bool {
	return r.From.IsValid() && *r == rule.Rule{
		Family: r.Family, Priority: r.Priority, From: r.From, Action: r.Action, Table: r.Table,
		SuppressPrefixLength: r.SuppressPrefixLength, Protocol: r.Protocol, Flags: r.Flags,
	}
}

// AddressFamily returns the family of a rule's addresses, or zero if it has none.
func AddressFamily(r *rule.Rule) route.Family {
	if f := route.FamilyOf(r.From.Addr()); f != 0 {
		return f
	}
	return route.FamilyOf(r.To.Addr())
}

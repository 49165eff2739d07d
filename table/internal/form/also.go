package form

import (
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
)

// A rule of Also sends packets to the uplink to which main may know a better way:
// a mail server in the LAN, the subnet of another uplink. So it comes as a pair:
//
//	SELECTOR lookup main suppress_prefixlength 1
//	SELECTOR lookup T
//
// The first of them is called the main-first rule. It changes nothing by itself. Its
// suppress_prefixlength is that of [NoDefault].

// StandsAlone reports whether a rule of Also, as its owner wrote it, is installed
// as it is, without a main-first rule.
func StandsAlone(r *rule.Rule) bool {
	return r.Table != 0 || r.Priority.IsSet() || r.SuppressPrefixLength.IsSet() || r.To.IsValid() || r.L3MDev
}

// MainFirst returns the main-first rule of a rule of Also.
func MainFirst(r rule.Rule) rule.Rule {
	r.Table, r.SuppressPrefixLength = rttables.Main, NoDefault(r.Family)
	return r
}

// IsMainFirst reports whether a rule has the form of a main-first rule.
func IsMainFirst(r *rule.Rule) bool {
	return r.Action == rule.ActionLookup && r.Table == rttables.Main && leavesOutDefault(r)
}

// ArePair reports whether two rules are a main-first rule and the rule of Also that
// it belongs to, except for their priorities.
func ArePair(mainFirst, r *rule.Rule) bool {
	return !IsSystemTable(r.Table) && !r.SuppressPrefixLength.IsSet() && Like(MainFirst(*r)) == Like(Current(*mainFirst))
}

// SelectsSource reports whether a rule selects by a source, and by nothing else.
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

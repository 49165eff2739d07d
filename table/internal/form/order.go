package form

import (
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
)

// The rules of uplinks are of two kinds. A rule from a source takes packets of its source;
// it is a rung, or a rule for a network behind this host. A rule of Also takes packets of
// any source, so all rules from sources of all uplinks come before all rules of Also.

// TakesSource reports whether a rule of ours is a rule from a source.
func TakesSource(r *rule.Rule) bool {
	return SelectsSource(r) && (r.Action == rule.ActionLookup || r.Action == rule.ActionUnreachable)
}

// TakesAnySource reports whether a rule of ours is a rule of Also without a source.
func TakesAnySource(r *rule.Rule) bool {
	if r.Action == rule.ActionLookup && r.Table == rttables.Local && *r == (rule.Rule{
		Family: r.Family, Priority: r.Priority, Action: r.Action, Table: r.Table, Protocol: r.Protocol, Flags: r.Flags,
	}) {
		return false // the rule for local, which a VRF host may have with any protocol
	}
	return !SelectsSource(r) && (RoleOf(r) != NoRole || r.Action == rule.ActionLookup && !IsSystemTable(r.Table))
}

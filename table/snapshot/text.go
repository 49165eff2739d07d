package snapshot

import (
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/nexthop"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
)

// String returns the commands of ip(8) that make the objects of s, one a line, on a
// host with the same interfaces and addresses. Objects that the kernel makes by itself,
// with the network namespace, its interfaces and their addresses, are in comments.
// Words are quoted if a shell needs that. [Parse] reads the text, including the
// comments, and returns s.
func (s Snapshot) String() string {
	var b strings.Builder
	names := textNames(s.Links)
	for _, n := range s.NextHops {
		b.WriteString(nextHopCommand("add", n, names) + "\n")
	}
	for i, r := range s.Routes {
		verb := "add"
		if i > 0 && placeOfRoute(&r) == placeOfRoute(&s.Routes[i-1]) {
			verb = "append"
		}
		b.WriteString(commentIf(isKernelRoute(&r)) + routeCommand(verb, r, names) + "\n")
	}
	for _, r := range s.Rules {
		b.WriteString(commentIf(isKernelRule(&r)) + ruleCommand("add", r) + "\n")
	}
	return b.String()
}

// MarshalText returns the text that String returns.
func (s Snapshot) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the text that String returns, as [Parse] does.
func (s *Snapshot) UnmarshalText(text []byte) error {
	got, err := Parse(string(text))
	if err == nil {
		*s = got
	}
	return err
}

// commentMark makes a comment of a command.
const commentMark = "# "

func commentIf(comment bool) string {
	if comment {
		return commentMark
	}
	return ""
}

func nextHopCommand(verb string, n nexthop.Object, names *route.Names) string {
	return iptext.Command(n.Family, "nexthop", verb, n.Text(names))
}

func routeCommand(verb string, r route.Route, names *route.Names) string {
	return iptext.Command(r.Family, "route", verb, r.Text(names))
}

func ruleCommand(verb string, r rule.Rule) string {
	return iptext.Command(r.Family, "rule", verb, r.Args(nil))
}

// isKernelRoute reports whether a route is one that the kernel adds and deletes
// together with an address or an interface. Other programs can give a route the
// kernel's protocol, but the kernel's routes have none of the other attributes.
func isKernelRoute(r *route.Route) bool {
	plain := route.Route{
		Family: r.Family, Type: r.Type, Dst: r.Dst, Table: r.Table, Protocol: route.ProtoKernel, Scope: r.Scope,
		OIF: r.OIF, PrefSrc: r.PrefSrc, Priority: r.Priority, Preference: r.Preference,
	}
	return r.Equal(plain)
}

// isKernelRule reports whether a rule is one that every network namespace has at
// the start, or the rule for VRFs that the kernel adds with the first VRF.
func isKernelRule(r *rule.Rule) bool {
	made := func(priority uint32, id rttables.ID) bool {
		return *r == rule.Rule{
			Family: r.Family, Priority: rule.Priority(priority), Action: rule.ActionLookup, Table: id,
			L3MDev: id == 0, Protocol: route.ProtoKernel,
		}
	}
	return made(0, rttables.Local) || made(32766, rttables.Main) || made(32767, rttables.Default) || made(1000, 0)
}

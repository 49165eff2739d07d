package table

import (
	"fmt"
	"slices"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
)

// An Op is what a [Step] does. The zero Op is none.
type Op uint8

// The operations.
const (
	AddRoute     Op = iota + 1 // ip route add
	ReplaceRoute               // ip route replace
	DeleteRoute                // ip route del
	AddRule                    // ip rule add
	DeleteRule                 // ip rule del
	AddName                    // a line in rt_tables
	DeleteName                 // the line away again
)

var opNames = [...]string{
	"none", "route add", "route replace", "route del", "rule add", "rule del", "name add", "name del",
}

// String is the object and the verb, such as "route add".
func (o Op) String() string {
	if int(o) < len(opNames) {
		return opNames[o]
	}
	return fmt.Sprintf("op %d", uint8(o))
}

// MarshalText returns what String does.
func (o Op) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// A Step is one change: one request to the kernel, or one line in rt_tables.
type Step struct {
	Op     Op
	Uplink string      // whose it is: its name, or interface and gateway; "(left over)" in [PlanRecover]
	Route  route.Route // of the route operations
	// Replaced is the route that ReplaceRoute replaces.
	Replaced route.Route
	Rule     rule.Rule   // of the rule operations
	Table    rttables.ID // of the name operations
	Name     string      // of the name operations
	// Commit says that this is the step with which the packets of a family's
	// sources change over from the old way to the new. It is what a transaction
	// has one of; see the package documentation for when there are more.
	Commit bool

	names *names
	etc   string
	// verify: what was done before is read back first.
	verify bool
	// claim: the table may have nothing else in it.
	claim bool
}

// String is the shell command for the step. For a name it is the simplest that
// comes to the same; the step itself keeps to what [rttables.Register] promises.
func (s Step) String() string {
	switch s.Op {
	case AddRoute, ReplaceRoute, DeleteRoute:
		return ip(s.Route.Family, s.Op, s.Route.Text(s.names.get()))
	case AddRule, DeleteRule:
		return ip(s.Rule.Family, s.Op, s.Rule.Args(s.names.get()))
	case AddName:
		return fmt.Sprintf("echo '%d %s' >>%s", uint32(s.Table), s.Name, s.file())
	case DeleteName:
		return fmt.Sprintf("sed -i '/^%d\\t%s\\t/d' %s", uint32(s.Table), s.Name, s.file())
	}
	return s.Op.String()
}

// Family is that of the route or rule, zero for a name.
func (s Step) Family() route.Family {
	switch s.Op {
	case AddRoute, ReplaceRoute, DeleteRoute:
		return s.Route.Family
	case AddRule, DeleteRule:
		return s.Rule.Family
	}
	return 0
}

func (s *Step) file() string {
	if s.etc == "" {
		return "/etc/iproute2/rt_tables"
	}
	return strings.TrimSuffix(s.etc, "/") + "/rt_tables"
}

// ip is an ip(8) command.
func ip(f route.Family, op Op, args string) string {
	words := []string{"ip"}
	if f != route.IPv4 {
		words = append(words, iptext.FamilyOption(f)...)
	}
	// The arguments begin with the same option where no address tells.
	args = strings.TrimPrefix(args, strings.Join(iptext.FamilyOption(f), " ")+" ")
	return strings.Join(append(words, op.String(), args), " ")
}

// A Plan is the steps from the state that was found to the one that is wanted,
// in the order in which they are done. An empty Plan has nothing to do.
type Plan struct {
	Steps []Step
}

// Empty reports whether there is nothing to do.
func (p Plan) Empty() bool { return len(p.Steps) == 0 }

// String is the shell commands of the steps, one a line.
func (p Plan) String() string {
	var b strings.Builder
	for _, s := range p.Steps {
		b.WriteString(s.String() + "\n")
	}
	return b.String()
}

// Net returns the steps without those that others of the plan undo: what differs
// between the state before and the state after. A route that is deleted, and added
// with other properties, is replaced. The result is for reading, not for
// [Plan.Apply]: it leaves out what makes the change atomic.
func (p Plan) Net() Plan {
	var net []Step
	for _, s := range p.Steps {
		i := slices.IndexFunc(net, func(o Step) bool { return o.cancels(s) })
		switch {
		case i < 0:
			net = append(net, s)
		case s.Op == AddRoute && !net[i].Route.Canonical().Equal(s.Route.Canonical()):
			s.Op, s.Replaced = ReplaceRoute, net[i].Route
			net[i] = s
		default:
			net = slices.Delete(net, i, i+1)
		}
	}
	return Plan{Steps: net}
}

// cancels reports whether two steps are about the same object, and of two that
// undo each other.
func (s Step) cancels(o Step) bool {
	switch {
	case s.Op == AddRule && o.Op == DeleteRule, s.Op == DeleteRule && o.Op == AddRule:
		return bare(s.Rule) == bare(o.Rule)
	case s.Op == AddRoute && o.Op == DeleteRoute:
		return s.Route.Canonical().Equal(o.Route.Canonical())
	case s.Op == DeleteRoute && o.Op == AddRoute:
		return keyOf(s.Route) == keyOf(o.Route)
	}
	return false
}

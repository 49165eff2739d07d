package plan

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
)

// An Op is what a [Step] does. The zero Op does nothing.
type Op uint8

// The operations.
const (
	AddRoute     Op = iota + 1 // ip route add
	ReplaceRoute               // ip route replace
	DeleteRoute                // ip route del
	AddRule                    // ip rule add
	DeleteRule                 // ip rule del
	AddName                    // a line in rt_tables
	DeleteName                 // a line in rt_tables is removed
	CommitNFT                  // nft -f: a batch of changes to nf_tables
)

var opNames = iptext.Enum{
	{N: 0, Name: "none"},
	{N: uint8(AddRoute), Name: "route add"},
	{N: uint8(ReplaceRoute), Name: "route replace"},
	{N: uint8(DeleteRoute), Name: "route del"},
	{N: uint8(AddRule), Name: "rule add"},
	{N: uint8(DeleteRule), Name: "rule del"},
	{N: uint8(AddName), Name: "name add"},
	{N: uint8(DeleteName), Name: "name del"},
	{N: uint8(CommitNFT), Name: "nft commit"},
}

// String returns the object and the verb, such as "route add".
func (o Op) String() string {
	if int(o) < len(opNames) {
		return opNames.Name(uint8(o))
	}
	return fmt.Sprintf("op %d", uint8(o))
}

// MarshalText returns what String returns.
func (o Op) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads what MarshalText returns for the constants of this type.
func (o *Op) UnmarshalText(text []byte) error {
	n, ok := opNames.Number(string(text))
	if !ok {
		return fmt.Errorf("table: %q is not an operation%s", text, iptext.Suggest(string(text), opNames.Names()))
	}
	*o = Op(n)
	return nil
}

// IsRoute reports whether the operation changes a route.
func (o Op) IsRoute() bool { return o == AddRoute || o == ReplaceRoute || o == DeleteRoute }

// IsRule reports whether the operation changes a rule.
func (o Op) IsRule() bool { return o == AddRule || o == DeleteRule }

// IsName reports whether the operation changes the name of a table.
func (o Op) IsName() bool { return o == AddName || o == DeleteName }

// deletes reports whether the operation deletes an object.
func (o Op) deletes() bool { return o == DeleteRoute || o == DeleteRule || o == DeleteName }

// command returns the shell command of ip(8) for an operation on a route or rule.
func (o Op) command(f route.Family, args string) string {
	object, verb, _ := strings.Cut(o.String(), " ")
	return iptext.Command(f, object, verb, args)
}

// A Step is one change: one request or one batch of requests to the kernel, or one line in
// rt_tables.
type Step struct {
	Op Op

	// Uplink says which uplink the step belongs to, for people: the name of the uplink, or
	// its interface and gateway. Two uplinks without names can have the same text. For
	// steps of Recover, Uplink is "(left over)".
	Uplink string
	// Owner is the index of the uplink among those that the plan was made for, or
	// [NoOwner] if the step belongs to none of them.
	Owner int

	Route route.Route // of AddRoute, ReplaceRoute, DeleteRoute
	// Replaced is the route that ReplaceRoute replaces. Nil: none.
	Replaced *route.Route
	Rule     rule.Rule   // of AddRule, DeleteRule
	Table    rttables.ID // of AddName, DeleteName
	Name     string      // of AddName, DeleteName
	NFT      Batch       // of CommitNFT

	// Commit means that this step switches packets from the sources of a family from the
	// old policy to the new one. A transaction normally has one such step for each family;
	// the overview of package table says when there are more.
	Commit bool
	// ReadBack means that Apply, before it does this step, reads the results of the
	// earlier steps from the kernel and compares them.
	ReadBack bool
}

// NoOwner is the Owner of a step that belongs to none of the uplinks that the plan was
// made for.
const NoOwner = -1

// String returns the shell command for the step, with the numbers of tables and
// interfaces. [Plan.Command] returns it with their names.
func (s Step) String() string { return s.command(nil, "/etc/iproute2/rt_tables") }

// Family returns the family of the step's route or rule, and zero for a name or a batch.
func (s Step) Family() route.Family {
	switch {
	case s.Op.IsRoute():
		return s.Route.Family
	case s.Op.IsRule():
		return s.Rule.Family
	}
	return 0
}

// isNoticed reports whether packets may notice the step.
func (s *Step) isNoticed() bool { return s.Commit || s.ReadBack }

// isClaim reports whether the step reserves a table, which may have nothing else
// in it.
func (s *Step) isClaim() bool { return s.Op == AddRoute && form.IsClaim(&s.Route) }

// command returns the shell command for the step. For a name it is the simplest command
// with the same names as a result. [rttables.Register] also makes the file's first
// line.
func (s *Step) command(names *route.Names, file string) string {
	switch s.Op {
	case AddRoute, ReplaceRoute, DeleteRoute:
		return s.Op.command(s.Route.Family, s.Route.Text(names))
	case AddRule, DeleteRule:
		return s.Op.command(s.Rule.Family, s.Rule.Args(names))
	case CommitNFT:
		return nftCommand(s.NFT)
	case AddName:
		add := iptext.AppendLine(fmt.Sprintf("%d %s # %s", uint32(s.Table), s.Name, rttables.Mark), file)
		if dir := filepath.Dir(file); filepath.Base(dir) == "rt_tables.d" { // which may be missing
			add = "mkdir -p " + iptext.Quote(dir) + " && " + add
		}
		return add
	case DeleteName:
		return iptext.DeleteLine(file, iptext.Decimal(s.Table), s.Name+" # "+rttables.Mark)
	}
	return s.Op.String()
}

// inverse returns the step that undoes s.
func (s Step) inverse() Step {
	switch s.Op {
	case AddRoute:
		s.Op = DeleteRoute
	case ReplaceRoute:
		if s.Replaced == nil { // there was none
			s.Op = DeleteRoute
			break
		}
		replaced := s.Route
		s.Route, s.Replaced = *s.Replaced, &replaced
	case DeleteRoute:
		s.Op = AddRoute
	case AddRule:
		s.Op = DeleteRule
	case DeleteRule:
		s.Op = AddRule
	case AddName:
		s.Op = DeleteName
	case DeleteName:
		s.Op = AddName
	case CommitNFT:
		s.NFT = s.NFT.Inverse()
	}
	return s
}

// An object is what two steps that undo each other have in common.
type object struct {
	rule  rule.Rule
	route form.RouteKey
	table rttables.ID
	name  string // of a table, or of a table of nf_tables
}

// object returns what the step is about.
func (s *Step) object() object {
	switch {
	case s.Op.IsRule():
		return object{rule: form.Bare(s.Rule)}
	case s.Op.IsRoute():
		return object{route: form.KeyOf(&s.Route)}
	case s.Op == CommitNFT:
		return object{name: s.NFT.Table()}
	}
	return object{table: s.Table, name: s.Name}
}

// undoes reports whether the step o, on the same object, undoes s or, if s deletes a
// route, adds it again in another form.
func (s *Step) undoes(o *Step) bool {
	switch {
	case s.Op == AddRule && o.Op == DeleteRule, s.Op == DeleteRule && o.Op == AddRule, s.Op == DeleteRoute && o.Op == AddRoute:
		return true
	case s.Op == AddRoute && o.Op == DeleteRoute:
		return form.SameRoute(&s.Route, &o.Route)
	}
	return false
}

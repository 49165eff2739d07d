package plan

import (
	"cmp"
	"path/filepath"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
)

// A Plan is the steps from the present state to the wanted one, in the order in which
// they are done. In the text of a plan, the commands that write names of tables come
// first, because the other commands use the names. [Plan.Apply] writes the names last.
// An empty Plan does nothing.
type Plan struct {
	Steps []Step

	names func() *route.Names // of tables and interfaces, for the text; nil: there are none
	etc   string
	netns string // for its text; empty: that of the shell
	// file returns the file of the name of a table, for its text. Nil: rt_tables in etc.
	file func(rttables.ID, string) string
	// present are the rules that existed when the plan was made. Nil: not known.
	present [][]rule.Rule
}

// On returns the plan together with the rules that existed when the plan was made.
// [Plan.ApplyLocked] then does not list them again, and assumes that they still exist.
func (p Plan) On(present ...[]rule.Rule) Plan {
	p.present = present
	return p
}

// InNetNS returns the plan with other text: its commands work in a shell that is not in
// the network namespace of the plan. The argument netns is the name of the plan's
// namespace, as in "ip netns", or its path.
func (p Plan) InNetNS(netns string) Plan {
	p.netns = netns
	return p
}

// NamedIn returns the plan with other text: its commands change the names of tables in
// other files. The function file returns the file for a table and its name.
func (p Plan) NamedIn(file func(rttables.ID, string) string) Plan {
	p.file = file
	return p
}

// with returns other steps as a plan with the same text, for reading.
func (p Plan) with(steps []Step) Plan {
	p.Steps, p.present = steps, nil
	return p
}

// Make returns a plan. The function names returns the names of tables and interfaces
// that the plan's text uses; if it is nil, the text has numbers. Names of tables are
// written to files of the directory etc, or of /etc/iproute2 if etc is empty.
func Make(steps []Step, names func() *route.Names, etc string) Plan {
	return Plan{Steps: steps, names: names, etc: etc}
}

// Empty reports whether there is nothing to do.
func (p Plan) Empty() bool { return len(p.Steps) == 0 }

// Command returns the shell command for a step of the plan, with the names of
// tables and interfaces.
func (p Plan) Command(s *Step) string {
	file := ""
	switch {
	case !s.Op.IsName():
	case p.file != nil:
		file = p.file(s.Table, s.Name)
	default:
		file = filepath.Join(cmp.Or(p.etc, "/etc/iproute2"), "rt_tables")
	}
	return iptext.InNetNS(p.netns, s.command(p.allNames(), file))
}

// Object returns what a step of the plan changes: "route" or "rule" and its words in the
// command of the step, "name" and the name of a table, or "nft" and the family and name of a
// table of nf_tables.
func (p Plan) Object(s *Step) string {
	kind, _, _ := strings.Cut(s.Op.String(), " ")
	if s.Op.IsName() {
		return kind + " " + s.Name
	}
	if s.Op == CommitNFT {
		return kind + " " + s.NFT.Table()
	}
	_, words, _ := strings.Cut(p.Command(s), " "+s.Op.String()+" ")
	return kind + " " + words
}

func (p Plan) allNames() *route.Names {
	if p.names == nil {
		return nil
	}
	return p.names()
}

// Commands returns the shell commands of all steps.
func (p Plan) Commands() []string {
	var all []string
	for i := range p.Steps {
		all = append(all, p.Command(&p.Steps[i]))
	}
	return all
}

// String returns the shell commands of the steps, one a line.
func (p Plan) String() string {
	var b strings.Builder
	for i := range p.Steps {
		b.WriteString(p.Command(&p.Steps[i]) + "\n")
	}
	return b.String()
}

// Select returns the steps for which keep returns true, as a plan with the same names.
// Like the result of [Plan.Net], it is for reading.
func (p Plan) Select(keep func(*Step) bool) Plan {
	some := p.with(nil)
	for i := range p.Steps {
		if keep(&p.Steps[i]) {
			some.Steps = append(some.Steps, p.Steps[i])
		}
	}
	return some
}

// Done returns the steps that are done after [Plan.Apply] has returned err: all steps
// if err is nil; all steps except the names that could not be written if err is a
// [*NameError]; and otherwise none.
func (p Plan) Done(err error) Plan {
	type name struct {
		table rttables.ID
		name  string
	}
	failed := make(map[name]bool)
	if !collectNames(err, func(e *NameError) { failed[name{e.Table, e.Name}] = true }) {
		return p.with(nil)
	}
	return p.Select(func(s *Step) bool { return !s.Op.IsName() || !failed[name{s.Table, s.Name}] })
}

// collectNames calls found for each *NameError that err consists of. It returns false if
// err consists of anything else.
func collectNames(err error, found func(*NameError)) bool {
	switch e := err.(type) {
	case nil:
		return true
	case *NameError:
		found(e)
		return true
	case *StepError:
		return false
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			if !collectNames(err, found) {
				return false
			}
		}
		return true
	}
	return false
}

// Net returns the steps without those that other steps of the plan undo: the difference
// between the state before and the state after. If a route is deleted and added with
// other properties, the result replaces it. The result is for reading, not for
// [Plan.Apply], because it lacks the steps that make the change atomic.
func (p Plan) Net() Plan {
	net := make([]Step, 0, len(p.Steps))
	var dropped []bool
	open := make(map[object][]int, len(p.Steps)) // steps of net that may still be undone
	for i := range p.Steps {
		s := p.Steps[i]
		about := s.object()
		k := firstUndone(net, open[about], &s)
		switch {
		case k < 0:
			open[about] = append(open[about], len(net))
			net, dropped = append(net, s), append(dropped, false)
			continue
		case s.Op == AddRoute && !form.SameRoute(&net[k].Route, &s.Route):
			replaced := net[k].Route
			s.Op, s.Replaced = ReplaceRoute, &replaced
			net[k] = s
		default:
			dropped[k] = true
		}
		open[about] = without(open[about], k)
	}
	left := p.with(nil)
	for i := range net {
		if !dropped[i] {
			left.Steps = append(left.Steps, net[i])
		}
	}
	return left
}

// firstUndone returns the first of some steps that s undoes, or −1.
func firstUndone(steps []Step, candidates []int, s *Step) int {
	for _, k := range candidates {
		if steps[k].undoes(s) {
			return k
		}
	}
	return -1
}

func without(all []int, k int) []int {
	for i, have := range all {
		if have == k {
			return append(all[:i:i], all[i+1:]...)
		}
	}
	return all
}

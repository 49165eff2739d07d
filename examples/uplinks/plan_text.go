package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/plan"
)

// writePlan prints the difference that a plan makes. With -v it prints all steps, and with
// -sh a script.
func (r *report) writePlan(w io.Writer, o options) {
	switch {
	case o.script:
		writeScript(w, r.plan)
	case r.plan.Empty():
		fmt.Fprintln(w, "nothing to change")
	case o.verbose:
		writeSteps(w, r.plan)
	default:
		for _, e := range r.Uplinks {
			writeNet(w, e.Name+" "+e.Family, e.net)
		}
		for _, o := range r.Others {
			writeNet(w, o.Name, o.net)
		}
		fmt.Fprint(w, switchSteps(r.plan))
	}
}

// writeNet prints the steps that make the difference for an uplink.
func writeNet(w io.Writer, title string, steps []step) {
	if len(steps) == 0 {
		return
	}
	fmt.Fprintf(w, "%s:\n", title)
	for i := range steps {
		s := &steps[i]
		if s.Op == plan.CommitNFT {
			writeBatch(w, s)
			continue
		}
		fmt.Fprintf(w, "    %-8s %s\n", markOf(s.Op), s.object())
		if s.Replaced != nil {
			was := plan.Step{Op: plan.AddRoute, Route: *s.Replaced}
			fmt.Fprintf(w, "    %-8s %s\n", "was", s.plan.Object(&was))
		}
	}
}

// writeBatch prints the changes of a table of nf_tables, in the words of nft(8).
func writeBatch(w io.Writer, s *step) {
	fmt.Fprintf(w, "    %-8s table %s of nf_tables:\n", "changed", s.NFT.Table())
	for _, l := range s.NFT.Lines() {
		fmt.Fprintf(w, "        %s\n", l)
	}
}

// markOf returns what a step does to its object.
func markOf(op plan.Op) string {
	switch op {
	case plan.AddRoute, plan.AddRule, plan.AddName:
		return "added"
	case plan.DeleteRoute, plan.DeleteRule, plan.DeleteName:
		return "removed"
	}
	return "changed"
}

// switchSteps says in how many steps packets switch to the new rules and routes.
func switchSteps(p plan.Plan) string {
	var b strings.Builder
	for _, f := range []route.Family{route.IPv4, route.IPv6} {
		switch n := countCommits(p, f); n {
		case 0:
		case 1:
			fmt.Fprintf(&b, "All %s packets switch to the new routes in one step.\n", familyName(f))
		default:
			fmt.Fprintf(&b, "%s packets switch to the new routes in %d steps.\n", familyName(f), n)
		}
	}
	if slices.ContainsFunc(p.Steps, func(s plan.Step) bool { return s.Op == plan.CommitNFT && s.Commit }) {
		b.WriteString("The handling of answers switches in one step.\n")
	}
	return b.String()
}

func familyName(f route.Family) string {
	if f == route.IPv6 {
		return "IPv6"
	}
	return "IPv4"
}

// countCommits returns the number of steps that switch packets of a family to the new routes.
func countCommits(p plan.Plan, f route.Family) int {
	n := 0
	for i := range p.Steps {
		if s := &p.Steps[i]; s.Commit && s.Family() == f {
			n++
		}
	}
	return n
}

// commitMark is the comment of a step that switches packets to the new routes.
const commitMark = "    # packets switch to the new routes"

// writeSteps prints the commands of all steps.
func writeSteps(w io.Writer, p plan.Plan) {
	for _, s := range stepsOf(p) {
		switch {
		case s.Op == plan.CommitNFT && s.Commit: // its command ends with a word that stands alone
			fmt.Fprintln(w, strings.TrimSpace(commitMark)+"\n"+s.command())
		case s.Commit:
			fmt.Fprintln(w, s.command()+commitMark)
		default:
			fmt.Fprintln(w, s.command())
		}
	}
}

// writeScript prints a script for sh(1) that does all steps. It stops at the first failure.
func writeScript(w io.Writer, p plan.Plan) {
	fmt.Fprintln(w, "#!/bin/sh")
	if p.Empty() {
		fmt.Fprintln(w, "# Nothing to change.")
		return
	}
	fmt.Fprintln(w, "# These commands make the same changes as \"uplinks up\", but undo nothing after a failure.\nset -e")
	writeSteps(w, p)
}

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
)

// A report is what a command found and did. The help describes its JSON form,
// on which others rely: fields may be added, and none change.
type report struct {
	Command  string    `json:"command"`
	Uplinks  []*entry  `json:"uplinks"`
	Others   []*other  `json:"others,omitempty"`
	Findings []finding `json:"findings,omitempty"`
	Keeper   *keeper   `json:"keeper,omitempty"`
	Warnings []string  `json:"warnings,omitempty"`
	Error    string    `json:"error,omitempty"`
	Left     []string  `json:"left,omitempty"`

	steps []table.Step // of all uplinks, in order
}

// An entry is a line of the file in a report.
type entry struct {
	Name    string   `json:"name"`
	Table   uint32   `json:"table,omitempty"`
	Family  string   `json:"family"`
	Dev     string   `json:"dev"`
	Via     string   `json:"via,omitempty"`
	Sources []string `json:"sources,omitempty"`
	Config  string   `json:"config"`
	Steps   []string `json:"steps,omitempty"`

	State   string   `json:"state,omitempty"`
	Missing []string `json:"missing,omitempty"`
	Changed []change `json:"changed,omitempty"`
	Extra   []string `json:"extra,omitempty"`
	Problem string   `json:"problem,omitempty"`
	Unnamed bool     `json:"unnamed,omitempty"`

	net []table.Step // what of the steps others do not undo
}

// An other is an uplink that the file does not have, in a report.
type other struct {
	Name  string   `json:"name"`
	Steps []string `json:"steps"`

	net []table.Step
}

// other is the entry of an uplink that the file does not have.
func (r *report) other(name string) *other {
	i := slices.IndexFunc(r.Others, func(o *other) bool { return o.Name == name })
	if i < 0 {
		i = len(r.Others)
		r.Others = append(r.Others, &other{Name: name})
	}
	return r.Others[i]
}

// A change is a route that is not as it should be.
type change struct {
	Is     string `json:"is"`
	Wanted string `json:"wanted"`
}

func newEntry(u uplink) *entry {
	e := &entry{Name: u.Name, Table: uint32(u.Table), Family: "any", Dev: u.Interface, Config: u.String()}
	if f := u.family(); f != 0 {
		e.Family = f.String()
	}
	if u.Gateway.IsValid() && !u.Gateway.IsUnspecified() {
		e.Via = u.Gateway.String()
	}
	for _, a := range u.Sources {
		e.addSource(a)
	}
	return e
}

func (e *entry) addSource(a netip.Addr) {
	if s := a.String(); !slices.Contains(e.Sources, s) {
		e.Sources = append(e.Sources, s)
	}
}

// sourceOf is the source of a rule that says no more than that.
func sourceOf(r rule.Rule) (netip.Addr, bool) {
	plain := rule.Rule{
		Family: r.Family, Priority: r.Priority, From: r.From,
		Action: r.Action, Table: r.Table, Protocol: r.Protocol,
	}
	return r.From.Addr(), r == plain && r.From.IsSingleIP()
}

// setTable notes the table that a step is about, where the line leaves it open.
// Some rules of an uplink are about main, or about none.
func (e *entry) setTable(s table.Step) {
	id := s.Route.Table
	switch s.Op {
	case table.AddRule, table.DeleteRule:
		id = s.Rule.Table
	case table.AddName, table.DeleteName:
		id = s.Table
	}
	if e.Table == 0 && id != rttables.Main {
		e.Table = uint32(id)
	}
}

// left reports what a failure left.
func (s *session) left(err error) {
	var e *table.StepError
	if errors.As(err, &e) {
		for _, l := range e.Left {
			s.report.Left = append(s.report.Left, l.Step.String())
		}
	}
}

// write prints the report, after a failure as JSON only.
func (r *report) write(w io.Writer, o options) error {
	r.Command = o.command
	if o.json {
		if r.Uplinks == nil {
			r.Uplinks = []*entry{}
		}
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(r)
	}
	if r.Error != "" {
		return nil
	}
	var b strings.Builder
	switch o.command {
	case "plan":
		b.WriteString(table.Plan{Steps: r.steps}.String())
	case "status":
		r.writeStatus(&b)
	case "check":
		r.writeFindings(&b)
	default:
		for _, e := range r.Uplinks {
			if len(e.net) > 0 {
				fmt.Fprintf(&b, "%s %s: %s\n", e.Name, e.Family, summary(e.net))
			}
		}
		for _, o := range r.Others {
			if len(o.net) > 0 {
				fmt.Fprintf(&b, "%s: %s\n", o.Name, summary(o.net))
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeStatus writes an aligned line for each uplink.
func (r *report) writeStatus(w io.Writer) {
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tab, "NAME\tTABLE\tFAMILY\tDEV\tVIA\tSOURCES\tSTATE")
	for _, e := range r.Uplinks {
		number := ""
		if e.Table != 0 {
			number = fmt.Sprint(e.Table)
		}
		words := []string{
			e.Name, orDash(number), e.Family, e.Dev, orDash(e.Via), orDash(strings.Join(e.Sources, ",")), e.words(),
		}
		fmt.Fprintln(tab, strings.Join(words, "\t"))
	}
	tab.Flush() // into memory
	switch {
	case r.Keeper != nil:
		r.Keeper.write(w, r.Uplinks, time.Now())
	case len(r.Warnings) == 0:
		fmt.Fprintln(w, notKept)
	}
}

// notKept is the last line of a status without a keeper.
const notKept = "kept by nobody: no \"uplinks run\" is at work here"

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// words is the state with what it is that is not as it should be.
func (e *entry) words() string {
	var parts []string
	if len(e.Missing) > 0 {
		parts = append(parts, "missing "+strings.Join(e.Missing, ", "))
	}
	for _, c := range e.Changed {
		parts = append(parts, "changed "+c.Is+", wanted "+c.Wanted)
	}
	if len(e.Extra) > 0 {
		parts = append(parts, "extra "+strings.Join(e.Extra, ", "))
	}
	if e.Problem != "" {
		parts = append(parts, e.Problem)
	}
	if e.Unnamed && e.State != stateAbsent {
		parts = append(parts, "not named in rt_tables")
	}
	if len(parts) == 0 {
		return e.State
	}
	return e.State + ": " + strings.Join(parts, "; ")
}

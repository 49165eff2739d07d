package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/plan"
)

// A report is the result of a command. The help describes its JSON form. Programs rely on
// it: fields may be added, but existing fields do not change.
type report struct {
	Command string            `json:"command"`
	Time    time.Time         `json:"time,omitzero"` // of watch
	Uplinks []*entry          `json:"uplinks"`
	Others  []*unlistedUplink `json:"others,omitempty"`
	Reply   *replyReport      `json:"reply,omitempty"`
	// Proposals are the lines that init prints as comments.
	Proposals []string `json:"proposals,omitempty"`
	// ReplyLines are the lines about answers in their normal form, of parse.
	ReplyLines []string    `json:"reply_lines,omitempty"`
	Findings   []finding   `json:"findings,omitempty"`
	Maintainer *maintainer `json:"keeper,omitempty"`
	Unknown    string      `json:"unknown,omitempty"`
	Warnings   []string    `json:"warnings,omitempty"`
	Error      string      `json:"error,omitempty"`
	Left       []string    `json:"left,omitempty"`

	// Tests are the expectations of the file after the plan.
	Tests []tested `json:"tests,omitempty"`
	// Impact is the packets that go another way, with the option -impact. Nil: not known.
	Impact *[]impact `json:"impact,omitempty"`

	plan plan.Plan // of command plan, for all uplinks
}

// An entry is the part of a report about a line of the file.
type entry struct {
	Name    string   `json:"name"`
	Table   uint32   `json:"table,omitempty"`
	Family  string   `json:"family"`
	Dev     string   `json:"dev"`
	Via     string   `json:"via,omitempty"`
	Sources []string `json:"sources,omitempty"`
	Config  string   `json:"config"`
	Steps   []string `json:"steps,omitempty"`

	State     string   `json:"state,omitempty"`
	Missing   []string `json:"missing,omitempty"`
	Changed   []change `json:"changed,omitempty"`
	Extra     []string `json:"extra,omitempty"`
	Overruled []string `json:"overruled,omitempty"`
	Problem   string   `json:"problem,omitempty"`
	Unnamed   bool     `json:"unnamed,omitempty"`
	Notes     []string `json:"notes,omitempty"`
	// Traffic is that of the interface.
	Traffic *traffic `json:"traffic,omitempty"`
	// ReplyClients is the number of clients of UDP servers that are remembered for the sources.
	ReplyClients *int `json:"reply_clients,omitempty"`
	// Connections is the number of established TCP connections from the sources.
	Connections *int `json:"connections,omitempty"`
	// MoreConnections says that there are more: they were not counted to the end.
	MoreConnections bool `json:"more_connections,omitempty"`

	// Reasons say what on the host an uplink of init comes from.
	Reasons []string `json:"reasons,omitempty"`

	net      []step // the steps without those that other steps undo
	protocol route.Protocol
}

// An unlistedUplink is the part of a report about an uplink that the file does not have.
type unlistedUplink struct {
	Name  string   `json:"name"`
	Steps []string `json:"steps"`

	net []step
}

// unlistedEntry returns the entry of an uplink that the file does not have. It adds the
// entry if there is none.
func (r *report) unlistedEntry(name string) *unlistedUplink {
	i := slices.IndexFunc(r.Others, func(o *unlistedUplink) bool { return o.Name == name })
	if i < 0 {
		i = len(r.Others)
		r.Others = append(r.Others, &unlistedUplink{Name: name})
	}
	return r.Others[i]
}

// A change is a route that exists, and the route that should be in its place.
type change struct {
	Is     string `json:"is"`
	Wanted string `json:"wanted"`
}

func newEntry(u uplink) *entry {
	e := &entry{Name: u.Name, Table: uint32(u.Table), Family: "any", Dev: u.Interface, Config: u.String(), protocol: cmp.Or(u.Protocol, table.Protocol)}
	if f := u.family(); f != 0 {
		e.Family = f.String()
	}
	e.Via = strings.Join(u.gateways(), ",")
	for _, a := range u.Sources {
		e.addSource(netip.PrefixFrom(a, a.BitLen()))
	}
	for _, p := range u.SourcePrefixes {
		e.addSource(p)
	}
	return e
}

// addSource adds an address, or a network behind this host.
func (e *entry) addSource(p netip.Prefix) {
	s := p.String()
	if p.IsSingleIP() {
		s = p.Addr().String()
	}
	if !slices.Contains(e.Sources, s) {
		e.Sources = append(e.Sources, s)
	}
}

// sourceOf returns the source of a rule whose only selector is a source.
func sourceOf(r rule.Rule) (netip.Prefix, bool) {
	plain := rule.Rule{
		Family: r.Family, Priority: r.Priority, From: r.From,
		Action: r.Action, Table: r.Table, Protocol: r.Protocol,
	}
	return r.From, r == plain && r.From.IsValid()
}

// setTable sets the table of the entry to the table of a step, if the line has no table.
// Some rules of an uplink look up main or no table.
func (e *entry) setTable(s step) {
	id := s.Route.Table
	switch s.Op {
	case plan.AddRule, plan.DeleteRule:
		id = s.Rule.Table
	case plan.AddName, plan.DeleteName:
		id = s.Table
	}
	if e.Table == 0 && id != rttables.Main {
		e.Table = uint32(id)
	}
}

// recordLeft adds the steps to the report that a failure did not undo.
func (s *session) recordLeft(err error) {
	var e *plan.StepError
	if errors.As(err, &e) {
		for _, l := range e.Left {
			s.report.Left = append(s.report.Left, l.Command())
		}
	}
}

// write prints the report. After a failure, only the JSON form is printed.
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
		r.writePlan(&b, o)
		r.writeImpact(&b)
	case "status":
		return r.writeStatus(w, terminalOf(w, os.Getenv))
	case "metrics":
		writeMetrics(&b, metricsOf(r.Uplinks, r.Reply, r.Maintainer, r.Unknown == ""), false)
	case "check":
		r.writeFindings(&b)
	case "reload":
		r.Maintainer.writeReload(&b)
	case "parse":
		for _, e := range r.Uplinks {
			fmt.Fprintln(&b, e.Config)
		}
		for _, l := range r.ReplyLines {
			fmt.Fprintln(&b, l)
		}
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

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

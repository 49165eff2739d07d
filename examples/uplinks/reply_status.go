package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/plan"
	"github.com/policyroute/policyroute/table/reply"
)

// stateUnknown is the state of the policy for answers if it cannot be read.
const stateUnknown = "unknown"

// A replyReport is the part of a report about the policy for answers.
type replyReport struct {
	Config  []string `json:"config,omitempty"` // the lines of the file
	State   string   `json:"state"`            // complete, incomplete, absent or unknown
	Problem string   `json:"problem,omitempty"`
	// Steps are what up would do.
	Steps []string `json:"steps,omitempty"`
	// Clients is how many clients of UDP servers are remembered.
	Clients int `json:"clients"`
}

// reportReplies puts the state of the policy for answers into the report, if the file asks for
// one. It returns whether the policy is complete, or not known.
func (s *session) reportReplies() (complete bool, err error) {
	if !s.asksForReplies() {
		return true, nil
	}
	r := &replyReport{Config: s.reply.lines(), State: stateUnknown}
	s.report.Reply = r
	clients, err := reply.Clients(s.ctx, s.conn)
	if errors.Is(err, fs.ErrPermission) {
		r.Problem = "only root can read nf_tables"
		return true, nil
	} else if err != nil {
		return false, err
	}
	members, err := s.installedMembers()
	if err != nil {
		return false, err
	}
	p, err := reply.PlanSync(s.ctx, s.conn, s.reply.Policy, members...)
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		if _, r.Problem, complete = problemOf(err); !complete {
			return false, err
		}
	} else if err != nil {
		r.Problem = errorText(err)
	}
	s.countClients(clients)
	for _, step := range stepsOf(p) {
		r.Steps = append(r.Steps, step.command())
	}
	switch {
	case r.Problem != "":
		r.State = stateIncomplete
	case len(members) == 0, len(clients) == 0 && len(s.reply.UDP) > 0 && !p.Empty():
		r.State = stateAbsent
	case !p.Empty():
		r.State = stateIncomplete
	default:
		r.State = stateComplete
	}
	return r.State == stateComplete, nil
}

// installedMembers returns the uplinks of the file that are installed, selected or not.
func (s *session) installedMembers() ([]reply.Uplink, error) {
	var some []uplink
	for i, e := range s.report.Uplinks {
		if e.State != stateAbsent && s.uplinks[i].Interface != "" {
			some = append(some, s.uplinks[i])
		}
	}
	all := replyUplinks(some)
	present := all[:0:0]
	for _, u := range all { // an uplink that is not valid on the host now has no part in the policy
		var field *plan.FieldError
		_, err := table.PlanInstall(s.ctx, s.conn, u.SourceRoutedUplink)
		if err != nil && !errors.As(err, &field) && !isConflict(err) {
			return nil, err
		}
		if field == nil {
			present = append(present, u)
		}
	}
	others, err := s.installedOthers()
	return append(present, others...), err
}

// countClients puts the numbers of remembered clients into the report.
func (s *session) countClients(clients map[netip.Addr]int) {
	for _, n := range clients {
		s.report.Reply.Clients += n
	}
	setClients(s.report.Uplinks, clients)
}

// countRepliesOf puts the numbers of remembered clients into entries. It finds the sources of
// an uplink by the rules that look up its table. Without an answer there are no numbers.
func countRepliesOf(ctx context.Context, c route.Conn, entries []*entry) {
	clients, err := reply.Clients(ctx, c)
	if err != nil {
		return
	}
	for r, err := range rule.All(ctx, c, rule.Filter{}) {
		if err != nil {
			return
		}
		for _, e := range entries {
			if from, ok := sourceOf(r); ok && e.Table != 0 && uint32(r.Table) == e.Table && r.Protocol == e.protocol {
				e.addSource(from)
			}
		}
	}
	setClients(entries, clients)
}

func setClients(entries []*entry, clients map[netip.Addr]int) {
	for _, e := range entries {
		n, has := 0, false
		for a, count := range clients {
			if slices.Contains(e.Sources, a.String()) {
				n, has = n+count, true
			}
		}
		if has {
			e.ReplyClients = &n
		}
	}
}

// lines returns the state of the policy for answers, and what is wrong with it.
func (r *replyReport) lines(t terminal) []line {
	style := green
	switch r.State {
	case stateComplete:
	case stateUnknown, stateAbsent:
		style = yellow
	default:
		style = red
	}
	text := "answers: " + r.State
	if len(r.Config) > 0 {
		text += ": " + strings.Join(r.Config, "; ")
	}
	text += fmt.Sprintf("; %s remembered", plural(r.Clients, "client"))
	if r.State == stateUnknown {
		text = "answers: " + r.State + ": " + r.Problem
	}
	lines := wrapped(style, oneLine(text), t)
	if r.Problem != "" && r.State != stateUnknown {
		lines = append(lines, wrapped(red, "    "+oneLine(r.Problem), t)...)
	}
	for _, s := range r.Steps {
		first, _, _ := strings.Cut(s, " <<")
		lines = append(lines, wrapped(red, "    up would do: "+oneLine(first), t)...)
	}
	return lines
}

package main

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/plan"
	"github.com/policyroute/policyroute/table/reply"
)

// asksForReplies reports whether the file asks for something of package reply.
func (s *session) asksForReplies() bool {
	return (&config{reply: s.reply, uplinks: slices.Concat(s.uplinks, s.others)}).asksForReplies()
}

func (c *config) asksForReplies() bool {
	return c.reply.isGiven() || slices.ContainsFunc(c.uplinks, func(u uplink) bool { return u.Masquerade })
}

// withReplies returns the steps of a plan that installs uplinks, and those with which answers
// leave by them.
func (s *session) withReplies(p plan.Plan) (plan.Plan, error) {
	others, err := s.installedOthers()
	if err != nil {
		return p, err
	}
	replies, err := s.planReplies(p, append(replyUplinks(s.uplinks), others...))
	p.Steps = slices.Concat(p.Steps, replies.Steps)
	return p, err
}

// withoutReplies returns the steps of a plan that removes uplinks, and before them those
// after which no answer leaves by them.
func (s *session) withoutReplies(p plan.Plan) (plan.Plan, error) {
	others, err := s.installedOthers()
	if err != nil {
		return p, err
	}
	replies, err := s.planReplies(plan.Plan{}, others)
	p.Steps = slices.Concat(replies.Steps, p.Steps)
	return p, err
}

// planReplies returns the steps of the policy for answers that leave by some uplinks, after
// another plan. An ordinary user cannot read what is installed.
func (s *session) planReplies(before plan.Plan, uplinks []reply.Uplink) (plan.Plan, error) {
	p, err := reply.PlanSyncAfter(s.ctx, s.conn, before, s.reply.Policy, uplinks...)
	if errors.Is(err, fs.ErrPermission) && (s.onlyPlans || !s.asksForReplies()) {
		if s.asksForReplies() {
			s.report.Warnings = append(s.report.Warnings, "the steps for answers are not known: only root can read nf_tables")
		}
		return plan.Plan{}, nil
	}
	if errors.As(err, new(*plan.ConflictError)) && !s.asksForReplies() {
		return plan.Plan{}, nil // the table is not ours, and not in the way
	}
	for i := range p.Steps { // they are steps of no single uplink
		p.Steps[i].Owner, p.Steps[i].Uplink = plan.NoOwner, ""
	}
	return p, err
}

// installedOthers returns the uplinks that the command line does not select and that are
// installed. Their answers stay as the file says.
func (s *session) installedOthers() ([]reply.Uplink, error) {
	if len(s.others) == 0 || !s.asksForReplies() {
		return nil, nil
	}
	links, err := route.ListLinks(s.ctx, s.conn)
	if err != nil {
		return nil, err
	}
	var all []uplink
	for _, u := range s.others {
		if _, exists := links.Index(u.Interface); !exists {
			continue
		}
		if u.Learn != 0 {
			if resolved, err := u.Resolve(s.ctx, s.conn); err == nil {
				u.SourceRoutedUplink = resolved
			} else {
				u.Family = u.Learn
			}
		}
		p, err := table.PlanRemove(s.ctx, s.conn, u.SourceRoutedUplink)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(p.Steps, func(s plan.Step) bool { return !s.Op.IsName() }) {
			all = append(all, u)
		}
	}
	return replyUplinks(all), nil
}

// replyUplinks returns uplinks in the type of package reply.
func replyUplinks(uplinks []uplink) []reply.Uplink {
	all := make([]reply.Uplink, len(uplinks))
	for i, u := range uplinks {
		all[i] = reply.Uplink{SourceRoutedUplink: u.SourceRoutedUplink, Masquerade: u.Masquerade}
	}
	return all
}

// replyFailure returns the text of the error of a step that changes nf_tables, without the
// many lines of the step, or "" for another error.
func replyFailure(err error) string {
	var step *plan.StepError
	if !errors.As(err, &step) || step.Step.Op != plan.CommitNFT {
		return ""
	}
	text := replyWord + ": table " + step.Step.NFT.Table() + " of nf_tables: " + step.Reason()
	if errors.Is(step.Err, fs.ErrNotExist) || errors.Is(step.Err, errors.ErrUnsupported) {
		text += ": the kernel lacks a module, such as nft_ct or nf_conntrack"
	}
	for _, l := range step.Left {
		command, _, _ := strings.Cut(l.Command(), "\n")
		text += "; not undone: " + command + ": " + l.Err.Error()
	}
	return text
}

package reply

import (
	"context"
	"slices"
	"strings"

	"github.com/policyroute/policyroute/internal/nft"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/internal/ruleset"
	"github.com/policyroute/policyroute/table/internal/uplink"
	"github.com/policyroute/policyroute/table/plan"
)

// A goal is what there is to be of a policy.
type goal struct {
	ways  []*way
	rules []ownedRule
	table *nft.Contents
}

// aim works out the goal of a policy on a host.
func aim(ctx context.Context, c route.Conn, now *host.State, p *Policy, uplinks []Uplink) (*goal, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	ways, policies, err := resolve(ctx, c, now, uplinks)
	if err != nil {
		return nil, err
	}
	g := &goal{ways: ways}
	if p.Forwarded {
		if err := chooseMarks(p, now, ways, policies); err != nil {
			return nil, err
		}
		for _, f := range form.Families {
			rules, err := wantedRules(now, ways, p.mask(), f, protocolsOf(policies))
			if err != nil {
				return nil, err
			}
			g.rules = append(g.rules, rules...)
		}
	}
	g.table = render(p, ways)
	return g, nil
}

// planTo plans the steps to a goal. Rules that no packet meets yet come first, then the
// batch, with which all packets change over, then what is not needed any more.
func planTo(now *host.State, present *nft.Contents, g *goal) (plan.Plan, error) {
	if present.Found && !strings.HasPrefix(present.Table.Comment, ownerWord) {
		return plan.Plan{}, &plan.ConflictError{
			Object: present.Table.String(),
			Reason: "another program's table of nf_tables has the name of ours: rename it, or delete it with nft(8)",
		}
	}
	// Without what only the kernel chooses, such as the places of rules, it can be made again.
	present = present.Canonical()
	var steps []plan.Step
	var wanted []rule.Rule
	for _, r := range g.rules {
		wanted = append(wanted, r.Rule)
		if !now.Rules(r.Family).Of(Protocol).Has(r.Rule) {
			steps = append(steps, plan.Step{Op: plan.AddRule, Rule: r.Rule, Uplink: r.way.name, Owner: r.way.owners[0]})
		}
	}
	between := withOldSets(present, g.table)
	if !present.Equal(between) {
		steps = append(steps, plan.Step{
			Op: plan.CommitNFT, NFT: &ruleset.Change{From: present, To: between}, Owner: plan.NoOwner, Commit: true, ReadBack: len(steps) > 0,
		})
	}
	keep := form.MakeSet(wanted...)
	for _, f := range form.Families {
		// The last one first, so that an undo leaves them in their order.
		for _, r := range slices.Backward(now.Rules(f).Of(Protocol).All()) {
			if !keep.Has(r) {
				steps = append(steps, plan.Step{Op: plan.DeleteRule, Rule: r, Owner: plan.NoOwner})
			}
		}
	}
	if !between.Equal(g.table) {
		steps = append(steps, plan.Step{Op: plan.CommitNFT, NFT: &ruleset.Change{From: between, To: g.table}, Owner: plan.NoOwner})
	}
	made := plan.Make(steps, now.Names.OfCommands, now.Names.Etc()).NamedIn(now.Names.File)
	return made.On(now.Rules(route.IPv4).All, now.Rules(route.IPv6).All), nil
}

// ownerWord is how the comment of the table begins.
const ownerWord = "policyroute"

// withOldSets returns a table with the sets that it is not to have any more, which no rule
// uses. They are deleted last, so that nothing is forgotten if a step before that fails.
func withOldSets(present, wanted *nft.Contents) *nft.Contents {
	if !present.Found {
		return wanted
	}
	between := *wanted
	between.Sets = slices.Clone(wanted.Sets)
	for _, s := range present.Sets {
		if !slices.ContainsFunc(wanted.Sets, func(w nft.Set) bool { return w.Name == s.Name }) {
			between.Sets = append(between.Sets, s)
		}
	}
	if len(between.Sets) > 0 {
		between.Found, between.Table = true, present.Table
	}
	return &between
}

// protocolsOf returns the protocols of uplinks.
func protocolsOf(policies []*uplink.Policy) []route.Protocol {
	var all []route.Protocol
	for _, p := range policies {
		all = append(all, p.Spec.Proto())
	}
	return all
}

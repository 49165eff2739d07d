package tabletest

import (
	"context"
	"net/netip"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
)

// Breakable prepares the Internet for failures behind a router, g1 or g2. After cut,
// packets that come in through the router do not reach the client, but the router
// itself still answers. Mend restores the connection.
func (n *Network) Breakable(f Family) (cut, mend func(router string)) {
	n.T.Helper()
	c := n.Dial(n.Net)
	ctx := context.Background()
	client := netip.MustParseAddr(f.Client)
	do := func(err error) {
		n.T.Helper()
		if err != nil {
			n.T.Fatal(err)
		}
	}
	// Make room for a rule before that for the table local.
	local := rule.Rule{
		Family: route.FamilyOf(client), Action: rule.ActionLookup, Table: rttables.Local, Protocol: route.ProtoKernel,
	}
	local.Priority = rule.Priority(100)
	do(rule.Add(ctx, c, local))
	local.Priority = rule.Priority(0)
	do(rule.Delete(ctx, c, local))
	hole := func(router string) rule.Rule {
		return rule.Rule{
			To: netip.PrefixFrom(client, client.BitLen()), IIF: router,
			Action: rule.ActionBlackhole, Priority: rule.Priority(10),
		}
	}
	cut = func(router string) { n.T.Helper(); do(rule.Add(ctx, c, hole(router))) }
	mend = func(router string) { n.T.Helper(); do(rule.Delete(ctx, c, hole(router))) }
	return cut, mend
}

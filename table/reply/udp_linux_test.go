package reply_test

import (
	"testing"

	"github.com/policyroute/policyroute/internal/nft"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/reply"
)

// A UDP server on a socket for all addresses answers from the asked address, by its uplink.
// Without the policy, it answers all from one address: half of the answers are wrong.
func TestUDPAnswers(t *testing.T) {
	for name, f := range families {
		t.Run(name, func(t *testing.T) {
			n, all := newNetwork(t)
			serveAll(n)
			clients, times := tabletest.Times(1000, 100), tabletest.Times(100, 10)
			control := askMany(n, f, clients, 2)
			if control.wrong != clients || control.right != clients || control.lost > 0 {
				t.Errorf("without the policy: %+v; want half of the answers wrong", control)
			}
			install(n, served, all...)
			wantAnswers(n, f, "with the policy", askMany(n, f, clients, times))
			trackConnections(n)
			wantAnswers(n, f, "with connection tracking", askMany(n, f, clients, times))
			install(n, reply.Policy{UDP: served.UDP, Forwarded: true}, all...)
			wantAnswers(n, f, "with Forwarded as well", askMany(n, f, clients, times))
		})
	}
}

// trackConnections adds a firewall that drops what connection tracking calls invalid.
func trackConnections(n *tabletest.Network) {
	n.T.Helper()
	c, err := nft.DialLike(n.Conn)
	if err != nil {
		n.T.Fatal(err)
	}
	n.T.Cleanup(func() { c.Close() })
	var b nft.Batch
	b.AddTable(nft.Table{Family: nft.Inet, Name: "firewall"})
	for name, hook := range map[string]uint32{"in": nft.Input, "out": nft.Output} {
		b.AddChain(nft.Chain{
			Family: nft.Inet, Table: "firewall", Name: name, Base: true, Type: nft.TypeFilter,
			Hook: nft.Hook{Number: hook, Priority: nft.PriorityFilter}, Policy: nft.PolicyAccept,
		})
		b.AddRule(nft.Rule{Family: nft.Inet, Table: "firewall", Chain: name, Exprs: []nft.Expr{
			nft.CT{Key: nft.CTState, Dest: nft.Reg1},
			nft.Bitwise{Source: nft.Reg1, Dest: nft.Reg1, Len: 4, Mask: nft.Host32(nft.StateInvalid), XOR: nft.Host32(0)},
			nft.Cmp{Source: nft.Reg1, Op: nft.NotEqual, Data: nft.Host32(0)},
			nft.Immediate{Verdict: nft.Drop()},
		}})
	}
	if err := nft.Commit(n.T.Context(), c, &b); err != nil {
		n.T.Fatal(err)
	}
}

package reply_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/plan"
	"github.com/policyroute/policyroute/table/reply"
)

// nft(8) makes the same table of the text of a plan as the plan itself does, from nothing and
// from another policy.
func TestTextIsThatOfNFT(t *testing.T) {
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip(err)
	}
	n, all := newNetwork(t)
	other, _ := newNetwork(t)
	all[1].Masquerade, all[2].Unreachable = true, true
	first := reply.Policy{UDP: []rule.Ports{rule.Port(53), rule.PortRange(1194, 1199)}, Forwarded: true}
	for _, d := range []declared{{first, all}, {reply.Policy{UDP: []rule.Ports{reply.AllPorts()}, Mask: 0x700, Forwarded: true}, all[1:]}, {}} {
		p, err := reply.PlanSync(t.Context(), n.Conn, d.Policy, d.Uplinks...)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range p.Steps {
			if s.Op == plan.CommitNFT {
				if out, err := other.Server.Run(strings.Join(s.NFT.Lines(), "\n")+"\n", "nft", "-f", "-"); err != nil {
					t.Fatalf("%v\n%s\n%s", err, out, s)
				}
			}
		}
		before := contents(n)
		if err := p.Apply(t.Context(), n.Conn); err != nil {
			t.Fatal(err)
		}
		tabletest.WantText(t, "by nft(8)", strings.Join(contents(n).Canonical().Lines(), "\n"), strings.Join(contents(other).Canonical().Lines(), "\n"))
		// What the kernel then has can be taken back, and made again.
		for _, back := range []bool{true, false} {
			for i := range p.Steps {
				s := p.Steps[i]
				if back {
					s = p.Steps[len(p.Steps)-1-i]
				}
				if s.Op != plan.CommitNFT {
					continue
				}
				if back {
					s.NFT = s.NFT.Inverse()
				}
				if err := s.NFT.Commit(t.Context(), n.Conn); err != nil {
					t.Fatal(err)
				}
			}
			if back && !contents(n).Equal(before) {
				t.Error("the inverse does not lead back")
			}
		}
	}
}

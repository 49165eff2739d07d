package reply

import (
	"strings"

	"github.com/policyroute/policyroute/internal/nft"
)

// tableComment says whose the table is. The kernel does not change the comment of a table,
// so it does not depend on the policy.
const tableComment = "policyroute: answers leave by the way the question came"

// absent returns what the kernel has without the policy.
func absent() *nft.Contents {
	return &nft.Contents{Table: nft.Table{Family: nft.Inet, Name: TableName}}
}

// render returns the table that a policy needs for some ways.
func render(p *Policy, ways []*way) *nft.Contents {
	w := &tableWriter{contents: absent()}
	if len(p.UDP) > 0 {
		w.udp(p, ways)
	}
	if p.Forwarded {
		w.forwarded(p.mask(), ways)
	}
	w.masquerade(ways)
	if len(w.contents.Rules) > 0 {
		w.contents.Found, w.contents.Table.Comment = true, tableComment
	}
	return w.contents
}

// A tableWriter collects what a table has.
type tableWriter struct{ contents *nft.Contents }

// base adds a chain that sees packets at a hook.
func (w *tableWriter) base(name, kind string, hook uint32, priority int32) {
	w.contents.Chains = append(w.contents.Chains, nft.Chain{
		Family: nft.Inet, Table: TableName, Name: name, Base: true, Type: kind,
		Hook: nft.Hook{Number: hook, Priority: priority}, Policy: nft.PolicyAccept,
	})
}

// chain adds a chain that others go to.
func (w *tableWriter) chain(name string) {
	w.contents.Chains = append(w.contents.Chains, nft.Chain{Family: nft.Inet, Table: TableName, Name: name})
}

// rule adds a rule to a chain.
func (w *tableWriter) rule(chain string, m *match, comment string) {
	w.contents.Rules = append(w.contents.Rules, nft.Rule{
		Family: nft.Inet, Table: TableName, Chain: chain, Exprs: m.exprs, Comment: comment,
	})
}

// commentOf returns a name as the comment of a rule, in which nft(8) has no quotation marks.
func commentOf(name string) string {
	const most = 100
	name = strings.ReplaceAll(strings.ToValidUTF8(name[:min(len(name), most)], ""), `"`, "'")
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == '\\' {
			return '_'
		}
		return r
	}, name)
}

package check_test

import (
	"net/netip"
	"testing"

	"github.com/policyroute/policyroute/internal/nft"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/check"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/reply"
)

// change changes tables of nf_tables.
func change(n *tabletest.Network, add func(*nft.Batch)) {
	n.T.Helper()
	c, err := nft.DialLike(n.Conn)
	if err != nil {
		n.T.Fatal(err)
	}
	defer c.Close()
	b := new(nft.Batch)
	add(b)
	if err := nft.Commit(n.T.Context(), c, b); err != nil {
		n.T.Fatal(err)
	}
}

// replyCodes returns the findings about answers, one a line.
func replyCodes(n *tabletest.Network, config *check.Config, uplinks ...check.Uplink) (text string) {
	n.T.Helper()
	found, err := check.Examine(n.T.Context(), n.Conn, config, uplinks...)
	if err != nil {
		n.T.Fatal(err)
	}
	for _, f := range found {
		switch f.Code {
		case check.CodeReplyAbsent, check.CodeReplyChanged, check.CodeMarkConflict, check.CodeValidMark, check.CodeUntracked,
			check.CodePublishedAddress, check.CodeWildcardUDP:
			text += string(f.Code) + " " + f.Uplink + " " + f.Object + ": " + f.Cure + "\n"
		}
	}
	return text
}

// A policy for answers that is absent or changed is found, and so are rules that change its
// marks, and strict filters that ignore them.
func TestFindingReplies(t *testing.T) {
	n := tabletest.NewNetwork(t)
	u1, u2 := n.Uplink1(tabletest.IPv4), n.Uplink2(tabletest.IPv4)
	n.Install(u1, u2)
	uplinks := []check.Uplink{{SourceRoutedUplink: u1}, {SourceRoutedUplink: u2}}
	tabletest.ServeUDP(t, n.Server, "udp4", "0.0.0.0:5060")
	config := &check.Config{}
	want := func(what, want string) {
		t.Helper()
		tabletest.WantText(t, what, want, replyCodes(n, config, uplinks...))
	}
	want("without a policy", "udp-wildcard lan2 udp 0.0.0.0:5060: add the line reply udp 5060, and run uplinks up; or bind the server to the address; "+
		"if the server uses IP_PKTINFO, add the line multihome udp 5060; to find the server: ss -ulnp sport = 5060\n")
	policy := reply.Policy{UDP: []rule.Ports{rule.PortRange(5000, 6000)}, Forwarded: true}
	config.Reply = &policy
	want("with a policy that is not installed", "reply-absent  table inet policyroute: uplinks up\n")
	members := []reply.Uplink{{SourceRoutedUplink: u1}, {SourceRoutedUplink: u2}}
	if err := reply.Install(t.Context(), n.Conn, policy, members...); err != nil {
		t.Fatal(err)
	}
	want("with an installed policy", "")
	policy.UDP = append(policy.UDP, rule.Port(53))
	want("with another one", "reply-changed  nft inet policyroute: uplinks up\n")
	policy.UDP = policy.UDP[:1]

	// A program that sets whole marks, and one that keeps the bits of the policy.
	host := func(mask, value uint32) []nft.Expr {
		return []nft.Expr{
			nft.Meta{Key: nft.MetaMark, Dest: nft.Reg1},
			nft.Bitwise{Source: nft.Reg1, Dest: nft.Reg1, Len: 4, Mask: nft.Host32(mask), XOR: nft.Host32(value)},
			nft.Meta{Key: nft.MetaMark, Source: nft.Reg1},
		}
	}
	mangle := func(exprs []nft.Expr) {
		t.Helper()
		change(n, func(b *nft.Batch) {
			b.AddTable(nft.Table{Family: nft.IPv4, Name: "other"})
			b.DeleteTable(nft.Table{Family: nft.IPv4, Name: "other"})
			b.AddTable(nft.Table{Family: nft.IPv4, Name: "other"})
			b.AddChain(nft.Chain{
				Family: nft.IPv4, Table: "other", Name: "pre", Base: true, Type: nft.TypeFilter,
				Hook: nft.Hook{Number: nft.Prerouting}, Policy: nft.PolicyAccept,
			})
			b.AddRule(nft.Rule{Family: nft.IPv4, Table: "other", Chain: "pre", Exprs: exprs})
		})
	}
	mangle(host(0xff00ffff, 0x80000))
	want("with marks in other bits", "")
	const conflict = "mark-conflict  table ip other chain pre: give the line other bits, such as reply forwarded mark 0x100/0xf00, " +
		"or change the other rule so that it keeps these bits\n"
	mangle(host(0xffffffbf, 0x40))
	want("with marks in the same bits", conflict)
	mangle([]nft.Expr{nft.Immediate{Dest: nft.Reg1, Data: nft.Host32(0x80000)}, nft.Meta{Key: nft.MetaMark, Source: nft.Reg1}})
	want("with whole marks", conflict)
	mangle([]nft.Expr{nft.CT{Key: nft.CTMark, Dest: nft.Reg1}, nft.Meta{Key: nft.MetaMark, Source: nft.Reg1}})
	want("with restored whole marks", conflict)
	mangle(nil)

	n.Server.Sysctl("net.ipv4.conf.u2.rp_filter", "1")
	want("with a strict filter", "src-valid-mark lan2 u2: sysctl -w net.ipv4.conf.all.src_valid_mark=1\n")
	n.Server.Sysctl("net.ipv4.conf.all.src_valid_mark", "1")
	want("with a strict filter that looks at marks", "")
}

// Rules that publish ports are found, of nf_tables and of iptables, until the policy is about
// forwarded connections.
func TestFindingDNAT(t *testing.T) {
	n := tabletest.NewNetwork(t)
	u1, u2 := n.Uplink1(tabletest.IPv4), n.Uplink2(tabletest.IPv4)
	n.Install(u1, u2)
	uplinks := []check.Uplink{{SourceRoutedUplink: u1}, {SourceRoutedUplink: u2}}
	tabletest.WantText(t, "without a rule", "", replyCodes(n, nil, uplinks...))
	change(n, func(b *nft.Batch) {
		b.AddTable(nft.Table{Family: nft.IPv4, Name: "published"})
		b.AddChain(nft.Chain{
			Family: nft.IPv4, Table: "published", Name: "pre", Base: true, Type: nft.TypeNAT,
			Hook: nft.Hook{Number: nft.Prerouting, Priority: nft.PriorityDstNAT}, Policy: nft.PolicyAccept,
		})
		b.AddRule(nft.Rule{Family: nft.IPv4, Table: "published", Chain: "pre", Exprs: []nft.Expr{
			nft.Immediate{Dest: nft.Reg1, Data: nft.Addr(tabletest.NumberedAddr(netip.MustParsePrefix("172.17.0.0/24"), 10))},
			nft.NAT{Type: nft.DestNAT, Family: nft.IPv4, AddrMin: nft.Reg1, AddrMax: nft.Reg1},
		}})
	})
	tabletest.WantText(t, "with a rule", "dnat lan2 table ip published chain pre: add the line reply forwarded\n", replyCodes(n, nil, uplinks...))
	policy := reply.Policy{Forwarded: true}
	if err := reply.Install(t.Context(), n.Conn, policy, reply.Uplink{SourceRoutedUplink: u1}, reply.Uplink{SourceRoutedUplink: u2}); err != nil {
		t.Fatal(err)
	}
	tabletest.WantText(t, "with the policy", "", replyCodes(n, &check.Config{Reply: &policy}, uplinks...))
}

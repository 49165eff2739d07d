package ruleset_test

import (
	"testing"

	"github.com/policyroute/policyroute/internal/nft"
	"github.com/policyroute/policyroute/table/internal/ruleset"
)

// What has no words is in brackets, and rules that make no sense have some text as well:
// another program may have written them.
func TestRuleText(t *testing.T) {
	for _, x := range []struct {
		exprs []nft.Expr
		want  string
	}{
		{nil, ""},
		{[]nft.Expr{nft.Counter{Packets: 5, Bytes: 9}}, "[ counter pkts 5 bytes 9 ]"},
		{[]nft.Expr{nft.Raw{Expr: "socket", Data: "\x01"}}, "[ socket 01 ]"},
		{[]nft.Expr{nft.Cmp{Source: nft.Reg1, Data: "\x01"}}, "[ cmp eq reg 1 0x00000001 ]"},
		{[]nft.Expr{nft.Meta{Key: nft.MetaL4Proto, Dest: nft.Reg1}, nft.Cmp{Source: nft.Reg1}}, "meta l4proto 0x"},
		{[]nft.Expr{nft.Meta{Key: nft.MetaMark, Dest: nft.Reg1}, nft.Bitwise{Source: nft.Reg1, Dest: nft.Reg1}, nft.Cmp{Source: nft.Reg1}}, "meta mark & 0x == 0x"},
		{[]nft.Expr{nft.SourceAddr(nft.IPv4, nft.Reg1), nft.Cmp{Source: nft.Reg1, Data: "abcdefgh"}}, "ip saddr invalid Prefix"},
		{[]nft.Expr{nft.Lookup{Set: "x", Source: nft.Reg3}}, " @x"},
		{[]nft.Expr{nft.Meta{Key: nft.MetaMark, Source: nft.Reg1}}, "meta mark set "},
		{[]nft.Expr{nft.Payload{Dest: nft.Reg1, Base: nft.LinkHeader, Len: 6}}, "[ payload load 6b @ link header + 0 => reg 1 ]"},
		{[]nft.Expr{nft.SetSourceAddr(nft.IPv6, nft.Reg1)}, "ip6 saddr set ::/0"},
		{[]nft.Expr{nft.SourcePort(nft.Reg1), nft.Cmp{Source: nft.Reg1, Op: nft.LessOrEqual, Data: nft.Big16(9)}}, "th sport-9"},
	} {
		r := nft.Rule{Exprs: x.exprs}
		if got := ruleset.RuleText(&r); got != x.want {
			t.Errorf("%v: %q, want %q", x.exprs, got, x.want)
		}
	}
	r := nft.Rule{Comment: `say "x"`}
	if got := ruleset.RuleText(&r); got != `comment "say 'x'"` {
		t.Error(got)
	}
}

// A change leads there and back, whatever differs.
func TestDifference(t *testing.T) {
	table := func(make func(*nft.Contents)) *nft.Contents {
		c := &nft.Contents{Found: true, Table: nft.Table{Family: nft.Inet, Name: "t", Comment: "ours"}}
		make(c)
		return c
	}
	chain := func(name string) nft.Chain { return nft.Chain{Family: nft.Inet, Table: "t", Name: name} }
	set := func(name string, size uint32) nft.Set {
		return nft.Set{Family: nft.Inet, Table: "t", Name: name, Key: nft.TypeIPv4Addr, Size: size}
	}
	rule := func(chain, to string) nft.Rule {
		return nft.Rule{Family: nft.Inet, Table: "t", Chain: chain, Exprs: []nft.Expr{nft.Immediate{Verdict: nft.Goto(to)}}}
	}
	absent := &nft.Contents{Table: nft.Table{Family: nft.Inet, Name: "t"}}
	a := table(func(c *nft.Contents) {
		c.Chains, c.Sets, c.Rules = []nft.Chain{chain("x"), chain("y")}, []nft.Set{set("s", 1)}, []nft.Rule{rule("x", "y")}
	})
	b := table(func(c *nft.Contents) {
		c.Chains, c.Sets, c.Rules = []nft.Chain{chain("x"), chain("z")}, []nft.Set{set("s", 1)}, []nft.Rule{rule("x", "z")}
	})
	bigger := table(func(c *nft.Contents) {
		c.Chains, c.Sets, c.Rules = []nft.Chain{chain("x"), chain("y")}, []nft.Set{set("s", 2)}, []nft.Rule{rule("x", "y")}
	})
	for _, x := range []struct {
		from, to *nft.Contents
		want     string
	}{
		{absent, absent, ""},
		{a, a, ""},
		{absent, a, `add table inet t { comment "ours"; }; add set inet t s { type ipv4_addr; size 1; }; add chain inet t x; add chain inet t y; add rule inet t x goto y; `},
		{a, absent, "delete table inet t; "},
		{a, b, "flush chain inet t x; flush chain inet t y; delete chain inet t y; add chain inet t z; add rule inet t x goto z; "},
		{a, bigger, "flush chain inet t x; flush chain inet t y; delete set inet t s; add set inet t s { type ipv4_addr; size 2; }; add rule inet t x goto y; "},
	} {
		c := &ruleset.Change{From: x.from, To: x.to}
		got := ""
		for _, line := range c.Lines() {
			got += line + "; "
		}
		if got != x.want {
			t.Errorf("got  %s\nwant %s", got, x.want)
		}
		if back := c.Inverse().(*ruleset.Change); back.From != c.To || back.To != c.From || c.Table() != "inet t" {
			t.Error("the inverse is not the way back")
		}
	}
}

package nft_test

import (
	"net/netip"
	"testing"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/internal/nft"
)

func TestSmoke(t *testing.T) {
	l := lab.Test(t)
	ns := l.NS("a")
	c, err := nft.Dial(ns.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx := t.Context()
	tab := nft.Table{Family: nft.Inet, Name: "pr", Comment: "hello"}
	out := nft.Chain{Family: nft.Inet, Table: "pr", Name: "out", Base: true, Type: nft.TypeRoute, Hook: nft.Hook{Number: nft.Output, Priority: nft.PriorityRaw}, Comment: "answers"}
	pre := nft.Chain{Family: nft.Inet, Table: "pr", Name: "pre", Base: true, Type: nft.TypeFilter, Hook: nft.Hook{Number: nft.Prerouting, Priority: nft.PriorityMangle}}
	asked := nft.Set{Family: nft.Inet, Table: "pr", Name: "asked", Flags: nft.Dynamic | nft.Timeout, Key: nft.ConcatOf(nft.TypeIPv4Addr, nft.TypeInetService, nft.TypeInetService), Size: 65536, Timeout: 180000, Comment: "clients"}
	var b nft.Batch
	b.AddTable(tab)
	b.AddChain(out)
	b.AddChain(pre)
	b.AddSet(asked)
	b.AddRule(nft.Rule{Family: nft.Inet, Table: "pr", Chain: "pre", Comment: "remember", Exprs: []nft.Expr{
		nft.Meta{Key: nft.MetaNFProto, Dest: nft.Reg1}, nft.Cmp{Source: nft.Reg1, Data: nft.Byte(2)},
		nft.Meta{Key: nft.MetaL4Proto, Dest: nft.Reg1}, nft.Cmp{Source: nft.Reg1, Data: nft.Byte(17)},
		nft.FIB{Dest: nft.Reg1, Result: nft.FIBAddrType, Flags: nft.FIBDest}, nft.Cmp{Source: nft.Reg1, Data: nft.Host32(2)},
		nft.SourceAddr(nft.IPv4, nft.Reg1), nft.SourcePort(nft.Reg32(1)), nft.DestPort(nft.Reg32(2)),
		nft.Dynset{Set: "asked", Op: nft.DynsetUpdate, Key: nft.Reg1},
	}})
	b.AddRule(nft.Rule{Family: nft.Inet, Table: "pr", Chain: "out", Comment: "put back", Exprs: []nft.Expr{
		nft.Meta{Key: nft.MetaNFProto, Dest: nft.Reg1}, nft.Cmp{Source: nft.Reg1, Data: nft.Byte(2)},
		nft.Meta{Key: nft.MetaL4Proto, Dest: nft.Reg1}, nft.Cmp{Source: nft.Reg1, Data: nft.Byte(17)},
		nft.DestAddr(nft.IPv4, nft.Reg1), nft.DestPort(nft.Reg32(1)), nft.SourcePort(nft.Reg32(2)),
		nft.Lookup{Set: "asked", Source: nft.Reg1},
		nft.Immediate{Dest: nft.Reg1, Data: nft.Addr(netip.MustParseAddr("10.2.0.2"))},
		nft.SetSourceAddr(nft.IPv4, nft.Reg1),
		nft.Counter{},
	}})
	if err := nft.Commit(ctx, c, &b); err != nil {
		t.Fatal(err)
	}
	s, err := ns.Run("", "nft", "list", "ruleset")
	t.Log(s, err)
	now, err := nft.Read(ctx, c, nft.Inet, "pr")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", now)
	for _, r := range now.Rules {
		for _, e := range r.Exprs {
			t.Log(e)
		}
	}
	b = nft.Batch{Generation: now.Generation - 1}
	b.AddTable(tab)
	t.Log(nft.Commit(ctx, c, &b))
	b = nft.Batch{Generation: now.Generation}
	b.CreateTable(tab)
	b.CreateChain(nft.Chain{Family: nft.Inet, Table: "prx", Name: "out"})
	b.AddRule(nft.Rule{Family: nft.Inet, Table: "pr", Chain: "out", Comment: "put back", Exprs: []nft.Expr{
		nft.Meta{Key: nft.MetaNFProto, Dest: nft.Reg1}, nft.Cmp{Source: nft.Reg1, Data: nft.Byte(2)}, nft.Raw{Expr: "bla"}}})
	b.AddRule(nft.Rule{Family: nft.Inet, Table: "pr", Chain: "out", Comment: "put back", Exprs: []nft.Expr{
		nft.Meta{Key: nft.MetaNFProto, Dest: nft.Reg1}, nft.Cmp{Source: nft.Reg1, Data: nft.Byte(2)}, nft.Masq{}}})
	t.Log(nft.Commit(ctx, c, &b))
	h, err := nft.ReadHost(ctx, c, nft.AnyFamily)
	t.Log(h, err)
}

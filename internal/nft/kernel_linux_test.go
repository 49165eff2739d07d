package nft_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/internal/nft"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
)

// host returns a namespace of its own, and a socket in it.
func host(t *testing.T) (*lab.NS, *rtnl.Conn) {
	t.Helper()
	ns := lab.Test(t).NS("host")
	return ns, dial(t, ns)
}

func dial(t *testing.T, ns *lab.NS) *rtnl.Conn {
	t.Helper()
	c, err := nft.Dial(ns.Config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func commit(t *testing.T, c nft.Conn, fill func(*nft.Batch)) {
	t.Helper()
	var b nft.Batch
	fill(&b)
	if err := nft.Commit(t.Context(), c, &b); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, c nft.Conn, f nft.Family, table string) *nft.Contents {
	t.Helper()
	now, err := nft.Read(t.Context(), c, f, table)
	if err != nil {
		t.Fatal(err)
	}
	return now
}

const table = "pr"

func equal(e nft.Expr, data string) []nft.Expr {
	return []nft.Expr{e, nft.Cmp{Source: nft.Reg1, Data: data}}
}

func join(parts ...[]nft.Expr) []nft.Expr { return slices.Concat(parts...) }

func verdict(v nft.Verdict) []nft.Expr { return []nft.Expr{nft.Immediate{Verdict: v}} }

var (
	isUDP  = equal(nft.Meta{Key: nft.MetaL4Proto, Dest: nft.Reg1}, nft.Byte(uapi.IPPROTO_UDP))
	isIPv4 = equal(nft.Meta{Key: nft.MetaNFProto, Dest: nft.Reg1}, nft.Byte(uint8(nft.IPv4)))
	isIPv6 = equal(nft.Meta{Key: nft.MetaNFProto, Dest: nft.Reg1}, nft.Byte(uint8(nft.IPv6)))
)

func rule(chain, comment string, exprs ...[]nft.Expr) nft.Rule {
	return nft.Rule{Family: nft.Inet, Table: table, Chain: chain, Comment: comment, Exprs: join(exprs...)}
}

func set(name string, flags nft.SetFlags, key nft.Type, comment string) nft.Set {
	return nft.Set{Family: nft.Inet, Table: table, Name: name, Flags: flags, Key: key, Comment: comment}
}

// everything is a table that has each kind of object and expression that this package makes.
func everything() *nft.Contents {
	base := func(name, typ string, hook uint32, priority int32, comment string) nft.Chain {
		return nft.Chain{Family: nft.Inet, Table: table, Name: name, Base: true, Type: typ,
			Hook: nft.Hook{Number: hook, Priority: priority}, Comment: comment}
	}
	asked4 := set("asked4", nft.Dynamic|nft.Timeout, nft.ConcatOf(nft.TypeIPv4Addr, nft.TypeInetService, nft.TypeInetService), "who asked 10.2.0.2")
	asked4.Size, asked4.Timeout, asked4.GCInterval = 1000, 180_000, 10_000
	asked6 := set("asked6", nft.Dynamic|nft.Timeout, nft.ConcatOf(nft.TypeIPv6Addr, nft.TypeInetService, nft.TypeInetService), "who asked fd00::2")
	asked6.Size, asked6.Timeout = 1000, 180_000
	marks := set("marks", nft.Map, nft.TypeIfName, "a mark for each uplink")
	marks.Data = nft.TypeMark
	verdicts := set("verdicts", nft.Map, nft.TypeMark, "")
	verdicts.Data = nft.TypeVerdict
	nets := set("nets", nft.Interval|nft.Concat, nft.ConcatOf(nft.TypeIPv4Addr, nft.TypeInetService), "")
	nets.Fields = nft.Lengths(nft.TypeIPv4Addr, nft.TypeInetService)
	drop := base("in", nft.TypeNAT, nft.Prerouting, nft.PriorityDstNAT, "published ports")
	drop.Policy = nft.PolicyAccept
	return &nft.Contents{
		Found: true,
		Table: nft.Table{Family: nft.Inet, Name: table, Comment: "answers of uplinks"},
		Chains: []nft.Chain{
			base("out", nft.TypeRoute, nft.Output, nft.PriorityRaw, "answers go out by their uplink"),
			base("pre", nft.TypeFilter, nft.Prerouting, nft.PriorityMangle, ""),
			base("post", nft.TypeNAT, nft.Postrouting, nft.PrioritySrcNAT, ""),
			drop,
			{Family: nft.Inet, Table: table, Name: "sub"},
		},
		Sets: []nft.Set{asked4, asked6, set("ports", nft.Interval, nft.TypeInetService, "of servers"), marks, verdicts, nets},
		Elements: map[string][]nft.Element{
			"ports": withComment(nft.Between(nft.Big16(1194), nft.Big16(1199)), "openvpn"),
			"marks": {{Key: nft.IfName("eth0"), Data: nft.Host32(0x100)}, {Key: nft.IfName("eth1"), Data: nft.Host32(0x200), Comment: "second"}},
			"verdicts": {{Key: nft.Host32(1), Verdict: nft.Accept()}, {Key: nft.Host32(2), Verdict: nft.Jump("sub")},
				{Key: nft.Host32(3), Verdict: nft.Drop()}},
			"nets": {{Key: nft.Key(addr("10.0.0.0"), nft.Big16(1)), KeyEnd: nft.Key(addr("10.255.255.255"), nft.Big16(1024))}},
		},
		Rules: everyRule(),
	}
}

func withComment(elements []nft.Element, comment string) []nft.Element {
	elements[0].Comment = comment
	return elements
}

func addr(s string) string { return nft.Addr(netip.MustParseAddr(s)) }

func everyRule() []nft.Rule {
	ctMark := nft.CT{Key: nft.CTMark, Dest: nft.Reg1}
	masked := func(mask, xor uint32) nft.Expr {
		return nft.Bitwise{Source: nft.Reg1, Dest: nft.Reg1, Len: 4, Mask: nft.Host32(mask), XOR: nft.Host32(xor)}
	}
	notZero := nft.Cmp{Source: nft.Reg1, Op: nft.NotEqual, Data: nft.Host32(0)}
	local := equal(nft.FIB{Dest: nft.Reg1, Result: nft.FIBAddrType, Flags: nft.FIBDest}, nft.Host32(2))
	return []nft.Rule{
		rule("out", "put the address back", isIPv4, isUDP,
			[]nft.Expr{nft.DestAddr(nft.IPv4, nft.Reg1), nft.DestPort(nft.Reg32(1)), nft.SourcePort(nft.Reg32(2)), nft.Lookup{Set: "asked4", Source: nft.Reg1},
				nft.Immediate{Dest: nft.Reg1, Data: addr("10.2.0.2")}, nft.SetSourceAddr(nft.IPv4, nft.Reg1), nft.Counter{}}),
		rule("out", "the same of IPv6", isIPv6, isUDP,
			[]nft.Expr{nft.DestAddr(nft.IPv6, nft.Reg1), nft.DestPort(nft.Reg2), nft.SourcePort(nft.Reg32(5)), nft.Lookup{Set: "asked6", Source: nft.Reg1},
				nft.Immediate{Dest: nft.Reg1, Data: addr("fd00::2")}, nft.SetSourceAddr(nft.IPv6, nft.Reg1)}),
		rule("out", "", equal(nft.Meta{Key: nft.MetaOIF, Dest: nft.Reg1}, nft.Host32(1)), []nft.Expr{nft.Notrack{}}),
		rule("pre", "remember who asked", isIPv4, local, isUDP,
			[]nft.Expr{nft.DestPort(nft.Reg1), nft.Lookup{Set: "ports", Source: nft.Reg1},
				nft.SourceAddr(nft.IPv4, nft.Reg1), nft.SourcePort(nft.Reg32(1)), nft.DestPort(nft.Reg32(2)),
				nft.Dynset{Set: "asked4", Op: nft.DynsetUpdate, Key: nft.Reg1, Timeout: 60_000}}),
		rule("pre", "", isIPv6, isUDP, []nft.Expr{
			nft.SourceAddr(nft.IPv6, nft.Reg1), nft.SourcePort(nft.Reg2), nft.DestPort(nft.Reg32(5)),
			nft.Dynset{Set: "asked6", Op: nft.DynsetDelete, Key: nft.Reg1}}),
		rule("pre", "mark what eth0 begins", equal(nft.Meta{Key: nft.MetaIIFName, Dest: nft.Reg1}, nft.IfName("eth0")),
			[]nft.Expr{nft.CT{Key: nft.CTState, Dest: nft.Reg1}, masked(nft.StateNew, 0), notZero,
				ctMark, masked(0x00ffffff, 0x01000000), nft.CT{Key: nft.CTMark, Source: nft.Reg1}}),
		rule("pre", "", equal(nft.CT{Key: nft.CTDirKey, Dest: nft.Reg1}, nft.Byte(uapi.IP_CT_DIR_REPLY)),
			[]nft.Expr{ctMark, masked(0xff000000, 0), nft.Meta{Key: nft.MetaMark, Source: nft.Reg1}}),
		rule("pre", "", equal(nft.Meta{Key: nft.MetaIIFName, Dest: nft.Reg1}, nft.IfPrefix("ppp")),
			equal(nft.CT{Key: nft.CTSourceIP, Dest: nft.Reg1, Direction: nft.Original}, addr("10.0.0.1")), verdict(nft.Return())),
		rule("pre", "", []nft.Expr{nft.Meta{Key: nft.MetaIIFName, Dest: nft.Reg1},
			nft.Lookup{Set: "marks", Source: nft.Reg1, Map: true, Dest: nft.Reg1}, nft.Meta{Key: nft.MetaMark, Source: nft.Reg1}}),
		rule("pre", "", isIPv4, isUDP, []nft.Expr{nft.DestAddr(nft.IPv4, nft.Reg1), nft.DestPort(nft.Reg32(1)),
			nft.Lookup{Set: "nets", Source: nft.Reg1, Not: true}}, verdict(nft.Jump("sub"))),
		rule("pre", "", isUDP, []nft.Expr{nft.DestPort(nft.Reg1), nft.Range{Source: nft.Reg1, Not: true, From: nft.Big16(10), To: nft.Big16(20)},
			nft.DestPort(nft.Reg1), nft.Cmp{Source: nft.Reg1, Op: nft.GreaterOrEqual, Data: nft.Big16(5)}}, verdict(nft.Goto("sub"))),
		rule("post", "", equal(nft.Meta{Key: nft.MetaOIFName, Dest: nft.Reg1}, nft.IfName("eth0")), []nft.Expr{nft.Masq{}}),
		rule("post", "", []nft.Expr{nft.Meta{Key: nft.MetaMark, Dest: nft.Reg1},
			nft.Lookup{Set: "verdicts", Source: nft.Reg1, Map: true, Dest: nft.RegVerdict}}),
		rule("in", "", isIPv4, isUDP, equal(nft.DestPort(nft.Reg1), nft.Big16(53)),
			[]nft.Expr{nft.Immediate{Dest: nft.Reg1, Data: addr("10.9.0.1")}, nft.Immediate{Dest: nft.Reg2, Data: nft.Big16(5353)},
				nft.NAT{Type: nft.DestNAT, Family: nft.IPv4, AddrMin: nft.Reg1, ProtoMin: nft.Reg2, Flags: 2}}),
		rule("in", "", isUDP, equal(nft.DestPort(nft.Reg1), nft.Big16(54)),
			[]nft.Expr{nft.Immediate{Dest: nft.Reg1, Data: nft.Big16(5353)}, nft.Redir{ProtoMin: nft.Reg1, Flags: 2}}),
		rule("sub", "", isUDP, verdict(nft.Drop())),
		rule("sub", "", verdict(nft.Accept())),
	}
}

// add adds the objects of want in an order that the kernel takes.
func add(b *nft.Batch, want *nft.Contents) {
	b.CreateTable(want.Table)
	for _, c := range want.Chains {
		b.CreateChain(c)
	}
	for _, s := range want.Sets {
		b.CreateSet(s)
		b.AddElements(s, want.Elements[s.Name]...)
	}
	for _, r := range want.Rules {
		b.AddRule(r)
	}
}

// Everything that this package makes comes back from the kernel as it was sent.
func TestKernelRoundTrip(t *testing.T) {
	_, c := host(t)
	want := everything()
	commit(t, c, func(b *nft.Batch) { add(b, want) })
	now := read(t, c, nft.Inet, table)
	if !now.Equal(want) {
		t.Errorf("sent (-) and read (+):\n%s\n%s", cmp.Diff(want.Lines(), now.Lines()), difference(want, now))
	}
	if !now.Found || now.Generation == 0 || now.Table.Handle == 0 || now.Table.Use != uint32(len(want.Chains)+len(want.Sets)) {
		t.Errorf("generation %d, table %+v", now.Generation, now.Table)
	}
	// What was read can be sent: the table of another namespace becomes the same.
	_, other := host(t)
	commit(t, other, func(b *nft.Batch) { add(b, now.Canonical()) })
	if there := read(t, other, nft.Inet, table); !there.Equal(want) {
		t.Errorf("sent again:\n%s", cmp.Diff(want.Lines(), there.Lines()))
	}
	// A difference is seen.
	for what, change := range map[string]func(*nft.Contents){
		"comment": func(n *nft.Contents) { n.Rules[0].Comment = "x" },
		"expr":    func(n *nft.Contents) { n.Rules[0].Exprs = n.Rules[0].Exprs[1:] },
		"order":   func(n *nft.Contents) { n.Rules[0], n.Rules[1] = n.Rules[1], n.Rules[0] },
		"set":     func(n *nft.Contents) { n.Sets[0].Timeout++ },
		"element": func(n *nft.Contents) { n.Elements["marks"][0].Data = nft.Host32(1) },
		"policy":  func(n *nft.Contents) { n.Chains[0].Policy = nft.PolicyDrop },
		"table":   func(n *nft.Contents) { n.Table.Flags = nft.Dormant },
	} {
		n := now.Canonical()
		if change(n); n.Equal(want) {
			t.Errorf("a change of %s makes no difference", what)
		}
	}
}

// difference returns all differences of two tables.
func difference(a, b *nft.Contents) string {
	a, b = a.Canonical(), b.Canonical()
	type fields nft.Contents // without the method Equal
	return cmp.Diff((*fields)(a), (*fields)(b))
}

// A refused batch changes nothing, and the error names the objects.
func TestKernelRefused(t *testing.T) {
	_, c := host(t)
	commit(t, c, func(b *nft.Batch) { add(b, everything()) })
	before := read(t, c, nft.Inet, table)
	var b nft.Batch
	b.AddChain(nft.Chain{Family: nft.Inet, Table: table, Name: "new"})
	b.CreateTable(nft.Table{Family: nft.Inet, Name: table})
	b.CreateChain(nft.Chain{Family: nft.Inet, Table: "absent", Name: "x"})
	b.AddRule(rule("sub", "bad", isUDP, []nft.Expr{nft.Lookup{Set: "absent", Source: nft.Reg1}}))
	b.AddRule(rule("sub", "worse", isUDP, []nft.Expr{nft.Raw{Expr: "no such expression"}}))
	b.DeleteSet(set("asked4", 0, nft.TypeMark, ""))
	b.AddElements(set("absent", 0, nft.TypeMark, ""), nft.Element{Key: nft.Host32(1)})
	b.AddChain(nft.Chain{Family: nft.Inet, Table: table, Name: "last"})
	err := nft.Commit(t.Context(), c, &b)
	var refused *nft.RefusedError
	if !errors.As(err, &refused) || !errors.Is(err, fs.ErrExist) || !rtnl.IsVerdict(err) {
		t.Fatalf("error %v", err)
	}
	var got []string
	for _, r := range refused.Refusals {
		got = append(got, fmt.Sprintf("%d %s %s %s %d", r.Index, r.Verb, r.Object, r.Attr, r.Expr))
	}
	want := []string{
		"1 create table inet pr NFTA_TABLE_NAME 0",
		"2 create chain inet absent x NFTA_CHAIN_TABLE 0",
		"3 add rule inet pr sub comment bad NFTA_RULE_EXPRESSIONS 3",
		"4 add rule inet pr sub comment worse NFTA_RULE_EXPRESSIONS 3",
		"5 delete set inet pr asked4 NFTA_SET_NAME 0",
		"6 add elements of set inet pr absent NFTA_SET_ELEM_LIST_SET 0",
	}
	if !sameRefusals(got, want) {
		t.Errorf("refusals (-want +got):\n%s", cmp.Diff(want, got))
	}
	if text := err.Error(); !strings.Contains(text, `nft: add "rule inet pr sub comment worse": no such file or directory (expression 3)`) {
		t.Errorf("text %s", text)
	}
	after := read(t, c, nft.Inet, table)
	if after.Generation != before.Generation || !after.Equal(before) {
		t.Errorf("changed from generation %d to %d:\n%s", before.Generation, after.Generation, cmp.Diff(before.Lines(), after.Lines()))
	}
}

// sameRefusals compares refusals. Kernels differ in the attribute that they point at.
func sameRefusals(got, want []string) bool {
	return slices.EqualFunc(got, want, func(g, w string) bool {
		gw, ww := strings.Fields(g), strings.Fields(w)
		n := len(ww) - 2
		return slices.Equal(gw[:min(n, len(gw))], ww[:n]) && (len(gw) == n+1 || slices.Equal(gw[n:], ww[n:]))
	})
}

// What cannot be sent is refused before anything is sent.
func TestKernelNotSent(t *testing.T) {
	_, c := host(t)
	for want, fill := range map[string]func(*nft.Batch){
		"NFTA_TABLE_USERDATA: a comment of 128 bytes": func(b *nft.Batch) {
			b.AddTable(nft.Table{Family: nft.Inet, Name: table, Comment: strings.Repeat("x", 128)})
		},
		"contains a NUL": func(b *nft.Batch) { b.AddTable(nft.Table{Family: nft.Inet, Name: "a\x00b"}) },
		"longer than 255 bytes": func(b *nft.Batch) {
			b.AddTable(nft.Table{Family: nft.Inet, Name: strings.Repeat("x", 256)})
		},
		"expression 1 (cmp): NFTA_CMP_DATA: a value of 65 bytes": func(b *nft.Batch) {
			b.AddRule(rule("sub", "", []nft.Expr{nft.Cmp{Source: nft.Reg1, Data: strings.Repeat("x", 65)}}))
		},
		"deleted by its handle": func(b *nft.Batch) { b.DeleteRule(rule("sub", "")) },
	} {
		var b nft.Batch
		b.AddTable(nft.Table{Family: nft.Inet, Name: "other"})
		fill(&b)
		err := nft.Commit(t.Context(), c, &b)
		if err == nil || !strings.Contains(err.Error(), want) || !rtnl.IsVerdict(err) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if g, err := nft.GetGeneration(t.Context(), c); err != nil || g.ID != 1 {
		t.Errorf("generation %d, %v", g.ID, err)
	}
}

// A batch that is based on an old generation is refused, and Update starts again.
func TestKernelStale(t *testing.T) {
	ns, c := host(t)
	other := dial(t, ns)
	commit(t, c, func(b *nft.Batch) { b.AddTable(nft.Table{Family: nft.IPv4, Name: table}) })
	now := read(t, c, nft.IPv4, table)
	commit(t, other, func(b *nft.Batch) { b.AddTable(nft.Table{Family: nft.IPv6, Name: "of another"}) })
	b := nft.Batch{Generation: now.Generation}
	b.DeleteTable(now.Table)
	if err := nft.Commit(t.Context(), c, &b); !errors.Is(err, nft.ErrStale) || !rtnl.IsVerdict(err) {
		t.Errorf("error %v, want ErrStale", err)
	}
	if !read(t, c, nft.IPv4, table).Found {
		t.Error("the table is gone")
	}
	calls := 0
	err := nft.Update(t.Context(), c, nft.IPv4, table, func(now *nft.Contents) (*nft.Batch, error) {
		if calls++; calls < 4 {
			commit(t, other, func(b *nft.Batch) { b.AddTable(nft.Table{Family: nft.IPv6, Name: fmt.Sprint(calls)}) })
		}
		var b nft.Batch
		b.DeleteTable(now.Table)
		return &b, nil
	})
	if err != nil || calls != 4 || read(t, c, nft.IPv4, table).Found {
		t.Errorf("%d calls, error %v", calls, err)
	}
}

// A table with the flag Owner goes with the socket that made it, and nobody else can change it.
func TestKernelOwner(t *testing.T) {
	ns, c := host(t)
	owner, err := nft.Dial(ns.Config())
	if err != nil {
		t.Fatal(err)
	}
	owned := nft.Table{Family: nft.Inet, Name: table, Flags: nft.Owner}
	commit(t, owner, func(b *nft.Batch) { b.AddTable(owned) })
	if now := read(t, c, nft.Inet, table); !now.Found || now.Table.OwnerID != rtnl.Port(owner) || !now.Equal(&nft.Contents{Found: true, Table: owned}) {
		t.Errorf("table %+v, want the owner %d", now.Table, rtnl.Port(owner))
	}
	var b nft.Batch
	b.AddChain(nft.Chain{Family: nft.Inet, Table: table, Name: "x"})
	if err := nft.Commit(t.Context(), c, &b); !errors.Is(err, syscall.EPERM) {
		t.Errorf("a change by another socket: %v", err)
	}
	if err := owner.Close(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the table to go", func() bool { return !read(t, c, nft.Inet, table).Found })
}

// A missing table is not an error, and a missing set is.
func TestKernelAbsent(t *testing.T) {
	_, c := host(t)
	if now := read(t, c, nft.Bridge, "absent"); now.Found || len(now.Lines()) != 0 {
		t.Errorf("got %+v", now)
	}
	if _, err := nft.Elements(t.Context(), c, nft.Set{Family: nft.Inet, Table: "absent", Name: "x"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("elements of a missing set: %v", err)
	}
}

// waitFor waits for a condition.
func waitFor(t *testing.T, what string, is func() bool) {
	t.Helper()
	for range 1000 {
		if is() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("waited in vain for %s", what)
}

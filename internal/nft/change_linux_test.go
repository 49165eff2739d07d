package nft_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/nft"
)

// comments returns the comments of the rules of a chain, in order.
func comments(now *nft.Contents, chain string) (all []string) {
	for _, r := range now.Rules {
		if r.Chain == chain {
			all = append(all, r.Comment)
		}
	}
	return all
}

func handle(t *testing.T, now *nft.Contents, comment string) uint64 {
	t.Helper()
	i := slices.IndexFunc(now.Rules, func(r nft.Rule) bool { return r.Comment == comment })
	if i < 0 || now.Rules[i].Handle == 0 {
		t.Fatalf("no rule %q in %v", comment, now.Rules)
	}
	return now.Rules[i].Handle
}

// Rules come where they are added, inserted and replaced.
func TestKernelOrder(t *testing.T) {
	_, c := host(t)
	counter := []nft.Expr{nft.Counter{}}
	commit(t, c, func(b *nft.Batch) {
		b.AddTable(nft.Table{Family: nft.Inet, Name: table})
		b.AddChain(nft.Chain{Family: nft.Inet, Table: table, Name: "sub"})
		b.AddRule(rule("sub", "b", counter))
		b.AddRule(rule("sub", "e", counter))
		b.InsertRule(rule("sub", "a", counter))
	})
	now := read(t, c, nft.Inet, table)
	commit(t, c, func(b *nft.Batch) {
		after, before := rule("sub", "c", counter), rule("sub", "d", counter)
		after.Position, before.Position = handle(t, now, "b"), handle(t, now, "e")
		b.AddRule(after)
		b.InsertRule(before)
		replaced := rule("sub", "A", verdict(nft.Accept()))
		replaced.Handle = handle(t, now, "a")
		b.ReplaceRule(replaced)
	})
	now = read(t, c, nft.Inet, table)
	if got, want := comments(now, "sub"), []string{"A", "b", "c", "d", "e"}; !slices.Equal(got, want) {
		t.Errorf("rules %q, want %q", got, want)
	}
	if got := now.Rules[0].Exprs; !slices.Equal(got, verdict(nft.Accept())) {
		t.Errorf("replaced by %v", got)
	}
	commit(t, c, func(b *nft.Batch) {
		b.DeleteRule(nft.Rule{Family: nft.Inet, Table: table, Chain: "sub", Handle: handle(t, now, "c")})
	})
	if got, want := comments(read(t, c, nft.Inet, table), "sub"), []string{"A", "b", "d", "e"}; !slices.Equal(got, want) {
		t.Errorf("rules %q, want %q", got, want)
	}
	gone := nft.Batch{}
	gone.DeleteRule(nft.Rule{Family: nft.Inet, Table: table, Chain: "sub", Handle: handle(t, now, "c")})
	if err := nft.Commit(t.Context(), c, &gone); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("deleted twice: %v", err)
	}
}

// Each kind of object can be deleted, and what is in use cannot.
func TestKernelDelete(t *testing.T) {
	_, c := host(t)
	want := everything()
	commit(t, c, func(b *nft.Batch) { add(b, want) })
	for _, refuse := range []func(*nft.Batch){
		func(b *nft.Batch) { b.DeleteChain(nft.Chain{Family: nft.Inet, Table: table, Name: "sub"}) },
		func(b *nft.Batch) { b.DeleteSet(set("asked4", 0, nft.TypeMark, "")) },
	} {
		var b nft.Batch
		if refuse(&b); !errors.Is(nft.Commit(t.Context(), c, &b), syscall.EBUSY) {
			t.Errorf("%q in use is deleted", b.Lines())
		}
	}
	ports := set("ports", nft.Interval, nft.TypeInetService, "")
	commit(t, c, func(b *nft.Batch) {
		b.DeleteElements(set("marks", 0, nft.TypeIfName, ""), nft.Element{Key: nft.IfName("eth0")})
		b.FlushSet(ports)
	})
	now := read(t, c, nft.Inet, table)
	want.Elements["marks"] = want.Elements["marks"][1:]
	delete(want.Elements, "ports")
	if !now.Equal(want) {
		t.Errorf("without some elements:\n%s", difference(want, now))
	}
	commit(t, c, func(b *nft.Batch) {
		for _, name := range []string{"pre", "out", "post", "in"} {
			b.FlushChain(nft.Chain{Family: nft.Inet, Table: table, Name: name})
			b.DeleteChain(nft.Chain{Family: nft.Inet, Table: table, Name: name})
		}
		for _, s := range want.Sets {
			b.DeleteSet(s)
		}
	})
	now = read(t, c, nft.Inet, table)
	if len(now.Chains) != 1 || len(now.Sets) != 0 || len(now.Rules) != 2 {
		t.Errorf("left: %v", now.Lines())
	}
	// A table of the same name that somebody else made after the listing stays.
	commit(t, c, func(b *nft.Batch) {
		b.DeleteTable(now.Table)
		b.AddTable(nft.Table{Family: nft.Inet, Name: table})
	})
	var b nft.Batch
	b.DeleteTable(now.Table)
	if err := nft.Commit(t.Context(), c, &b); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a table with another handle: %v", err)
	}
	commit(t, c, func(b *nft.Batch) { b.DeleteTable(nft.Table{Family: nft.Inet, Name: table}) })
	if read(t, c, nft.Inet, table).Found {
		t.Error("the table is still there")
	}
}

// Many elements, which take many messages and more than the default send buffer, are one
// transaction.
func TestKernelElements(t *testing.T) {
	_, c := host(t)
	s := set("asked", nft.Timeout|nft.Dynamic, nft.ConcatOf(nft.TypeIPv4Addr, nft.TypeInetService, nft.TypeInetService), "")
	s.Size, s.Timeout = 65536, 3_600_000
	const n = 12_000 // more than the default send buffer, less than what an ordinary user can have
	var elements []nft.Element
	for i := range n {
		key := nft.Key(string(binary.BigEndian.AppendUint32(nil, uint32(i)|10<<24)), nft.Big16(uint16(i)), nft.Big16(53))
		elements = append(elements, nft.Element{Key: key})
	}
	elements[0].Timeout, elements[0].Comment = 1_800_000, "half as long"
	commit(t, c, func(b *nft.Batch) {
		b.AddTable(nft.Table{Family: nft.Inet, Name: table})
		b.AddSet(s)
		b.AddElements(s, elements...)
	})
	// The kernel may still resize the set, see Elements.
	waitFor(t, "all elements to be in one listing", func() bool {
		got := listed(t, c, s)
		return slices.Equal(got, elements)
	})
	if now := read(t, c, nft.Inet, table); len(now.Elements) != 0 {
		t.Errorf("the elements of a dynamic set are in a listing")
	}
	// Elements that exist can be added, and not created.
	commit(t, c, func(b *nft.Batch) { b.AddElements(s, elements[:200]...) })
	var b nft.Batch
	b.CreateElements(s, elements[:200]...)
	if err := nft.Commit(t.Context(), c, &b); !errors.Is(err, fs.ErrExist) {
		t.Errorf("created twice: %v", err)
	}
	commit(t, c, func(b *nft.Batch) { b.DeleteElements(s, elements[1:]...) })
	if got, err := nft.Elements(t.Context(), c, s); err != nil || len(got) != 1 || got[0].Comment != "half as long" {
		t.Errorf("left %+v, %v", got, err)
	}
}

// listed returns the elements of a set in the order of their keys, without what differs
// from one listing to the next.
func listed(t *testing.T, c nft.Conn, s nft.Set) []nft.Element {
	t.Helper()
	got, err := nft.Elements(t.Context(), c, s)
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		if got[i].Expiration == 0 || got[i].Expiration > s.Timeout {
			t.Fatalf("expiration %d", got[i].Expiration)
		}
		got[i].Expiration = 0
		if got[i].Timeout == s.Timeout {
			got[i].Timeout = 0 // kernels differ in whether they report that of the set
		}
	}
	slices.SortFunc(got, func(a, b nft.Element) int { return slices.Compare([]byte(a.Key), []byte(b.Key)) })
	return got
}

// counted returns the packets that the first rule with a comment has counted.
func counted(t *testing.T, c nft.Conn, comment string) uint64 {
	t.Helper()
	for _, r := range read(t, c, nft.Inet, table).Rules {
		for _, e := range r.Exprs {
			if n, ok := e.(nft.Counter); ok && r.Comment == comment {
				return n.Packets
			}
		}
	}
	t.Fatalf("no rule %q with a counter", comment)
	return 0
}

// Packets add elements to a set until it is full, and delete them. A full set ends the
// rule, a deletion does not.
func TestKernelDynset(t *testing.T) {
	ns, c := host(t)
	s := set("ports", nft.Timeout|nft.Dynamic, nft.TypeInetService, "")
	s.Size, s.Timeout = 2, 3_600_000
	change := func(op nft.DynsetOp) []nft.Expr {
		return []nft.Expr{nft.DestPort(nft.Reg1), nft.Dynset{Set: s.Name, Op: op, Key: nft.Reg1}, nft.Counter{}}
	}
	fromPort := func(port uint16) []nft.Expr { return equal(nft.SourcePort(nft.Reg1), nft.Big16(port)) }
	commit(t, c, func(b *nft.Batch) {
		b.AddTable(nft.Table{Family: nft.Inet, Name: table})
		b.AddChain(nft.Chain{Family: nft.Inet, Table: table, Name: "out", Base: true, Type: nft.TypeFilter,
			Hook: nft.Hook{Number: nft.Output, Priority: nft.PriorityFilter}})
		b.AddSet(s)
		b.AddRule(rule("out", "add", isUDP, fromPort(1001), change(nft.DynsetUpdate)))
		b.AddRule(rule("out", "delete", isUDP, fromPort(1002), change(nft.DynsetDelete)))
	})
	send := func(from, to uint16) {
		t.Helper()
		conn, err := ns.Dial(t.Context(), "udp", fmt.Sprintf("127.0.0.1:%d", from), fmt.Sprintf("127.0.0.2:%d", to))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		from, to       uint16
		added, deleted uint64
		elements       []uint16
	}{
		{1001, 5, 1, 0, []uint16{5}},
		{1001, 5, 2, 0, []uint16{5}},
		{1001, 6, 3, 0, []uint16{5, 6}},
		{1001, 7, 3, 0, []uint16{5, 6}}, // full
		{1002, 7, 3, 1, []uint16{5, 6}}, // not there
		{1002, 5, 3, 2, []uint16{6}},
	} {
		send(step.from, step.to)
		if added, deleted := counted(t, c, "add"), counted(t, c, "delete"); added != step.added || deleted != step.deleted {
			t.Errorf("%+v: added %d, deleted %d", step, added, deleted)
		}
		var want, got []string
		for _, port := range step.elements {
			want = append(want, nft.Big16(port))
		}
		for _, e := range listed(t, c, s) {
			got = append(got, e.Key)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%+v: elements %x", step, got)
		}
	}
}

// Anonymous sets belong to their rule. Their names, which the kernel chooses, make no
// difference.
func TestKernelAnonymous(t *testing.T) {
	want := &nft.Contents{Found: true, Table: nft.Table{Family: nft.Inet, Name: table},
		Chains:   []nft.Chain{{Family: nft.Inet, Table: table, Name: "sub"}},
		Elements: map[string][]nft.Element{"__set%d": {{Key: nft.Big16(53)}, {Key: nft.Big16(443)}}}}
	s := set("__set%d", nft.Anonymous|nft.Constant, nft.TypeInetService, "")
	s.ID, s.Size = 7, 2
	want.Sets = []nft.Set{s}
	want.Rules = []nft.Rule{rule("sub", "", isUDP, []nft.Expr{nft.DestPort(nft.Reg1), nft.Lookup{Set: s.Name, SetID: s.ID, Source: nft.Reg1}})}
	for _, others := range []int{0, 3} {
		_, c := host(t)
		commit(t, c, func(b *nft.Batch) {
			b.CreateTable(want.Table)
			b.AddChain(want.Chains[0])
			for i := range others { // so that the kernel chooses another name
				o := s
				o.ID = uint32(100 + i)
				b.AddSet(o)
				b.AddElements(o, nft.Element{Key: nft.Big16(1)})
				b.AddRule(rule("sub", "other", isUDP, []nft.Expr{nft.DestPort(nft.Reg1), nft.Lookup{Set: o.Name, SetID: o.ID, Source: nft.Reg1}}))
			}
			b.CreateSet(s)
			b.AddElements(s, want.Elements[s.Name]...)
			b.AddRule(want.Rules[0])
		})
		now := read(t, c, nft.Inet, table)
		commit(t, c, func(b *nft.Batch) {
			for _, r := range now.Rules {
				if r.Comment == "other" {
					b.DeleteRule(r)
				}
			}
		})
		if now = read(t, c, nft.Inet, table); !now.Equal(want) {
			t.Errorf("%d others:\n%s", others, difference(want, now))
		}
	}
}

// ReadHost has the tables of all families.
func TestKernelHost(t *testing.T) {
	_, c := host(t)
	var want []string
	commit(t, c, func(b *nft.Batch) {
		for _, f := range []nft.Family{nft.Inet, nft.IPv4, nft.IPv6, nft.ARP, nft.Bridge} {
			b.AddTable(nft.Table{Family: f, Name: "x"})
			b.AddChain(nft.Chain{Family: f, Table: "x", Name: "y"})
			b.AddSet(nft.Set{Family: f, Table: "x", Name: "z", Key: nft.TypeMark})
			b.AddRule(nft.Rule{Family: f, Table: "x", Chain: "y", Exprs: []nft.Expr{nft.Counter{}}})
			want = append(want, "table "+f.String()+" x", "chain "+f.String()+" x y", "set "+f.String()+" x z", "rule "+f.String()+" x y")
		}
	})
	strings := func(h *nft.Host) (got []string) {
		for _, o := range h.Tables {
			got = append(got, o.String())
		}
		for _, o := range h.Chains {
			got = append(got, o.String())
		}
		for _, o := range h.Sets {
			got = append(got, o.String())
		}
		for _, o := range h.Rules {
			if o.Handle == 0 {
				t.Errorf("%s has no handle", o)
			}
			o.Handle = 0
			got = append(got, o.String())
		}
		slices.Sort(got)
		return got
	}
	slices.Sort(want)
	all, err := nft.ReadHost(t.Context(), c, nft.AnyFamily)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings(all); !slices.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
	some, err := nft.ReadHost(t.Context(), c, nft.IPv6)
	if err != nil || len(strings(some)) != 4 || some.Tables[0].Family != nft.IPv6 || some.Generation != all.Generation {
		t.Errorf("of IPv6: %+v, %v", some, err)
	}
}

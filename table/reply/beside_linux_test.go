package reply_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/internal/nft"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/check"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/plan"
	"github.com/policyroute/policyroute/table/reply"
)

// replyRules returns the rules of this package.
func replyRules(n *tabletest.Network) string {
	n.T.Helper()
	var b strings.Builder
	for r, err := range rule.All(n.T.Context(), n.Conn, rule.Filter{}) {
		if err != nil {
			n.T.Fatal(err)
		}
		if r.Protocol == reply.Protocol {
			b.WriteString(r.String() + "\n")
		}
	}
	return b.String()
}

// The functions of package table leave the rules of this package alone, and package check
// has no finding about them. This package leaves the rules of uplinks alone.
func TestBesideUplinks(t *testing.T) {
	n, all := newNetwork(t)
	for i := range all {
		all[i].Also = []rule.Rule{{FwMark: rule.FwMark(0x8)}, {IPProto: route.TCP, DPort: rule.Port(25)}}
		all[i].MainFirst, all[i].Unreachable = true, true
		if all[i].Interface == "u1" {
			all[i].Also = nil
			all[i].SourcePrefixes = []netip.Prefix{netip.MustParsePrefix("172.16.9.0/24")}
			if all[i].Gateway.Is6() {
				all[i].SourcePrefixes = []netip.Prefix{netip.MustParsePrefix("2001:db8:9::/64")}
			}
		}
	}
	var list []table.SourceRoutedUplink
	for _, u := range all {
		list = append(list, u.SourceRoutedUplink)
	}
	n.Install(list...)
	before, err := check.Run(t.Context(), n.Conn, list...)
	if err != nil {
		t.Fatal(err)
	}
	both := reply.Policy{UDP: served.UDP, Forwarded: true}
	install(n, both, all...)
	rules, table0 := replyRules(n), contents(n)
	if strings.Count(rules, "lookup") != 2*2*2 {
		t.Fatalf("rules:\n%s", rules)
	}
	if strings.Contains(rules, "fwmark 0x8/") {
		t.Errorf("the mark of a rule of Also is that of an uplink:\n%s", rules)
	}
	unchanged := func(what string) {
		t.Helper()
		tabletest.WantText(t, what+": rules of replies", rules, replyRules(n))
		if !contents(n).Equal(table0) {
			t.Errorf("%s: the table of nf_tables has changed", what)
		}
	}
	after, err := check.Run(t.Context(), n.Conn, list...)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range after {
		if !slices.ContainsFunc(before, func(b check.Finding) bool { return b.String() == f.String() }) {
			t.Errorf("check has a new finding: %s", f)
		}
	}
	n.WantNothingToDo(list...)
	for what, do := range map[string]func() error{
		"Sync":      func() error { return table.Sync(t.Context(), n.Conn, list...) },
		"Recover":   func() error { return table.Recover(t.Context(), n.Conn) },
		"Adopt":     func() error { return table.Adopt(t.Context(), n.Conn, list...) },
		"Remove":    func() error { return table.Remove(t.Context(), n.Conn, list[1], list[3]) },
		"Install":   func() error { return table.Install(t.Context(), n.Conn, list...) },
		"Sync none": func() error { return table.Sync(t.Context(), n.Conn) },
	} {
		if err := do(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		unchanged(what)
		n.Install(list...)
	}
	rec := &tabletest.Recorder{Conn: n.Conn}
	if err := reply.Install(t.Context(), rec, both, all...); err != nil || len(rec.Writes) > 0 {
		t.Errorf("Install again: %v, %d requests that change something", err, len(rec.Writes))
	}
	uplinksAlone := strings.Join(slices.DeleteFunc(strings.Split(n.Kernel(), "\n"), func(line string) bool { return rank(line) != "" }), "\n")
	remove(n)
	if replyRules(n) != "" || contents(n).Found {
		t.Errorf("after Remove there are\n%s%v", replyRules(n), contents(n).Lines())
	}
	tabletest.WantText(t, "after Remove", uplinksAlone, n.Kernel())
	rec = &tabletest.Recorder{Conn: n.Conn}
	if err := reply.Remove(t.Context(), rec); err != nil || len(rec.Writes) > 0 {
		t.Errorf("Remove again: %v, %d requests that change something", err, len(rec.Writes))
	}
}

// A table of another program with the name of ours is a conflict, and other tables stay.
func TestForeignTable(t *testing.T) {
	n, all := newNetwork(t)
	c, err := nft.DialLike(n.Conn)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var b nft.Batch
	b.AddTable(nft.Table{Family: nft.Inet, Name: reply.TableName})
	b.AddTable(nft.Table{Family: nft.IPv4, Name: reply.TableName})
	if err := nft.Commit(t.Context(), c, &b); err != nil {
		t.Fatal(err)
	}
	var conflict *plan.ConflictError
	if err := reply.Install(t.Context(), n.Conn, served, all...); !errors.As(err, &conflict) || conflict.Object != "table inet policyroute" {
		t.Errorf("Install: %v", err)
	}
	if err := reply.Remove(t.Context(), n.Conn); !errors.As(err, &conflict) {
		t.Errorf("Remove: %v", err)
	}
	var d nft.Batch
	d.DeleteTable(nft.Table{Family: nft.Inet, Name: reply.TableName})
	if err := nft.Commit(t.Context(), c, &d); err != nil {
		t.Fatal(err)
	}
	install(n, served, all...)
	remove(n)
	if h, err := nft.ReadHost(t.Context(), c, nft.AnyFamily); err != nil || len(h.Tables) != 1 || h.Tables[0].Family != nft.IPv4 {
		t.Errorf("the other table: %v, %v", h, err)
	}
}

// What another program changes in the table is changed back. If it does so between the plan
// and its steps, the plan fails and is undone.
func TestTableChanged(t *testing.T) {
	n, all := newNetwork(t)
	install(n, served, all...)
	want := contents(n)
	c, err := nft.DialLike(n.Conn)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	change := func() {
		t.Helper()
		var b nft.Batch
		for _, chain := range want.Chains {
			if chain.Base {
				b.FlushChain(chain)
			}
		}
		if err := nft.Commit(t.Context(), c, &b); err != nil {
			t.Fatal(err)
		}
	}
	change()
	install(n, served, all...)
	if !contents(n).Equal(want) {
		t.Errorf("the table is\n%v", contents(n).Lines())
	}
	more := reply.Policy{UDP: served.UDP, Forwarded: true}
	p, err := reply.PlanInstall(t.Context(), n.Conn, more, all...)
	if err != nil {
		t.Fatal(err)
	}
	before := n.Kernel()
	change()
	var failed *plan.StepError
	if err := p.Apply(t.Context(), n.Conn); !errors.As(err, &failed) || len(failed.Left) > 0 || !strings.Contains(err.Error(), "another program has changed it") {
		t.Errorf("Apply: %v", err)
	}
	tabletest.WantText(t, "after the failure", before, n.Kernel())
	install(n, more, all...)
	// Another program's change of another table does not disturb.
	p, err = reply.PlanRemove(t.Context(), n.Conn)
	if err != nil {
		t.Fatal(err)
	}
	var b nft.Batch
	b.AddTable(nft.Table{Family: nft.Inet, Name: "other"})
	if err := nft.Commit(t.Context(), c, &b); err != nil {
		t.Fatal(err)
	}
	if err := p.Apply(t.Context(), n.Conn); err != nil {
		t.Error(err)
	}
}

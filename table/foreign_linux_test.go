package table_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/plan"
)

// Rules and routes of others between and beside ours, and such as differ in
// nothing but the protocol, stay as they are through Install, updates, Recover and
// Remove.
func TestForeignObjectsStay(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		n.AddLAN()
		option := map[tabletest.Family]string{tabletest.IPv4: "-4 ", tabletest.IPv6: "-6 "}[f]
		for _, words := range []string{
			"31000: from " + f.A2 + " lookup 20 proto static",
			"31002: from " + f.A2 + " lookup main suppress_prefixlength 0 proto static",
			option + "31003: from all fwmark 0x77 lookup main",
			"31010: from " + f.A2 + " unreachable proto static",
			option + "5210: from all fwmark 0x80000/0xff0000 lookup main",
			option + "31500: from all goto 32000",
			option + "100: from all goto 31020",
		} {
			if err := n.AddRule(words); err != nil {
				t.Fatal(err)
			}
		}
		for _, words := range []string{
			"203.0.113.77/32 via 10.1.0.1 table 21 proto static", "default via 10.1.0.1 table 21 proto static",
		} {
			if err := n.AddRoute(words); err != nil {
				t.Fatal(err)
			}
		}
		before := n.Snapshot()
		foreign := func() (lines []string) {
			for _, line := range strings.Split(n.Kernel(), "\n") {
				if !strings.Contains(line, "proto 210") {
					lines = append(lines, line)
				}
			}
			return lines
		}
		theirs := strings.Join(foreign(), "\n")
		stay := func(what string) {
			t.Helper()
			tabletest.WantText(t, what+": what is theirs", theirs, strings.Join(foreign(), "\n"))
		}
		u := n.FullUplink(f)
		for _, change := range []func(*table.SourceRoutedUplink, tabletest.Family){
			func(*table.SourceRoutedUplink, tabletest.Family) {}, tabletest.OtherGateway, tabletest.OtherTable, tabletest.NotMainFirst, tabletest.NotUnreachable,
		} {
			change(&u, f)
			n.Install(u)
			n.WantNothingToDo(u)
			stay("Install")
		}
		if err := table.Recover(t.Context(), n.Conn); err != nil {
			t.Error(err)
		}
		stay("Recover")
		n.Remove(u)
		n.WantSnapshot("Remove", before)
	})
}

// Someone has put a rule right behind ours, where END would stand. Remove does
// without, and leaves that rule.
func TestRemoveBesideForeign(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		n.AddLAN()
		u := n.FullUplink(f)
		n.Install(u)
		option := map[tabletest.Family]string{tabletest.IPv4: "-4 ", tabletest.IPv6: "-6 "}[f]
		if err := n.AddRule(option + "31004: from all fwmark 0x77 lookup main"); err != nil {
			t.Fatal(err)
		}
		n.Remove(u)
		if got := n.Kernel(); strings.Contains(got, "proto 210") || !strings.Contains(got, "31004: from all fwmark 0x77") {
			t.Errorf("after Remove:\n%s", got)
		}
	})
}

// A given priority beside a rule of others that leaves no room for gates is
// refused, with whose it is.
func TestNoRoomForGates(t *testing.T) {
	n := tabletest.NewNetwork(t)
	for _, words := range []string{"499: from all fwmark 0x77 lookup 99 proto static", "504: from all fwmark 0x78 lookup 99"} {
		if err := n.AddRule(words); err != nil {
			t.Fatal(err)
		}
	}
	before := n.Snapshot()
	u := n.FullUplink(tabletest.IPv4)
	for _, x := range []struct {
		prio uint32
		want string
	}{
		{500, "table: uplink lan2: this rule may match the same packets, and leaves no priority for the temporary rule in front of the uplink's rules: move that rule, or give the uplink another priority: " +
			"499: from all fwmark 0x77 lookup 99 proto static"},
		{1, "table: uplink lan2: Priority: no priority is free just before or just after the rules at 1 to 4"},
	} {
		u.Priority = x.prio
		err := u.Install(t.Context(), n.Conn)
		if err == nil || err.Error() != x.want {
			t.Errorf("got  %v\nwant %s", err, x.want)
		}
		var conflict *plan.ConflictError
		if errors.As(err, &conflict) && conflict.Owner != route.ProtoStatic {
			t.Errorf("the owner is %s", conflict.Owner)
		}
		n.WantSnapshot("Install", before)
	}
	// One rule needs none.
	u = n.Uplink2(tabletest.IPv4)
	u.Priority = 500
	n.Install(u)
	n.Remove(u)
	n.WantSnapshot("Remove", before)
}

// What others change while Install is at work is noticed before it comes into
// effect, and all is undone.
func TestReadBack(t *testing.T) {
	n := tabletest.NewNetwork(t)
	u := n.FullUplink(tabletest.IPv4)
	u.Routes = nil
	before := n.Snapshot()
	for _, words := range []string{
		"rule 31002: from 10.2.0.2 lookup 20 proto 210", "route default via 10.2.0.1 dev u2 table 20",
	} {
		rec := &tabletest.Recorder{Conn: n.Conn}
		// Of END, the gate, two routes and four rungs all are there.
		rec.Fail = meanwhile(n, rec, 8, func() {
			kind, words, _ := strings.Cut(words, " ")
			if kind == "rule" {
				r, err := rule.Parse(words, nil)
				if err == nil {
					err = rule.Delete(t.Context(), n.Conn, r)
				}
				if err != nil {
					t.Error(err)
				}
				return
			}
			r := route.Route{Table: 20, Gateway: netip.MustParseAddr(tabletest.IPv4.G2)}
			if err := route.Delete(t.Context(), n.Conn, r); err != nil {
				t.Error(err)
			}
		})
		err := u.Install(t.Context(), rec)
		var step *plan.StepError
		if !errors.As(err, &step) || !strings.Contains(err.Error(), "another program or the kernel has undone an earlier step: ip "+strings.Fields(words)[0]) {
			t.Errorf("%s deleted meanwhile: %v", words, err)
		}
		n.WantSnapshot("Install", before)
	}
}

// While the link is down, packets from an uplink with Unreachable go nowhere. The
// control goes by the other one.
func TestUnreachable(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		n.AddLAN()
		for _, closed := range []bool{true, false} {
			u := n.Uplink2(f)
			u.MainFirst, u.Unreachable = true, closed
			u.Sources = []netip.Addr{netip.MustParseAddr(f.A2)}
			n.Install(u)
			wantNextHop(n, f.A2, f.Client, "u2", f.G2)
			n.Server.Down("u2")
			query := route.Query{Dst: netip.MustParseAddr(f.Client), Src: netip.MustParseAddr(f.A2)}
			if f == tabletest.IPv6 {
				// The kernel has taken the address along, so the packet is one that
				// is forwarded.
				query.IIF = n.Server.Index("lan")
				n.Server.Sysctl("net.ipv6.conf.all.forwarding", "1")
			}
			r, err := route.Lookup(t.Context(), n.Conn, query)
			unreachable := errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EHOSTUNREACH)
			if closed != unreachable || !closed && r.OIF != n.Server.Index("u1") {
				t.Errorf("Unreachable %v, with the link down: route %v, error %v", closed, r, err)
			}
			n.Server.Up("u2")
			if f == tabletest.IPv6 {
				n.Server.Addr("u2", f.A2+"/64")
			}
			n.Install(u)
			wantNextHop(n, f.A2, f.Client, "u2", f.G2)
			n.Remove(u)
		}
	})
}

// meanwhile has something done after so many requests that change something.
func meanwhile(n *tabletest.Network, rec *tabletest.Recorder, writes int, do func()) func(int, netlink.Message) error {
	once := false
	return func(int, netlink.Message) error {
		if len(rec.Writes) == writes && !once {
			once = true
			return nil
		}
		if once && do != nil {
			do()
			do = nil
		}
		return nil
	}
}

// Where each of many sources changes over by itself, the rules are not listed for each.
func TestForeignEndListings(t *testing.T) {
	n := tabletest.NewNetwork(t)
	u := manyUplink(n)
	u.Priority = 500
	end := rule.Rule{Priority: rule.Priority(504), FwMark: rule.FwMark(7), Table: 99, Protocol: route.ProtoStatic}
	other := rule.Rule{
		Priority: rule.Priority(499), From: netip.MustParsePrefix("192.0.2.1/32"), Table: 99, Protocol: route.ProtoStatic,
	} // which a gate for all must not lead past
	for _, r := range []rule.Rule{end, other} {
		if err := rule.Add(t.Context(), n.Conn, r); err != nil {
			t.Fatal(err)
		}
	}
	p, err := u.Plan(t.Context(), n.Conn)
	commits := p.Select(func(s *plan.Step) bool { return s.Commit })
	if err != nil || len(commits.Steps) < 9 {
		t.Fatalf("%d steps change over, want one for each source, error %v", len(commits.Steps), err)
	}
	listings := 0
	rec := &tabletest.Recorder{Conn: n.Conn, Fail: func(_ int, m netlink.Message) error {
		if m.Header.Type == uapi.RTM_GETRULE {
			listings++
		}
		return nil
	}}
	for _, do := range []func(context.Context, route.Conn) error{u.Install, u.Remove} {
		listings = 0
		if err := do(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
		// One is for the plan, and one is read back.
		if listings > 2 {
			t.Errorf("the rules are listed %d times, want at most 2", listings)
		}
	}
}

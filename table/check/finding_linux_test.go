package check_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/check"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// findings returns what Run finds, but for programs that run on this machine.
func findings(n *tabletest.Network, uplinks ...table.SourceRoutedUplink) []check.Finding {
	n.T.Helper()
	found, err := check.Run(n.T.Context(), n.Conn, uplinks...)
	if err != nil {
		n.T.Fatal(err)
	}
	return slices.DeleteFunc(found, func(f check.Finding) bool {
		return f.Code == check.CodeForeignRules || f.Code == check.CodeForeignRoutes
	})
}

// words are codes and objects, one finding a line.
func words(found []check.Finding) string {
	var b strings.Builder
	for _, f := range found {
		fmt.Fprintf(&b, "%s %s %s\n", f.Severity, f.Code, f.Object)
	}
	return b.String()
}

func wantFindings(n *tabletest.Network, want string, uplinks ...table.SourceRoutedUplink) {
	n.T.Helper()
	found := findings(n, uplinks...)
	tabletest.WantText(n.T, "findings", strings.TrimLeft(want, "\n"), words(found))
	for _, f := range found {
		if f.Text == "" || f.Uplink != "lan2" || strings.ContainsAny(f.String(), "\n") {
			n.T.Errorf("%+v", f)
		}
	}
}

// connectOut has the uplink used.
func connectOut(n *tabletest.Network, f tabletest.Family) {
	n.T.Helper()
	tabletest.Connect(n.T, n.Server, f.TCP, f.A2, net.JoinHostPort(f.Client, "80"))
}

// healthy is a network with an uplink that has been used, and where nothing is
// found.
func healthy(t *testing.T, f tabletest.Family, change func(*table.SourceRoutedUplink)) (*tabletest.Network, table.SourceRoutedUplink) {
	t.Helper()
	n := tabletest.NewNetwork(t)
	u := n.Uplink2(f)
	if change != nil {
		change(&u)
	}
	n.Install(u)
	tabletest.Serve(t, n.Net, f.TCP, net.JoinHostPort(f.Client, "80"))
	connectOut(n, f)
	wantFindings(n, "", u)
	return n, u
}

// Each case is nothing before, found after, and nothing again when what the
// finding says is done.
func TestFindings(t *testing.T) {
	up := func(n *tabletest.Network, u table.SourceRoutedUplink) { n.Install(u) }
	theirs := route.Route{Gateway: netip.MustParseAddr("10.2.0.9"), Table: 20, Protocol: route.ProtoStatic}
	for _, x := range []struct {
		name   string
		change func(u *table.SourceRoutedUplink) // of the uplink, at the beginning
		harm   func(n *tabletest.Network, u *table.SourceRoutedUplink) error
		want   string
		cure   func(n *tabletest.Network, u table.SourceRoutedUplink) // nil: that of the finding is not done here
	}{
		{
			name: "absent",
			harm: func(n *tabletest.Network, u *table.SourceRoutedUplink) error { return u.Remove(n.T.Context(), n.Conn) },
			want: "fault absent lan2\n", cure: up,
		},
		{
			name: "rule missing",
			harm: func(n *tabletest.Network, u *table.SourceRoutedUplink) error {
				return n.DeleteRule("31000: from 10.2.0.2 lookup 20 proto 210")
			},
			want: "fault missing rule from 10.2.0.2 lookup 20 proto 210 pref 31000\n", cure: up,
		},
		{
			name: "route missing",
			harm: func(n *tabletest.Network, u *table.SourceRoutedUplink) error {
				return n.DeleteRoute("default via 10.2.0.1 table 20 proto 210")
			},
			want: "fault missing route default via 10.2.0.1 dev u2 table 20 proto 210 src 10.2.0.2\n", cure: up,
		},
		{
			name: "changed",
			harm: func(n *tabletest.Network, u *table.SourceRoutedUplink) error {
				if err := n.DeleteRoute("default via 10.2.0.1 table 20 proto 210"); err != nil {
					return err
				}
				return n.AddRoute("default via 10.2.0.9 table 20 proto 210 src 10.2.0.2")
			},
			want: "fault changed route default via 10.2.0.1 dev u2 table 20 proto 210 src 10.2.0.2\n", cure: up,
		},
		{
			name: "extra",
			harm: func(n *tabletest.Network, u *table.SourceRoutedUplink) error {
				return errors.Join(n.AddRule("99: from 192.0.2.1 lookup 20 proto 210"),
					n.AddRoute("203.0.113.0/24 via 10.2.0.9 table 20 proto 210"))
			},
			want: "warning extra rule from 192.0.2.1 lookup 20 proto 210 pref 99\n" +
				"warning extra route 203.0.113.0/24 via 10.2.0.9 dev u2 table 20 proto 210\n", cure: up,
		},
		{
			name: "unnamed",
			harm: func(n *tabletest.Network, u *table.SourceRoutedUplink) error {
				n.WriteRTTables(tabletest.RTTables)
				return nil
			},
			want: "note unnamed lan2\n", cure: up,
		},
		{
			name: "another name",
			harm: func(n *tabletest.Network, u *table.SourceRoutedUplink) error {
				n.WriteRTTables(tabletest.RTTables + "20 other\n")
				return nil
			},
			want: "note unnamed lan2\n",
			cure: func(n *tabletest.Network, u table.SourceRoutedUplink) {
				n.WriteRTTables(tabletest.RTTables)
				up(n, u)
			},
		},
		{
			name: "refused",
			harm: func(n *tabletest.Network, u *table.SourceRoutedUplink) error {
				return route.Replace(n.T.Context(), n.Conn, theirs)
			},
			want: "fault refused lan2\n",
			cure: func(n *tabletest.Network, u table.SourceRoutedUplink) {
				if err := route.Delete(n.T.Context(), n.Conn, theirs); err != nil {
					n.T.Error(err)
				}
				up(n, u)
			},
		},
		{
			name: "interface missing",
			harm: func(n *tabletest.Network, u *table.SourceRoutedUplink) error { n.Server.DeleteLink("u2"); return nil },
			want: "fault interface-missing u2\n",
		},
		{
			name: "interface down",
			harm: func(n *tabletest.Network, u *table.SourceRoutedUplink) error { n.Server.Down("u2"); return nil },
			want: `
fault interface-down u2
fault missing route 10.2.0.0/24 dev u2 table 20 proto 210 src 10.2.0.2
fault missing route default via 10.2.0.1 dev u2 table 20 proto 210 src 10.2.0.2
`,
			cure: func(n *tabletest.Network, u table.SourceRoutedUplink) {
				n.Server.Up("u2")
				n.Install(u)
				connectOut(n, tabletest.IPv4)
			},
		},
		{
			name: "no carrier",
			harm: func(n *tabletest.Network, u *table.SourceRoutedUplink) error {
				n.Net.Down("g2")
				return waitForCarrier(n, "u2", "0")
			},
			want: "warning no-carrier u2\n",
			cure: func(n *tabletest.Network, u table.SourceRoutedUplink) {
				n.Net.Up("g2")
				if err := waitForCarrier(n, "u2", "1"); err != nil {
					n.T.Error(err)
				}
				connectOut(n, tabletest.IPv4)
			},
		},
		{
			name:   "source gone",
			change: func(u *table.SourceRoutedUplink) { u.Sources = []netip.Addr{netip.MustParseAddr(tabletest.IPv4.A2)} },
			harm: func(n *tabletest.Network, u *table.SourceRoutedUplink) error {
				n.Server.Addr("u2", "10.2.0.7/24")
				n.Server.DelAddr("u2", "10.2.0.2/24")
				return nil
			},
			want: "fault source-gone 10.2.0.2\n",
		},
		{
			name: "no source left",
			harm: func(n *tabletest.Network, u *table.SourceRoutedUplink) error {
				n.Server.DelAddr("u2", "10.2.0.2/24")
				return nil
			},
			want: "fault source-gone u2\n",
		},
		{
			name: "gateway that does not answer",
			harm: func(n *tabletest.Network, u *table.SourceRoutedUplink) error {
				n.Server.Sysctl("net.ipv4.neigh.u2.retrans_time_ms", "10")
				u.Gateway = netip.MustParseAddr("10.2.0.9")
				n.Install(*u)
				waitForNeighbour(n, *u)
				return nil
			},
			want: "fault gateway-unresolved 10.2.0.9\n",
			cure: func(n *tabletest.Network, u table.SourceRoutedUplink) {
				n.Net.Addr("g2", "10.2.0.9/24")
				connectOut(n, tabletest.IPv4)
			},
		},
		{
			name: "gateway that nobody has asked for",
			harm: func(n *tabletest.Network, u *table.SourceRoutedUplink) error {
				u.Gateway = netip.MustParseAddr("10.2.0.9")
				n.Install(*u)
				return nil
			},
			want: "note gateway-unknown 10.2.0.9\n",
			cure: func(n *tabletest.Network, u table.SourceRoutedUplink) {
				n.Net.Addr("g2", "10.2.0.9/24")
				connectOut(n, tabletest.IPv4)
			},
		},
		{
			name: "local moved behind ours",
			harm: func(n *tabletest.Network, u *table.SourceRoutedUplink) error {
				return errors.Join(n.AddRule("31500: from all lookup local"), n.DeleteRule("0: from all lookup local proto kernel"))
			},
			want: `
fault before-local rule from 10.2.0.2 lookup 20 proto 210 pref 31000
fault missing rule from 10.2.0.2 lookup 20 proto 210 pref 31502
warning extra rule from 10.2.0.2 lookup 20 proto 210 pref 31000
`, cure: up,
		},
		{
			name: "no local at all",
			harm: func(n *tabletest.Network, u *table.SourceRoutedUplink) error {
				return n.DeleteRule("0: from all lookup local proto kernel")
			},
			want: "fault no-local table local\n",
			cure: func(n *tabletest.Network, u table.SourceRoutedUplink) {
				if err := n.AddRule("0: from all lookup local proto kernel"); err != nil {
					n.T.Error(err)
				}
			},
		},
		{
			name: "main moved before ours",
			harm: func(n *tabletest.Network, u *table.SourceRoutedUplink) error {
				return n.AddRule("30000: from all lookup main")
			},
			want: `
fault after-main rule from 10.2.0.2 lookup 20 proto 210 pref 31000
fault missing rule from 10.2.0.2 lookup 20 proto 210 pref 28234
warning extra rule from 10.2.0.2 lookup 20 proto 210 pref 31000
`, cure: up,
		},
	} {
		t.Run(x.name, func(t *testing.T) {
			n, u := healthy(t, tabletest.IPv4, x.change)
			if err := x.harm(n, &u); err != nil {
				t.Fatal(err)
			}
			wantFindings(n, x.want, u)
			if x.cure != nil {
				x.cure(n, u)
				wantFindings(n, "", u)
			}
		})
	}
}

// IPv6 addresses are tentative for a while, and IPv6 gateways are neighbours.
func TestFindings6(t *testing.T) {
	n, u := healthy(t, tabletest.IPv6, nil)
	n.Server.Sysctl("net.ipv6.conf.u2.accept_dad", "1")
	n.Server.Sysctl("net.ipv6.conf.u2.dad_transmits", "200")
	n.AddTentative("u2", "2001:db8:2::3")
	wantFindings(n, `
fault source-tentative 2001:db8:2::3
fault missing rule from 2001:db8:2::3 lookup 20 proto 210 pref 31000
`, u)
	n.Server.DelAddr("u2", "2001:db8:2::3/64")
	wantFindings(n, "", u)

	u.Gateway = netip.MustParseAddr("2001:db8:2::9")
	n.Install(u)
	wantFindings(n, "note gateway-unknown 2001:db8:2::9\n", u)
	if err := rule.Delete(t.Context(), n.Conn, rule.Rule{Family: route.IPv6, Priority: rule.Priority(0),
		Table: rttables.Local, Protocol: route.ProtoKernel}); err != nil {
		t.Fatal(err)
	}
	wantFindings(n, "fault no-local table local\nnote gateway-unknown 2001:db8:2::9\n", u)
}

// What a transaction that could neither go on nor be undone has left is found,
// until it is cleaned up.
func TestFindingUnfinished(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		u := n.Uplink2(f)
		u.Name, u.MainFirst = "", true
		rec := &tabletest.Recorder{Conn: n.Conn}
		rec.Fail = func(int, netlink.Message) error {
			if len(rec.Writes) > 4 {
				return tabletest.ErrInjected
			}
			return nil
		}
		if err := u.Install(t.Context(), rec); !errors.Is(err, tabletest.ErrInjected) {
			t.Fatalf("Install: %v", err)
		}
		count := func() (k int) {
			for _, x := range findings(n, u) {
				if x.Code == check.CodeUnfinished {
					k++
				}
			}
			return k
		}
		if count() != 1 {
			t.Errorf("not found:\n%s", n.Kernel())
		}
		if err := table.Recover(t.Context(), n.Conn); err != nil {
			t.Fatal(err)
		}
		if count() != 0 {
			t.Errorf("still found:\n%s", n.Kernel())
		}
		n.Install(u)
		if count() != 0 {
			t.Error("found when all is done")
		}
	})
}

// Over a connection without a socket, what is not asked of it cannot be found,
// which is a finding as well. Nothing is changed.
func TestFindingsWithoutASocket(t *testing.T) {
	n, u := healthy(t, tabletest.IPv4, nil)
	if err := n.DeleteRule("31000: from 10.2.0.2 lookup 20 proto 210"); err != nil {
		t.Fatal(err)
	}
	rec := &tabletest.Recorder{Conn: n.Conn}
	found, err := check.Run(t.Context(), rec, u)
	if err != nil || len(rec.Writes) > 0 {
		t.Errorf("%v, sent %v", err, rec.Writes)
	}
	found = slices.DeleteFunc(found, func(f check.Finding) bool { return strings.HasPrefix(string(f.Code), "foreign-") })
	want := "fault missing rule from 10.2.0.2 lookup 20 proto 210 pref 31000\nnote not-read \n"
	tabletest.WantText(t, "findings", want, words(found))
}

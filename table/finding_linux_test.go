package table_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
)

// check returns what Check finds, but for programs that run on this machine.
func (n *network) check(uplinks ...table.SourceRoutedUplink) []table.Finding {
	n.t.Helper()
	found, err := table.Check(n.t.Context(), n.c, uplinks...)
	if err != nil {
		n.t.Fatal(err)
	}
	return slices.DeleteFunc(found, func(f table.Finding) bool {
		return f.Code == table.CodeForeignRules || f.Code == table.CodeForeignRoutes
	})
}

// words are codes and objects, one finding a line.
func words(found []table.Finding) string {
	var b strings.Builder
	for _, f := range found {
		fmt.Fprintf(&b, "%s %s %s\n", f.Severity, f.Code, f.Object)
	}
	return b.String()
}

func (n *network) wantFindings(want string, uplinks ...table.SourceRoutedUplink) {
	n.t.Helper()
	found := n.check(uplinks...)
	if diff := cmp.Diff(strings.TrimLeft(want, "\n"), words(found)); diff != "" {
		n.t.Errorf("findings (-want +got):\n%s", diff)
	}
	for _, f := range found {
		if f.Text == "" || f.Uplink != "lan2" || strings.ContainsAny(f.String(), "\n") {
			n.t.Errorf("%+v", f)
		}
	}
}

// connectOut has the uplink used.
func (n *network) connectOut(f family) {
	n.t.Helper()
	connect(n.t, n.server, f.tcp, f.a2, net.JoinHostPort(f.client, "80"))
}

// healthy is a network with an uplink that has been used, and where nothing is
// found.
func healthy(t *testing.T, f family, change func(*table.SourceRoutedUplink)) (*network, table.SourceRoutedUplink) {
	t.Helper()
	n := newNetwork(t)
	u := n.uplink2(f)
	if change != nil {
		change(&u)
	}
	n.install(u)
	serve(t, n.net, f.tcp, net.JoinHostPort(f.client, "80"))
	n.connectOut(f)
	n.wantFindings("", u)
	return n, u
}

// Each case is nothing before, found after, and nothing again when what the
// finding says is done.
func TestFindings(t *testing.T) {
	up := func(n *network, u table.SourceRoutedUplink) { n.install(u) }
	for _, x := range []struct {
		name   string
		change func(u *table.SourceRoutedUplink) // of the uplink, at the beginning
		harm   func(n *network, u *table.SourceRoutedUplink) error
		want   string
		cure   func(n *network, u table.SourceRoutedUplink) // nil: that of the finding is not done here
	}{
		{
			name: "absent",
			harm: func(n *network, u *table.SourceRoutedUplink) error { return u.Remove(n.t.Context(), n.c) },
			want: "fault absent lan2\n", cure: up,
		},
		{
			name: "rule missing",
			harm: func(n *network, u *table.SourceRoutedUplink) error {
				return n.delRule("31000: from 10.2.0.2 lookup 20 proto 210")
			},
			want: "fault missing rule from 10.2.0.2 lookup lan2 proto 210 pref 31000\n", cure: up,
		},
		{
			name: "route missing",
			harm: func(n *network, u *table.SourceRoutedUplink) error {
				return n.delRoute("default via 10.2.0.1 table 20 proto 210")
			},
			want: "fault missing route default via 10.2.0.1 dev u2 table lan2 proto 210 src 10.2.0.2\n", cure: up,
		},
		{
			name: "changed",
			harm: func(n *network, u *table.SourceRoutedUplink) error {
				if err := n.delRoute("default via 10.2.0.1 table 20 proto 210"); err != nil {
					return err
				}
				return n.addRoute("default via 10.2.0.9 table 20 proto 210 src 10.2.0.2")
			},
			want: "fault changed route default via 10.2.0.1 dev u2 table lan2 proto 210 src 10.2.0.2\n", cure: up,
		},
		{
			name: "extra",
			harm: func(n *network, u *table.SourceRoutedUplink) error {
				return errors.Join(n.addRule("99: from 192.0.2.1 lookup 20 proto 210"),
					n.addRoute("203.0.113.0/24 via 10.2.0.9 table 20 proto 210"))
			},
			want: "warning extra rule from 192.0.2.1 lookup lan2 proto 210 pref 99\n" +
				"warning extra route 203.0.113.0/24 via 10.2.0.9 dev u2 table lan2 proto 210\n", cure: up,
		},
		{
			name: "unnamed",
			harm: func(n *network, u *table.SourceRoutedUplink) error { n.write(rtTables); return nil },
			want: "note unnamed lan2\n", cure: up,
		},
		{
			name: "refused",
			harm: func(n *network, u *table.SourceRoutedUplink) error {
				return n.addRoute("203.0.113.0/24 via 10.2.0.9 table 20 proto static")
			},
			want: "fault refused lan2\n",
			cure: func(n *network, u table.SourceRoutedUplink) {
				if err := n.delRoute("203.0.113.0/24 via 10.2.0.9 table 20 proto static"); err != nil {
					n.t.Error(err)
				}
			},
		},
		{
			name: "interface missing",
			harm: func(n *network, u *table.SourceRoutedUplink) error { n.server.DeleteLink("u2"); return nil },
			want: "fault interface-missing u2\n",
		},
		{
			name: "interface down",
			harm: func(n *network, u *table.SourceRoutedUplink) error { n.server.Down("u2"); return nil },
			want: `
fault interface-down u2
fault missing route 10.2.0.0/24 dev u2 table lan2 proto 210 src 10.2.0.2
fault missing route default via 10.2.0.1 dev u2 table lan2 proto 210 src 10.2.0.2
`,
			cure: func(n *network, u table.SourceRoutedUplink) {
				n.server.Up("u2")
				n.install(u)
				n.connectOut(ip4)
			},
		},
		{
			name: "no carrier",
			harm: func(n *network, u *table.SourceRoutedUplink) error { n.net.Down("g2"); return n.carrier("u2", "0") },
			want: "warning no-carrier u2\n",
			cure: func(n *network, u table.SourceRoutedUplink) {
				n.net.Up("g2")
				if err := n.carrier("u2", "1"); err != nil {
					n.t.Error(err)
				}
				n.connectOut(ip4)
			},
		},
		{
			name:   "source gone",
			change: func(u *table.SourceRoutedUplink) { u.Sources = []netip.Addr{addr(ip4.a2)} },
			harm: func(n *network, u *table.SourceRoutedUplink) error {
				n.server.Addr("u2", "10.2.0.7/24")
				n.server.DelAddr("u2", "10.2.0.2/24")
				return nil
			},
			want: "fault source-gone 10.2.0.2\nnote gateway-unknown 10.2.0.1\n",
		},
		{
			name: "no source left",
			harm: func(n *network, u *table.SourceRoutedUplink) error {
				n.server.DelAddr("u2", "10.2.0.2/24")
				return nil
			},
			want: "fault source-gone u2\nnote gateway-unknown 10.2.0.1\n",
		},
		{
			name: "gateway that does not answer",
			harm: func(n *network, u *table.SourceRoutedUplink) error {
				n.server.Sysctl("net.ipv4.neigh.u2.retrans_time_ms", "10")
				u.Gateway = addr("10.2.0.9")
				n.install(*u)
				n.waitForNeighbour(*u)
				return nil
			},
			want: "fault gateway-unresolved 10.2.0.9\n",
			cure: func(n *network, u table.SourceRoutedUplink) {
				n.net.Addr("g2", "10.2.0.9/24")
				n.connectOut(ip4)
			},
		},
		{
			name: "gateway that nobody has asked for",
			harm: func(n *network, u *table.SourceRoutedUplink) error {
				u.Gateway = addr("10.2.0.9")
				n.install(*u)
				return nil
			},
			want: "note gateway-unknown 10.2.0.9\n",
			cure: func(n *network, u table.SourceRoutedUplink) {
				n.net.Addr("g2", "10.2.0.9/24")
				n.connectOut(ip4)
			},
		},
		{
			name: "local moved behind ours",
			harm: func(n *network, u *table.SourceRoutedUplink) error {
				return errors.Join(n.addRule("31500: from all lookup local"), n.delRule("0: from all lookup local proto kernel"))
			},
			want: `
fault before-local rule from 10.2.0.2 lookup lan2 proto 210 pref 31000
fault missing rule from 10.2.0.2 lookup lan2 proto 210 pref 31502
warning extra rule from 10.2.0.2 lookup lan2 proto 210 pref 31000
`, cure: up,
		},
		{
			name: "no local at all",
			harm: func(n *network, u *table.SourceRoutedUplink) error {
				return n.delRule("0: from all lookup local proto kernel")
			},
			want: "fault no-local table local\n",
			cure: func(n *network, u table.SourceRoutedUplink) {
				if err := n.addRule("0: from all lookup local proto kernel"); err != nil {
					n.t.Error(err)
				}
			},
		},
		{
			name: "main moved before ours",
			harm: func(n *network, u *table.SourceRoutedUplink) error {
				return n.addRule("30000: from all lookup main")
			},
			want: `
fault after-main rule from 10.2.0.2 lookup lan2 proto 210 pref 31000
fault missing rule from 10.2.0.2 lookup lan2 proto 210 pref 28234
warning extra rule from 10.2.0.2 lookup lan2 proto 210 pref 31000
`, cure: up,
		},
	} {
		t.Run(x.name, func(t *testing.T) {
			n, u := healthy(t, ip4, x.change)
			if err := x.harm(n, &u); err != nil {
				t.Fatal(err)
			}
			n.wantFindings(x.want, u)
			if x.cure != nil {
				x.cure(n, u)
				n.wantFindings("", u)
			}
		})
	}
}

// IPv6 addresses are tentative for a while, and IPv6 gateways are neighbours.
func TestFindings6(t *testing.T) {
	n, u := healthy(t, ip6, nil)
	n.server.Sysctl("net.ipv6.conf.u2.accept_dad", "1")
	n.server.Sysctl("net.ipv6.conf.u2.dad_transmits", "200")
	n.addTentative("u2", "2001:db8:2::3")
	n.wantFindings("fault source-tentative 2001:db8:2::3\n", u)
	n.server.DelAddr("u2", "2001:db8:2::3/64")
	n.wantFindings("", u)

	u.Gateway = addr("2001:db8:2::9")
	n.install(u)
	n.wantFindings("note gateway-unknown 2001:db8:2::9\n", u)
	if err := rule.Delete(t.Context(), n.c, rule.Rule{Family: route.IPv6, Priority: rule.Priority(0),
		Table: rttables.Local, Protocol: route.ProtoKernel}); err != nil {
		t.Fatal(err)
	}
	n.wantFindings("fault no-local table local\nnote gateway-unknown 2001:db8:2::9\n", u)
}

// What a transaction that could neither go on nor be undone has left is found,
// until it is cleaned up.
func TestFindingUnfinished(t *testing.T) {
	forFamilies(t, func(t *testing.T, n *network, f family) {
		u := n.uplink2(f)
		u.Name, u.MainFirst = "", true
		rec := &recorder{c: n.c}
		rec.fail = func(int, netlink.Message) error {
			if len(rec.writes) > 4 {
				return errInjected
			}
			return nil
		}
		if err := u.Install(t.Context(), rec); !errors.Is(err, errInjected) {
			t.Fatalf("Install: %v", err)
		}
		count := func() (k int) {
			for _, x := range n.check(u) {
				if x.Code == table.CodeUnfinished {
					k++
				}
			}
			return k
		}
		if count() != 1 {
			t.Errorf("not found:\n%s", n.kernel())
		}
		if err := table.Recover(t.Context(), n.c); err != nil {
			t.Fatal(err)
		}
		if count() != 0 {
			t.Errorf("still found:\n%s", n.kernel())
		}
		n.install(u)
		if count() != 0 {
			t.Error("found when all is done")
		}
	})
}

// Over a connection without a socket, what is not asked of it cannot be found,
// which is a finding as well. Nothing is changed.
func TestFindingsWithoutASocket(t *testing.T) {
	n, u := healthy(t, ip4, nil)
	if err := n.delRule("31000: from 10.2.0.2 lookup 20 proto 210"); err != nil {
		t.Fatal(err)
	}
	rec := &recorder{c: n.c}
	found, err := table.Check(t.Context(), rec, u)
	if err != nil || len(rec.writes) > 0 {
		t.Errorf("%v, sent %v", err, rec.writes)
	}
	found = slices.DeleteFunc(found, func(f table.Finding) bool { return strings.HasPrefix(string(f.Code), "foreign-") })
	want := "fault missing rule from 10.2.0.2 lookup lan2 proto 210 pref 31000\nnote not-read \n"
	if diff := cmp.Diff(want, words(found)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

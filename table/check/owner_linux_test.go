package check_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/check"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// twins are uplinks without names that have the interface, the gateway, and so the label
// in common.
func twins(n *tabletest.Network, f tabletest.Family) (u, v table.SourceRoutedUplink) {
	u = n.Uplink2(f)
	u.Name, u.Table = "", 0
	v = u
	u.Sources, v.Sources = []netip.Addr{netip.MustParseAddr(f.A2)}, []netip.Addr{netip.MustParseAddr(f.A2 + "2")}
	return u, v
}

// wantWords compares the findings but for those about gateways that were never asked.
func wantWords(n *tabletest.Network, what, want string, uplinks ...table.SourceRoutedUplink) {
	n.T.Helper()
	found := slices.DeleteFunc(findings(n, uplinks...), func(f check.Finding) bool { return f.Code == check.CodeGatewayUnknown })
	tabletest.WantText(n.T, what, strings.TrimLeft(want, "\n"), words(found))
}

// An uplink is not blamed for what another with the same label lacks.
func TestFindingsOfTwins(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		bits := map[string]string{"tcp4": "/24", "tcp6": "/64"}[f.TCP]
		n.Server.Addr("u2", f.A2+"2"+bits)
		u, v := twins(n, f)
		label := u.String()
		n.Install(u)
		wantWords(n, "one absent", "fault absent "+label+"\n", u, v)
		wantWords(n, "the other order", "fault absent "+label+"\n", v, u)
		n.Install(u, v)
		wantWords(n, "both installed", "", u, v)

		rung := "from " + f.A2 + "2 lookup 2 proto 210"
		if err := n.DeleteRule("31001: " + rung); err != nil {
			t.Fatal(err)
		}
		wantWords(n, "without a rule", "fault absent "+label+"\n", u, v)
		n.Install(u, v)

		// Both can be installed, but not the second beside the first.
		v.Sources, u.Table, v.Table = u.Sources, 20, 30
		n.Install(u)
		found := slices.DeleteFunc(findings(n, u, v), func(x check.Finding) bool { return x.Code != check.CodeRefused })
		if len(found) != 1 || !strings.HasSuffix(found[0].Text, ": src: "+f.A2+" is also a source of uplink "+label) {
			t.Errorf("of uplinks with one source: %v", found)
		}
	})
}

// Uplinks of both families share name and table. Each is judged by itself, and each lacks
// the name.
func TestFindingsOfBothFamilies(t *testing.T) {
	n := tabletest.NewNetwork(t)
	u4, u6 := n.Uplink2(tabletest.IPv4), n.Uplink2(tabletest.IPv6)
	wantWords(n, "none installed", "fault absent lan2\nfault absent lan2\n", u4, u6)
	n.Install(u4)
	wantWords(n, "IPv4 installed", "fault absent lan2\n", u4, u6)
	n.Remove(u4)
	n.Install(u6)
	wantWords(n, "IPv6 installed", "fault absent lan2\n", u4, u6)
	n.Install(u4, u6)
	wantWords(n, "both installed", "", u4, u6)
	if err := n.DeleteRule("31000: from 2001:db8:2::2 lookup 20 proto 210"); err != nil {
		t.Fatal(err)
	}
	n.WriteRTTables(tabletest.RTTables)
	wantWords(n, "without rule and name",
		"note unnamed lan2\nnote unnamed lan2\nfault missing rule from 2001:db8:2::2 lookup 20 proto 210 pref 31000\n", u4, u6)
	n.Remove(u6)
	n.WriteRTTables(tabletest.RTTables)
	wantWords(n, "without IPv6 and name", "fault absent lan2\nnote unnamed lan2\n", u6, u4)
}

// Uplinks that would be refused do not hide what others lack.
func TestFindingsBesideRefused(t *testing.T) {
	n := tabletest.NewNetwork(t)
	u1, u2 := n.Uplink1(tabletest.IPv4), n.Uplink2(tabletest.IPv4)
	n.Install(u2, u1)
	if err := n.DeleteRule("31000: from 10.2.0.2 lookup 20 proto 210"); err != nil {
		t.Fatal(err)
	}
	gone := u1
	gone.Name, gone.Table, gone.Interface = "gone", 40, "u9"
	foreign := n.Uplink2(tabletest.IPv6)
	foreign.Name, foreign.Table = "foreign", 50
	if err := n.AddRoute("2001:db8:77::/48 via 2001:db8:2::9 table 50 proto static"); err != nil {
		t.Fatal(err)
	}
	clash := n.Uplink1(tabletest.IPv6)
	clash.Name, clash.Table = "clash", 20
	wantWords(n, "findings", `
fault interface-missing u9
fault absent gone
fault missing rule from 10.2.0.2 lookup 20 proto 210 pref 31000
fault refused foreign
fault absent foreign
fault refused clash
fault absent clash
`, gone, u2, u1, foreign, clash)
}

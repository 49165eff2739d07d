package maintain_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/maintain"
)

// awaitShared waits for an event that says that an uplink cannot have a source, which is
// also another one's.
func awaitShared(k *keeper, from int, of, want string) int {
	return k.await(from, want, func(e maintain.Event) bool {
		return e.Kind == maintain.EventFailed && e.Uplink == of && strings.Contains(e.Err.Error(), want)
	})
}

// The address of one uplink is added to the interface of another one as well, before and
// after it in the order of the uplinks. The uplink that has the address keeps it. Both are
// repaired, with all their own sources, while that is so.
func TestAddressOnTwoInterfaces(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		bits := map[tabletest.Family]string{tabletest.IPv4: "/32", tabletest.IPv6: "/128"}[f]
		u1, u2 := n.Uplink1(f), n.Uplink2(f)
		u1.Unreachable, u2.Unreachable = true, true
		k := newKeeper(n, maintain.Config{}, maintained(u1, u2)...)
		for _, x := range []struct{ dev, addr, loser, holder string }{{"u1", f.A2, "lan1", "lan2"}, {"u2", f.A1, "lan2", "lan1"}} {
			n.Server.Addr(x.dev, x.addr+bits)
			from := awaitShared(k, 0, x.loser, x.addr+" is also a source of uplink "+x.holder)
			for table, own := range map[string]string{"10": f.A1, "20": f.A2} {
				id, err := rttables.ParseID(table)
				if err != nil {
					t.Fatal(err)
				}
				flushTable(n, f, id)
				k.until("table "+table+" is repaired", func() bool {
					return strings.Contains(n.Kernel(), "default via "+map[string]string{"10": f.G1, "20": f.G2}[table])
				})
				rules := n.Kernel()
				if !strings.Contains(rules, "from "+own+" lookup "+table) || strings.Count(rules, "from "+own+" lookup ") != 1 {
					t.Errorf("not in table %s alone is %s:\n%s", table, own, rules)
				}
			}
			n.Server.DelAddr(x.dev, x.addr+bits)
			k.await(from, "installed", func(e maintain.Event) bool { return e.Kind == maintain.EventInstalled && e.Uplink == x.loser })
			k.settles(u1, u2)
		}
	})
}

// The links go down and up while an address is on both interfaces.
func TestAddressOnTwoInterfacesLinks(t *testing.T) {
	n := tabletest.NewNetwork(t)
	f := tabletest.IPv4
	u1, u2 := n.Uplink1(f), n.Uplink2(f)
	u1.Unreachable, u2.Unreachable = true, true
	k := newKeeper(n, maintain.Config{}, maintained(u1, u2)...)
	n.Server.Addr("u1", f.A2+"/32")
	awaitShared(k, 0, "lan1", f.A2+" is also a source of uplink lan2")
	whole := n.Table(20)
	rules := ruleLines(n.Table(10))
	for _, dev := range []string{"u2", "u1"} {
		n.Server.Down(dev)
		k.until(dev+" is seen to be down", func() bool {
			return !strings.Contains(n.Kernel(), "default via "+map[string]string{"u1": f.G1, "u2": f.G2}[dev])
		})
		n.Server.Up(dev)
		k.untilText("what the second uplink has", whole, func() string { return n.Table(20) })
		k.until("the first uplink has its default route", func() bool { return strings.Contains(n.Table(10), "default via "+f.G1) })
		tabletest.WantText(t, "rules of the first uplink after "+dev, rules, ruleLines(n.Table(10)))
	}
}

// Uplinks that lack an address of each other keep their shares of the default route.
func TestAddressOnTwoInterfacesShares(t *testing.T) {
	n := tabletest.NewNetwork(t)
	f := tabletest.IPv4
	both := maintained(n.Uplink1(f), n.Uplink2(f))
	both[0].Weight, both[1].Weight = 1, 1
	k := newKeeper(n, maintain.Config{Default: &maintain.Default{Metric: 50}}, both...)
	hops := func() int { return strings.Count(sharedDefault(n, f, rttables.Main), "nexthop via") }
	k.until("both have shares", func() bool { return hops() == 2 })
	n.Server.Addr("u1", f.A2+"/32")
	from := awaitShared(k, 0, "lan1", f.A2+" is also a source of uplink lan2")
	n.Server.Addr("u2", f.A1+"/32")
	awaitShared(k, from, "lan2", f.A1+" is also a source of uplink lan1")
	n.Server.Down("u2")
	k.until("the other one has all", func() bool { return hops() == 0 && strings.Contains(sharedDefault(n, f, rttables.Main), "via "+f.G1) })
	n.Server.Up("u2")
	k.until("both have shares again", func() bool { return hops() == 2 })
}

// A network that comes to a LAN is also one that the uplink before follows. The uplink
// keeps all else, and is repaired.
func TestFollowedNetworkComes(t *testing.T) {
	for name, x := range behinds {
		t.Run(name, func(t *testing.T) {
			n := tabletest.NewNetwork(t)
			n.AddBehind("lan", x.subnet)
			n.AddBehind("lan2", x.renumbered)
			u1, u2 := n.Uplink1(x.Family), n.Uplink2(x.Family)
			u1.SourceInterfaces, u2.SourceInterfaces = []string{"lan"}, []string{"lan2"}
			k := newKeeper(n, maintain.Config{}, maintained(u1, u2)...)
			whole := n.Table(20)
			wide := netip.PrefixFrom(tabletest.NumberedAddr(netip.MustParsePrefix(x.subnet), 7), netip.MustParsePrefix(x.subnet).Bits()).String()
			n.Server.Addr("lan2", wide)
			from := awaitShared(k, 0, "lan2", x.subnet+" also belongs to uplink lan1")
			flushTable(n, x.Family, 20)
			k.untilText("it is repaired", whole, func() string { return n.Table(20) })
			n.Server.DelAddr("lan2", wide)
			k.await(from, "installed", func(e maintain.Event) bool { return e.Kind == maintain.EventInstalled && e.Uplink == "lan2" })
			k.settles([]table.SourceRoutedUplink{u1, u2}...)
		})
	}
}

// flushTable deletes all routes of a table.
func flushTable(n *tabletest.Network, f tabletest.Family, id rttables.ID) {
	n.T.Helper()
	filter := route.Filter{Family: route.FamilyOf(netip.MustParseAddr(f.A1)), Table: id}
	if _, err := route.Flush(n.T.Context(), n.Conn, filter); err != nil {
		n.T.Fatal(err)
	}
}

// ruleLines returns the lines of a text that are rules.
func ruleLines(text string) string {
	var rules []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, "lookup") || strings.Contains(line, "unreachable") {
			rules = append(rules, line)
		}
	}
	return strings.Join(rules, "")
}

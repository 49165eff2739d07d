package maintain_test

import (
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/maintain"
)

// An address moves to another interface. The uplink there takes it over, and the uplink
// that had it keeps no rule for it, although it has no other address.
func TestAddressMoves(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		bits := map[tabletest.Family]string{tabletest.IPv4: "/24", tabletest.IPv6: "/64"}[f]
		u1, u2 := n.Uplink1(f), n.Uplink2(f)
		u1.Unreachable, u2.Unreachable = true, true
		k := newKeeper(n, maintain.Config{}, maintained(u1, u2)...)
		n.Server.DelAddr("u2", f.A2+bits)
		n.Server.Addr("u1", f.A2+bits)
		k.until("the other uplink has it", func() bool {
			return strings.Contains(n.Table(10), "from "+f.A2+" ") && !strings.Contains(n.Table(20), "from "+f.A2+" ")
		})
		n.Server.DelAddr("u1", f.A2+bits)
		n.Server.Addr("u2", f.A2+bits)
		k.until("it is back", func() bool {
			return strings.Contains(n.Table(20), "from "+f.A2+" ") && !strings.Contains(n.Table(10), "from "+f.A2+" ")
		})
		k.settles(u1, u2)
	})
}

// Two uplinks by one interface, each with an address and a gateway of its own.
func TestOneInterface(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		n.Server.Sysctl("net.ipv6.conf.u2.keep_addr_on_down", "1")
		second := strings.TrimSuffix(f.A2, "2") + "3"
		n.Server.Addr("u2", second+map[tabletest.Family]string{tabletest.IPv4: "/24", tabletest.IPv6: "/64"}[f])
		a, b := n.Uplink2(f), n.Uplink2(f)
		a.Sources = []netip.Addr{netip.MustParseAddr(f.A2)}
		b.Sources = []netip.Addr{netip.MustParseAddr(second)}
		b.Name, b.Table, b.Gateway = "lan3", 30, netip.MustParseAddr(f.G2+"0")
		k := newKeeper(n, maintain.Config{}, maintained(a, b)...)
		n.WantNothingToDo(a, b)
		whole := n.Table(20) + n.Table(30)
		n.Server.Down("u2")
		k.until("both are pending", func() bool { return strings.Count(k.text(), "pending: the interface u2 is down") == 2 })
		n.Server.Up("u2")
		k.untilText("both are back", whole, func() string { return n.Table(20) + n.Table(30) })
		// One that follows the interface leaves the other its source.
		k.stop()
		a.Sources = nil
		k = newKeeper(n, maintain.Config{}, maintained(a, b)...)
		repairs := k.counters.Repairs.Load()
		time.Sleep(100 * time.Millisecond)
		tabletest.WantText(t, "they have it in turns", whole, n.Table(20)+n.Table(30))
		if k.counters.Repairs.Load() != repairs {
			t.Errorf("they have it in turns:\n%s", k.text())
		}
	})
}

// An uplink without a table and a name gets a table, and stays in it when all its
// addresses change.
func TestChosenTable(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		bits := map[tabletest.Family]string{tabletest.IPv4: "/24", tabletest.IPv6: "/64"}[f]
		u := n.Uplink2(f)
		u.Name, u.Table = "", 0
		k := newKeeper(n, maintain.Config{Remove: true}, maintained(u)...)
		if !strings.Contains(n.Table(1), "from "+f.A2) {
			t.Fatalf("it is not in table 1:\n%s", n.Kernel())
		}
		next := strings.TrimSuffix(f.A2, "2") + "7"
		n.Server.DelAddr("u2", f.A2+bits)
		n.Server.Addr("u2", next+bits)
		k.until("the new address is in the same table", func() bool {
			ours := n.Table(1)
			return strings.Contains(ours, "from "+next+" ") && strings.Count(ours, "src "+next) == 2 &&
				!strings.Contains(n.Kernel(), f.A2+" ")
		})
		// Without an address it is removed as well.
		n.Server.DelAddr("u2", next+bits)
		k.awaitKind(0, maintain.EventPending)
		k.stop()
		if all := n.Kernel(); strings.Contains(all, "proto 210") {
			t.Errorf("something is left:\n%s", all)
		}
	})
}

// An address whose duplicate address detection fails is not used, and an event says so.
func TestDuplicate(t *testing.T) {
	t.Parallel()
	n := tabletest.NewNetwork(t)
	const taken = "2001:db8:2::7"
	n.Net.Addr("g2", taken+"/64")
	n.Server.DelAddr("u2", tabletest.IPv6.A2+"/64")
	u := n.Uplink2(tabletest.IPv6)
	u.Unreachable = true
	k := newKeeper(n, maintain.Config{}, maintained(u)...)
	from := k.awaitKind(0, maintain.EventPending)
	n.Server.Sysctl("net.ipv6.conf.u2.accept_dad", "1")
	n.Server.Sysctl("net.ipv6.conf.u2.dad_transmits", "1")
	n.AddTentative("u2", taken)
	k.until("its packets go nowhere", func() bool { return strings.Contains(n.Kernel(), "from "+taken+" unreachable") })
	k.until("the duplicate is found", func() bool {
		var flags string
		err := n.Server.Do(func() error {
			b, err := os.ReadFile("/proc/thread-self/net/if_inet6")
			for line := range strings.Lines(string(b)) {
				// The address, and then the index, the length, the scope and the flags.
				if words := strings.Fields(line); len(words) == 6 && words[0] == "20010db8000200000000000000000007" {
					flags = words[4]
				}
			}
			return err
		})
		bits, _ := strconv.ParseUint(flags, 16, 32)
		return err == nil && bits&uapi.IFA_F_DADFAILED != 0
	})
	time.Sleep(50 * time.Millisecond)
	if ours := n.Table(20); strings.Contains(ours, "route") {
		t.Errorf("the duplicate is used:\n%s", ours)
	}
	n.Server.DelAddr("u2", taken+"/64")
	n.Server.Addr("u2", tabletest.IPv6.A2+"/64")
	k.awaitKind(from, maintain.EventInstalled)
	n.WantPlan("with a good one", "\n", u)
}

// The interface is deleted and made again: it has another index.
func TestInterfaceAgain(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		bits := map[tabletest.Family]string{tabletest.IPv4: "/24", tabletest.IPv6: "/64"}[f]
		u := n.Uplink2(f)
		u.Unreachable = true
		k := newKeeper(n, maintain.Config{}, maintained(u)...)
		whole, index := n.Table(20), n.Server.Index("u2")
		n.Server.DeleteLink("u2")
		from := k.awaitKind(0, maintain.EventPending)
		if !strings.Contains(n.Kernel(), "from "+f.A2+" unreachable") {
			t.Errorf("the rules went with the interface:\n%s", n.Kernel())
		}
		n.Server.Link("u2", n.Net, "g2")
		n.Server.Addr("u2", f.A2+bits)
		k.awaitKind(from, maintain.EventInstalled)
		n.WantTable("with another interface", 20, whole)
		if n.Server.Index("u2") == index {
			t.Error("the interface has the index of the one before it: the test proves nothing")
		}
	})
}

// The interface is renamed, while Run is at work and while another Run begins. It still has the
// address, whose rules stay, so that no packet leaves by table main.
func TestRenamedInterface(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		u := n.Uplink2(f)
		u.Unreachable = true
		k := newKeeper(n, maintain.Config{}, maintained(u)...)
		want := strings.ReplaceAll(n.Table(20), "dev u2", "dev other")
		check := func(when string) {
			t.Helper()
			n.WantTable(when, 20, want)
			if !strings.Contains(n.Kernel(), "from "+f.A2+" unreachable") {
				t.Errorf("%s: the rule unreachable has gone:\n%s", when, n.Kernel())
			}
		}
		n.Server.Rename("u2", "other")
		k.awaitKind(0, maintain.EventPending)
		check("with another name")
		k.stop()
		k = newKeeper(n, maintain.Config{}, maintained(u)...)
		check("after a start with another name")
		n.Server.Rename("other", "u2")
		k.settles(u)
	})
}

// The kernel refuses a route. The rules are installed all the same, and the other family of
// that name is complete.
func TestRefusedRoute(t *testing.T) {
	n := tabletest.NewNetwork(t)
	u, other := n.Uplink2(tabletest.IPv4), n.Uplink2(tabletest.IPv6)
	u.Defaults = []route.Route{{Gateway: u.Gateway, Metrics: &route.Metrics{CongCtl: "none-such"}}}
	u.Gateway, u.Unreachable = netip.Addr{}, true
	k := newKeeper(n, maintain.Config{}, maintained(u, other)...)
	k.await(0, "failed", func(e maintain.Event) bool {
		return e.Kind == maintain.EventFailed && e.Family == route.IPv4 && strings.Contains(e.String(), "congestion algorithm")
	})
	n.WantNothingToDo(other)
	if all := n.Kernel(); !strings.Contains(all, "from "+tabletest.IPv4.A2+" unreachable") {
		t.Errorf("the refused route keeps the rules away:\n%s", all)
	}
}

// The gateway is on no link, so that the uplink is pending. Its rules are installed all the
// same, and once the link has the subnet, or a route to the gateway, the uplink is complete.
func TestGatewayComesLater(t *testing.T) {
	n := tabletest.NewNetwork(t)
	u, other := n.Uplink2(tabletest.IPv4), n.Uplink2(tabletest.IPv6)
	u.Gateway, u.Unreachable = netip.MustParseAddr("10.9.0.1"), true
	other.Gateway = netip.MustParseAddr("2001:db8:9::1")
	k := newKeeper(n, maintain.Config{}, maintained(u, other)...)
	for _, f := range []route.Family{route.IPv4, route.IPv6} {
		k.await(0, "pending", func(e maintain.Event) bool {
			return e.Kind == maintain.EventPending && e.Family == f && strings.Contains(e.Reason, "is in no subnet of u2")
		})
	}
	if err := route.Add(t.Context(), n.Conn, route.Route{
		Dst: netip.MustParsePrefix("2001:db8:9::/64"), OIF: n.Server.Index("u2"), Protocol: route.ProtoStatic,
	}); err != nil {
		t.Fatal(err)
	}
	k.await(0, "installed", func(e maintain.Event) bool { return e.Kind == maintain.EventInstalled && e.Family == route.IPv6 })
	n.WantNothingToDo(other)
	if all := n.Kernel(); !strings.Contains(all, "from "+tabletest.IPv4.A2+" unreachable") {
		t.Errorf("the refused route keeps the rules away:\n%s", all)
	}
	n.Server.Addr("u2", "10.9.0.2/24")
	k.await(0, "installed", func(e maintain.Event) bool { return e.Kind == maintain.EventInstalled && e.Family == route.IPv4 })
	n.WantNothingToDo(u, other)
}

// What a killed process has left is cleaned up at the start, also if there is no gate: the
// claim of a table, and routes that no rule leads to.
func TestCleansUp(t *testing.T) {
	n := tabletest.NewNetwork(t)
	u := n.Uplink2(tabletest.IPv4)
	for _, r := range []route.Route{
		{Type: route.TypeThrow, Table: 1, Priority: 1<<32 - 1, Protocol: table.Protocol, Family: route.IPv4},
		{Dst: netip.MustParsePrefix("10.3.0.0/24"), OIF: n.Server.Index("u2"), Table: 2, Protocol: table.Protocol},
		{Dst: netip.MustParsePrefix("10.3.0.0/24"), OIF: n.Server.Index("u2"), Table: 3}, // of others
	} {
		if err := route.Add(t.Context(), n.Conn, r); err != nil {
			t.Fatal(err)
		}
	}
	k := newKeeper(n, maintain.Config{}, maintained(u)...)
	if n.Table(1)+n.Table(2) != "" || n.Table(3) == "" {
		t.Errorf("in the tables 1 to 3 there is:\n%s\n%s\n%s", n.Table(1), n.Table(2), n.Table(3))
	}
	n.WantPlan("after that", "\n", u)
	if !strings.Contains(k.text(), "a killed process left temporary rules and routes") {
		t.Errorf("nothing says so:\n%s", k.text())
	}
}

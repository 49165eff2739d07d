package table_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table"
)

// An address moves to another interface: the uplink there takes it over, and the
// one that had it keeps no rule for it, though it has no other.
func TestMaintainAddressMoves(t *testing.T) {
	forFamilies(t, func(t *testing.T, n *network, f family) {
		bits := map[family]string{ip4: "/24", ip6: "/64"}[f]
		u1, u2 := n.uplink1(f), n.uplink2(f)
		u1.Unreachable, u2.Unreachable = true, true
		k := n.maintain(table.MaintainConfig{}, maintained(u1, u2)...)
		n.server.DelAddr("u2", f.a2+bits)
		n.server.Addr("u1", f.a2+bits)
		k.until("the other uplink has it", func() bool {
			return strings.Contains(n.ours(10), "from "+f.a2+" ") && !strings.Contains(n.ours(20), "from "+f.a2+" ")
		})
		n.server.DelAddr("u1", f.a2+bits)
		n.server.Addr("u2", f.a2+bits)
		k.until("it is back", func() bool {
			return strings.Contains(n.ours(20), "from "+f.a2+" ") && !strings.Contains(n.ours(10), "from "+f.a2+" ")
		})
		k.settles(u1, u2)
	})
}

// Two uplinks of one interface, each with an address and a gateway of its own.
func TestMaintainOneInterface(t *testing.T) {
	forFamilies(t, func(t *testing.T, n *network, f family) {
		n.server.Sysctl("net.ipv6.conf.u2.keep_addr_on_down", "1")
		second := strings.TrimSuffix(f.a2, "2") + "3"
		n.server.Addr("u2", second+map[family]string{ip4: "/24", ip6: "/64"}[f])
		a, b := n.uplink2(f), n.uplink2(f)
		a.Sources = []netip.Addr{netip.MustParseAddr(f.a2)}
		b.Sources = []netip.Addr{netip.MustParseAddr(second)}
		b.Name, b.Table, b.Gateway = "lan3", 30, netip.MustParseAddr(f.g2+"0")
		k := n.maintain(table.MaintainConfig{}, maintained(a, b)...)
		n.wantNothingToDo(a, b)
		whole := n.ours(20) + n.ours(30)
		n.server.Down("u2")
		k.until("both are pending", func() bool { return strings.Count(k.text(), "pending: the interface u2 is down") == 2 })
		n.server.Up("u2")
		k.until("both are back", func() bool { return n.ours(20)+n.ours(30) == whole })
		// One that follows the interface leaves the other its source.
		k.stop()
		a.Sources = nil
		k = n.maintain(table.MaintainConfig{}, maintained(a, b)...)
		repairs := k.counters.Repairs.Load()
		time.Sleep(100 * time.Millisecond)
		if now := n.ours(20) + n.ours(30); now != whole || k.counters.Repairs.Load() != repairs {
			t.Errorf("they have it in turns:\n%s\n%s", now, k.text())
		}
	})
}

// An uplink without a table and a name gets a table, and stays in it when all its
// addresses change.
func TestMaintainChosenTable(t *testing.T) {
	forFamilies(t, func(t *testing.T, n *network, f family) {
		bits := map[family]string{ip4: "/24", ip6: "/64"}[f]
		u := n.uplink2(f)
		u.Name, u.Table = "", 0
		k := n.maintain(table.MaintainConfig{Remove: true}, maintained(u)...)
		if !strings.Contains(n.ours(1), "from "+f.a2) {
			t.Fatalf("it is not in table 1:\n%s", n.kernel())
		}
		next := strings.TrimSuffix(f.a2, "2") + "7"
		n.server.DelAddr("u2", f.a2+bits)
		n.server.Addr("u2", next+bits)
		k.until("the new address is in the same table", func() bool {
			ours := n.ours(1)
			return strings.Contains(ours, "from "+next+" ") && strings.Count(ours, "src "+next) == 2 &&
				!strings.Contains(n.kernel(), f.a2+" ")
		})
		// Without an address it is removed as well.
		n.server.DelAddr("u2", next+bits)
		k.awaitKind(0, table.EventPending)
		k.stop()
		if all := n.kernel(); strings.Contains(all, "proto 210") {
			t.Errorf("something is left:\n%s", all)
		}
	})
}

// An address of which duplicate address detection fails is not used, and the uplink
// says so.
func TestMaintainDuplicate(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	const taken = "2001:db8:2::7"
	n.net.Addr("g2", taken+"/64")
	n.server.DelAddr("u2", ip6.a2+"/64")
	u := n.uplink2(ip6)
	u.Unreachable = true
	k := n.maintain(table.MaintainConfig{}, maintained(u)...)
	from := k.awaitKind(0, table.EventPending)
	n.server.Sysctl("net.ipv6.conf.u2.accept_dad", "1")
	n.server.Sysctl("net.ipv6.conf.u2.dad_transmits", "1")
	n.addTentative("u2", taken)
	k.until("its packets go nowhere", func() bool { return strings.Contains(n.kernel(), "from "+taken+" unreachable") })
	k.until("the duplicate is found", func() bool {
		out, err := n.server.Run("", "ip", "-6", "address", "show", "dev", "u2")
		return err == nil && strings.Contains(out, "dadfailed")
	})
	time.Sleep(50 * time.Millisecond)
	if ours := n.ours(20); strings.Contains(ours, "route") {
		t.Errorf("the duplicate is used:\n%s", ours)
	}
	n.server.DelAddr("u2", taken+"/64")
	n.server.Addr("u2", ip6.a2+"/64")
	k.awaitKind(from, table.EventInstalled)
	n.wantPlan("with a good one", "\n", u)
}

// The interface is deleted and made again: it has another index.
func TestMaintainInterfaceAgain(t *testing.T) {
	forFamilies(t, func(t *testing.T, n *network, f family) {
		bits := map[family]string{ip4: "/24", ip6: "/64"}[f]
		u := n.uplink2(f)
		u.Unreachable = true
		k := n.maintain(table.MaintainConfig{}, maintained(u)...)
		whole, index := n.ours(20), n.server.Index("u2")
		n.server.DeleteLink("u2")
		from := k.awaitKind(0, table.EventPending)
		if !strings.Contains(n.kernel(), "from "+f.a2+" unreachable") {
			t.Errorf("the rules went with the interface:\n%s", n.kernel())
		}
		n.server.Link("u2", n.net, "g2")
		n.server.Addr("u2", f.a2+bits)
		k.awaitKind(from, table.EventInstalled)
		if got := n.ours(20); got != whole || n.server.Index("u2") == index {
			t.Errorf("with the index %d, that was %d:\n%s\nwant\n%s", n.server.Index("u2"), index, got, whole)
		}
	})
}

// A gateway that is on no link: the kernel refuses the route. The rules are there all
// the same, the other family of that name has all it needs, and once the link has the
// subnet, the uplink is complete.
func TestMaintainRefusedRoute(t *testing.T) {
	n := newNetwork(t)
	u, other := n.uplink2(ip4), n.uplink2(ip6)
	u.Gateway, u.Unreachable = netip.MustParseAddr("10.9.0.1"), true
	k := n.maintain(table.MaintainConfig{}, maintained(u, other)...)
	k.await(0, "failed", func(e table.Event) bool {
		return e.Kind == table.EventFailed && e.Family == route.IPv4 && strings.Contains(e.String(), "Nexthop has invalid gateway")
	})
	n.wantNothingToDo(other)
	if all := n.kernel(); !strings.Contains(all, "from "+ip4.a2+" unreachable") {
		t.Errorf("the refused route keeps the rules away:\n%s", all)
	}
	n.server.Addr("u2", "10.9.0.2/24")
	k.await(0, "installed", func(e table.Event) bool { return e.Kind == table.EventInstalled && e.Family == route.IPv4 })
	n.wantNothingToDo(u, other)
}

// What a killed process has left is cleaned up at the start, also where no gate tells
// of it: the claim of a table, and routes that no rule leads to.
func TestMaintainTidies(t *testing.T) {
	n := newNetwork(t)
	u := n.uplink2(ip4)
	for _, r := range []route.Route{
		{Type: route.TypeThrow, Table: 1, Priority: 1<<32 - 1, Protocol: table.Protocol, Family: route.IPv4},
		{Dst: netip.MustParsePrefix("10.3.0.0/24"), OIF: n.server.Index("u2"), Table: 2, Protocol: table.Protocol},
		{Dst: netip.MustParsePrefix("10.3.0.0/24"), OIF: n.server.Index("u2"), Table: 3}, // of others
	} {
		if err := route.Add(t.Context(), n.c, r); err != nil {
			t.Fatal(err)
		}
	}
	k := n.maintain(table.MaintainConfig{}, maintained(u)...)
	if n.ours(1)+n.ours(2) != "" || n.ours(3) == "" {
		t.Errorf("in the tables 1 to 3 there is:\n%s\n%s\n%s", n.ours(1), n.ours(2), n.ours(3))
	}
	n.wantPlan("after that", "\n", u)
	if !strings.Contains(k.text(), "left over") {
		t.Errorf("nothing says so:\n%s", k.text())
	}
}

package maintain_test

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/maintain"
)

// The kernel takes the IPv6 address away with the link. When it is back, so are
// routes and rules, once duplicate address detection is over.
func TestAddressIsBack(t *testing.T) {
	t.Parallel()
	n := tabletest.NewNetwork(t)
	u := n.Uplink2(tabletest.IPv6)
	u.Unreachable = true
	k := newKeeper(n, maintain.Config{}, maintained(u)...)
	whole := n.Table(20)
	n.Server.Down("u2")
	k.await(0, "pending: down", func(e maintain.Event) bool { return strings.Contains(e.String(), "is down") })
	n.Server.Up("u2")
	k.await(0, "pending: no address", func(e maintain.Event) bool {
		return e.Kind == maintain.EventPending && strings.Contains(e.Reason, "no global IPv6 address")
	})
	if rules := n.Table(20); !strings.Contains(rules, "rule 31000: from "+tabletest.IPv6.A2) {
		t.Errorf("the rule did not wait for the address:\n%s", rules)
	}
	n.Server.Addr("u2", tabletest.IPv6.A2+"/64")
	k.untilTable("the uplink is back", whole)

	// A tentative address is waited for as well.
	from := len(k.log())
	n.Server.DelAddr("u2", tabletest.IPv6.A2+"/64")
	from = k.awaitKind(from, maintain.EventPending)
	n.Server.Sysctl("net.ipv6.conf.u2.accept_dad", "1")
	n.Server.Sysctl("net.ipv6.conf.u2.dad_transmits", "1")
	n.AddTentative("u2", tabletest.IPv6.A2)
	k.awaitKind(from, maintain.EventInstalled)
	n.WantTable("after duplicate address detection", 20, whole)
	// The control: nobody brings them back.
	k.stop()
	n.Server.Down("u2")
	n.Server.Up("u2")
	n.Server.Addr("u2", tabletest.IPv6.A2+"/64")
	time.Sleep(300 * time.Millisecond)
	if got := n.Table(20); strings.Contains(got, "route default") {
		t.Errorf("the control: who brought it back?\n%s", got)
	}
}

// The address changes. Packets from the new address take the uplink at once, and no rule
// or route mentions the old address any more.
func TestRenumber(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		bits := map[tabletest.Family]string{tabletest.IPv4: "/24", tabletest.IPv6: "/64"}[f]
		next := strings.TrimSuffix(f.A2, "2") + "7"
		k := newKeeper(n, maintain.Config{}, maintained(n.Uplink2(f))...)
		tabletest.Serve(t, n.Net, f.TCP, net.JoinHostPort(f.Client, "80"))
		addrs := []string{f.A2, next}
		k.within(100*time.Millisecond, "renumbered", func() time.Duration {
			slices.Reverse(addrs)
			n.Server.DelAddr("u2", addrs[1]+bits)
			n.Server.Addr("u2", addrs[0]+bits)
			d := k.until("the new address has the uplink", func() bool {
				ours := n.Table(20)
				return !strings.Contains(ours, addrs[1]+" ") && strings.Contains(ours, "from "+addrs[0]+" ") &&
					strings.Contains(ours, "route default via "+f.G2+" dev u2 table 20 proto 210 src "+addrs[0])
			})
			k.until("nothing mentions the old one", func() bool {
				all := n.Kernel()
				return !strings.Contains(all, addrs[1]+" ") && !strings.Contains(all, addrs[1]+"\n")
			})
			n.G1.Reset()
			n.G2.Reset()
			tabletest.Connect(t, n.Server, f.TCP, addrs[0], net.JoinHostPort(f.Client, "80"))
			n.WantRouter(addrs[0], 2)
			return d
		})
		// The control: the new address leaves by g1.
		k.stop()
		slices.Reverse(addrs)
		n.Server.DelAddr("u2", addrs[1]+bits)
		n.Server.Addr("u2", addrs[0]+bits)
		n.G1.Reset()
		n.G2.Reset()
		tabletest.Connect(t, n.Server, f.TCP, addrs[0], net.JoinHostPort(f.Client, "80"))
		n.WantRouter(addrs[0], 1)
	})
}

// The kernel deletes a secondary address together with its primary address.
func TestPrimaryGoes(t *testing.T) {
	n := tabletest.NewNetwork(t)
	n.Server.Sysctl("net.ipv4.conf.u2.promote_secondaries", "0")
	n.Server.Sysctl("net.ipv4.conf.all.promote_secondaries", "0")
	n.Server.Addr("u2", "10.2.0.3/24")
	u := n.Uplink2(tabletest.IPv4)
	u.Unreachable = true
	k := newKeeper(n, maintain.Config{}, maintained(u)...)
	before := n.Table(20)
	swallow(t, n, tabletest.IPv4)
	n.G1.Reset()
	stop := send(n, tabletest.IPv4)
	n.Server.DelAddr("u2", "10.2.0.2/24")
	k.awaitKind(0, maintain.EventPending)
	if got := n.Table(20); strings.Contains(got, "route default") || !strings.Contains(got, "from 10.2.0.3") {
		t.Errorf("the secondary address did not go along, or its rule is gone:\n%s", got)
	}
	n.Server.Addr("u2", "10.2.0.2/24", "10.2.0.3/24")
	k.until("both addresses have the uplink", func() bool { return n.Table(20) == before })
	time.Sleep(10 * time.Millisecond)
	sent, refused := stop()
	if g1, g2 := fromUDP(n, tabletest.IPv4.A2); g1 > 0 || g2 == 0 || refused == 0 {
		t.Errorf("%d sent, %d refused: %d at g1, %d at g2", sent, refused, g1, g2)
	}
	// The control: without Run the routes do not come back.
	k.stop()
	n.Server.DelAddr("u2", "10.2.0.2/24")
	n.Server.Addr("u2", "10.2.0.2/24", "10.2.0.3/24")
	time.Sleep(300 * time.Millisecond)
	if got := n.Table(20); strings.Contains(got, "route") {
		t.Errorf("the control: who brought it back?\n%s", got)
	}
}

package table_test

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/policyroute/policyroute/table"
)

// The kernel takes the IPv6 address away with the link. When it is back, so are
// routes and rules, once duplicate address detection is over.
func TestMaintainAddressIsBack(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	u := n.uplink2(ip6)
	u.Unreachable = true
	k := n.maintain(table.MaintainConfig{}, maintained(u)...)
	whole := n.ours(20)
	n.server.Down("u2")
	k.await(0, "pending: down", func(e table.Event) bool { return strings.Contains(e.String(), "is down") })
	n.server.Up("u2")
	k.await(0, "pending: no address", func(e table.Event) bool {
		return e.Kind == table.EventPending && strings.Contains(e.Reason, "no global IPv6 address")
	})
	if rules := n.ours(20); !strings.Contains(rules, "rule 31000: from "+ip6.a2) {
		t.Errorf("the rule did not wait for the address:\n%s", rules)
	}
	n.server.Addr("u2", ip6.a2+"/64")
	k.until("the uplink is back", func() bool { return n.ours(20) == whole })

	// A tentative address is waited for as well.
	n.server.DelAddr("u2", ip6.a2+"/64")
	from := k.awaitKind(len(k.log()), table.EventPending)
	n.server.Sysctl("net.ipv6.conf.u2.accept_dad", "1")
	n.server.Sysctl("net.ipv6.conf.u2.dad_transmits", "1")
	n.addTentative("u2", ip6.a2)
	k.awaitKind(from, table.EventInstalled)
	if got := n.ours(20); got != whole {
		t.Errorf("after duplicate address detection:\n%s\nwant\n%s", got, whole)
	}
	// The control: nobody brings them back.
	k.stop()
	n.server.Down("u2")
	n.server.Up("u2")
	n.server.Addr("u2", ip6.a2+"/64")
	time.Sleep(300 * time.Millisecond)
	if got := n.ours(20); strings.Contains(got, "route default") {
		t.Errorf("the control: who brought it back?\n%s", got)
	}
}

// The address changes. The new one goes by the uplink at once, and nothing
// mentions the old one any more.
func TestMaintainRenumber(t *testing.T) {
	forFamilies(t, func(t *testing.T, n *network, f family) {
		bits := map[family]string{ip4: "/24", ip6: "/64"}[f]
		next := strings.TrimSuffix(f.a2, "2") + "7"
		k := n.maintain(table.MaintainConfig{}, maintained(n.uplink2(f))...)
		serve(t, n.net, f.tcp, net.JoinHostPort(f.client, "80"))
		addrs := []string{f.a2, next}
		k.within(100*time.Millisecond, "renumbered", func() time.Duration {
			slices.Reverse(addrs)
			n.server.DelAddr("u2", addrs[1]+bits)
			n.server.Addr("u2", addrs[0]+bits)
			d := k.until("the new address has the uplink", func() bool {
				ours := n.ours(20)
				return !strings.Contains(ours, addrs[1]+" ") && strings.Contains(ours, "from "+addrs[0]+" ") &&
					strings.Contains(ours, "route default via "+f.g2+" dev u2 table 20 proto 210 src "+addrs[0])
			})
			k.until("nothing mentions the old one", func() bool {
				all := n.kernel()
				return !strings.Contains(all, addrs[1]+" ") && !strings.Contains(all, addrs[1]+"\n")
			})
			n.g1.Reset()
			n.g2.Reset()
			connect(t, n.server, f.tcp, addrs[0], net.JoinHostPort(f.client, "80"))
			n.wantBy(addrs[0], 2)
			return d
		})
		// The control: the new address leaves by g1.
		k.stop()
		slices.Reverse(addrs)
		n.server.DelAddr("u2", addrs[1]+bits)
		n.server.Addr("u2", addrs[0]+bits)
		n.g1.Reset()
		n.g2.Reset()
		connect(t, n.server, f.tcp, addrs[0], net.JoinHostPort(f.client, "80"))
		n.wantBy(addrs[0], 1)
	})
}

// The primary address goes, and takes the secondary one along.
func TestMaintainPrimaryGoes(t *testing.T) {
	n := newNetwork(t)
	n.server.Sysctl("net.ipv4.conf.u2.promote_secondaries", "0")
	n.server.Sysctl("net.ipv4.conf.all.promote_secondaries", "0")
	n.server.Addr("u2", "10.2.0.3/24")
	u := n.uplink2(ip4)
	u.Unreachable = true
	k := n.maintain(table.MaintainConfig{}, maintained(u)...)
	before := n.ours(20)
	swallow(t, n, ip4)
	n.g1.Reset()
	stop := n.send(ip4)
	n.server.DelAddr("u2", "10.2.0.2/24")
	k.awaitKind(0, table.EventPending)
	if got := n.ours(20); strings.Contains(got, "route default") || !strings.Contains(got, "from 10.2.0.3") {
		t.Errorf("the secondary address did not go along, or its rule is gone:\n%s", got)
	}
	n.server.Addr("u2", "10.2.0.2/24", "10.2.0.3/24")
	k.until("both addresses have the uplink", func() bool { return n.ours(20) == before })
	time.Sleep(10 * time.Millisecond)
	sent, refused := stop()
	if g1, g2 := n.fromUDP(ip4.a2); g1 > 0 || g2 == 0 || refused == 0 {
		t.Errorf("%d sent, %d refused: %d at g1, %d at g2", sent, refused, g1, g2)
	}
	// The control: without Maintain the routes do not come back.
	k.stop()
	n.server.DelAddr("u2", "10.2.0.2/24")
	n.server.Addr("u2", "10.2.0.2/24", "10.2.0.3/24")
	time.Sleep(300 * time.Millisecond)
	if got := n.ours(20); strings.Contains(got, "route") {
		t.Errorf("the control: who brought it back?\n%s", got)
	}
}

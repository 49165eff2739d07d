package maintain_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/maintain"
)

// The link goes down and comes up. While it is down nothing leaves by the other uplink, and
// afterwards the table is complete again.
func TestLink(t *testing.T) {
	t.Parallel()
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		n.Server.Sysctl("net.ipv6.conf.u2.keep_addr_on_down", "1")
		u := n.Uplink2(f)
		u.Unreachable = true
		k := newKeeper(n, maintain.Config{}, maintained(u)...)
		whole := n.Table(20)
		if !strings.Contains(whole, "route default") {
			t.Fatalf("not installed:\n%s", whole)
		}
		swallow(t, n, f)
		k.within(100*time.Millisecond, "link up", func() time.Duration {
			n.G1.Reset()
			n.G2.Reset()
			stop := send(n, f)
			time.Sleep(20 * time.Millisecond)
			n.Server.Down("u2")
			time.Sleep(300 * time.Millisecond)
			n.Server.Up("u2")
			d := k.untilTable("the table is whole", whole)
			time.Sleep(20 * time.Millisecond)
			sent, refused := stop()
			g1, g2 := fromUDP(n, f.A2)
			if g1 > 0 || g2 == 0 || refused == 0 {
				t.Errorf("%d sent, %d refused: %d at g1, %d at g2", sent, refused, g1, g2)
			}
			return d
		})
		events := k.text()
		for _, want := range []string{"pending: the interface u2 is down", "installed"} {
			if !strings.Contains(events, want) {
				t.Errorf("no event says %q:\n%s", want, events)
			}
		}
		// Without Run, and without a last rung, packets leave by g1.
		k.stop()
		u.Unreachable = false
		n.Install(u)
		n.G1.Reset()
		stop := send(n, f)
		n.Server.Down("u2")
		time.Sleep(50 * time.Millisecond)
		n.Server.Up("u2")
		time.Sleep(200 * time.Millisecond)
		stop()
		if g1, _ := fromUDP(n, f.A2); g1 == 0 {
			t.Error("the control does not leak: the test proves nothing")
		}
		if f == tabletest.IPv4 && strings.Contains(n.Table(20), "route") {
			t.Errorf("the control still has routes:\n%s", n.Table(20))
		}
	})
}

// The link is down at the start. The uplink is pending, and complete once the link comes
// up.
func TestPending(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		n.Server.Down("u2")
		u := n.Uplink2(f)
		if err := u.Install(t.Context(), n.Conn); err == nil {
			t.Error("the control: Install succeeds")
		}
		k := newKeeper(n, maintain.Config{}, maintained(u)...)
		k.await(0, "pending", func(e maintain.Event) bool { return e.Kind == maintain.EventPending && e.Uplink == "lan2" })
		n.Server.Up("u2")
		if f == tabletest.IPv6 {
			n.Server.Addr("u2", f.A2+"/64")
		}
		k.awaitKind(0, maintain.EventInstalled)
		n.WantPlan("after it came up", "\n", u)
		// One whose interface does not exist yet.
		missing := n.Uplink1(f)
		missing.Name, missing.Table, missing.Interface, missing.Gateway = "late", 30, "u9", netip.MustParseAddr("10.9.0.1")
		k.stop()
		k = newKeeper(n, maintain.Config{}, maintained(u, missing)...)
		from := k.await(0, "pending", func(e maintain.Event) bool { return strings.Contains(e.String(), "the interface u9 does not exist") })
		n.Server.Link("u9", n.Net, "g9")
		n.Server.Addr("u9", "10.9.0.2/24")
		k.await(from, "installed", func(e maintain.Event) bool { return e.Kind == maintain.EventInstalled && e.Uplink == "late" })
	})
}

// The interface of an uplink is found when it gets the name that the uplink has, which can
// be an alternative name, and is followed when it gets another name.
func TestAlternativeName(t *testing.T) {
	t.Parallel()
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		n.Server.Sysctl("net.ipv6.conf.u2.keep_addr_on_down", "1")
		u := n.Uplink2(f)
		u.Interface, u.Also = "enx001122334455-at-the-left", []rule.Rule{{OIF: "u2"}}
		k := newKeeper(n, maintain.Config{}, maintained(u)...)
		k.await(0, "pending", func(e maintain.Event) bool {
			return strings.Contains(e.String(), "the interface enx001122334455-at-the-left does not exist")
		})
		n.Server.AltName("u2", u.Interface)
		k.awaitKind(0, maintain.EventInstalled)
		k.settles(u)
		whole := n.Table(20)
		if !strings.Contains(whole, " dev u2 ") || !strings.Contains(whole, " oif u2 ") {
			t.Errorf("the table is\n%s", whole)
		}
		k.stop()
		// Its rule by the interface has the alternative name now.
		n.Server.AltName("u2", "enp0s6")
		u.Also[0].OIF = "enp0s6"
		n.WantNothingToDo(u)
		k = newKeeper(n, maintain.Config{}, maintained(u)...)
		n.Server.Down("u2")
		n.Server.Rename("u2", "wan0")
		n.Server.Up("wan0")
		k.until("the routes and the rule have the new name", func() bool {
			table := n.Table(20)
			return strings.Contains(table, " dev wan0 ") && strings.Contains(table, " oif wan0 ") && !strings.Contains(table, "u2")
		})
		k.settles(u)
		k.stop()
		// Another one takes the addresses of the same interface, and is refused.
		other := u
		other.Name, other.Table, other.Interface, other.Also = "other", 30, "wan0", nil
		k = newKeeper(n, maintain.Config{}, maintained(u, other)...)
		k.await(0, "refused", func(e maintain.Event) bool {
			return e.Uplink == "other" && strings.Contains(e.String(), "Sources: also belong to uplink lan2: wan0 and ") &&
				strings.Contains(e.String(), " are the same interface")
		})
		k.settles(u)
		if got := n.Table(30); got != "" {
			t.Errorf("it is installed:\n%s", got)
		}
	})
}

// An uplink whose interface loses the alternative name that the uplink has is pending, and
// keeps its rules: its sources do not leave by another one.
func TestAlternativeNameTaken(t *testing.T) {
	t.Parallel()
	n := tabletest.NewNetwork(t)
	u := n.Uplink2(tabletest.IPv4)
	u.Interface = "left"
	n.Server.AltName("u2", u.Interface)
	k := newKeeper(n, maintain.Config{}, maintained(u)...)
	k.awaitKind(0, maintain.EventInstalled)
	k.settles(u)
	whole := n.Table(20)
	n.Server.DelAltName("u2", u.Interface)
	from := k.await(0, "pending", func(e maintain.Event) bool { return strings.Contains(e.String(), "the interface left does not exist") })
	k.settles()
	tabletest.WantText(t, "the table and its rules without the name", whole, n.Table(20))
	n.Server.AltName("u2", u.Interface)
	k.await(from, "installed", func(e maintain.Event) bool { return e.Kind == maintain.EventInstalled })
	tabletest.WantText(t, "the table and its rules with the name", whole, n.Table(20))
}

// The rules for the networks of another interface, and by it, stay as well when the interface
// loses the alternative name that the uplink has, and follow the name to another one.
func TestAlternativeNameOfSourcesTaken(t *testing.T) {
	t.Parallel()
	n := tabletest.NewNetwork(t)
	n.Server.Link("lan", n.Net, "glan")
	n.Server.Addr("lan", "172.16.5.1/24")
	n.Server.AltName("lan", "behind")
	u := n.Uplink2(tabletest.IPv4)
	u.SourceInterfaces, u.Also = []string{"behind"}, []rule.Rule{{IIF: "behind", IPProto: route.UDP}}
	k := newKeeper(n, maintain.Config{}, maintained(u)...)
	k.awaitKind(0, maintain.EventInstalled)
	k.settles(u)
	whole := n.Table(20)
	if !strings.Contains(whole, " from 172.16.5.0/24 ") || !strings.Contains(whole, " iif lan ") {
		t.Fatalf("the table is\n%s", whole)
	}
	looks := k.counters.Looks.Load()
	n.Server.DelAltName("lan", "behind")
	k.until("a look", func() bool { return k.counters.Looks.Load() > looks })
	// Something else is repaired, and so the look before it is over.
	if err := n.DeleteRoute("default via 10.2.0.1 dev u2 table 20 proto 210 src 10.2.0.2"); err != nil {
		t.Fatal(err)
	}
	k.until("the table and its rules are as before", func() bool { return n.Table(20) == whole })
	n.Server.Link("lan3", n.Net, "glan3")
	n.Server.Addr("lan3", "172.16.6.1/24")
	n.Server.AltName("lan3", "behind")
	k.until("the rules follow the name", func() bool {
		table := n.Table(20)
		return strings.Contains(table, " from 172.16.6.0/24 ") && strings.Contains(table, " iif lan3 ") && !strings.Contains(table, "172.16.5.0")
	})
	k.settles(u)
}

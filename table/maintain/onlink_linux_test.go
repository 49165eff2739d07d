package maintain_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/maintain"
)

// What is on the link of an uplink follows table main: a prefix that is advertised is the
// uplink's subnet as long as main has it, and Install agrees.
func TestOnLinkFollows(t *testing.T) {
	for name, x := range map[string]struct {
		tabletest.Family
		first, second string // prefixes
		proto         string
	}{
		"ipv4": {tabletest.IPv4, "198.18.1.0/24", "198.18.2.0/24", " proto dhcp scope link"},
		"ipv6": {tabletest.IPv6, "2001:db8:51::/64", "2001:db8:52::/64", " proto ra"},
	} {
		t.Run(name, func(t *testing.T) {
			n := tabletest.NewNetwork(t)
			u := n.Uplink2(x.Family)
			k := newKeeper(n, maintain.Config{}, maintained(u)...)
			has := func(prefix string) bool { return strings.Contains(n.Table(20), "route "+prefix+" dev u2 ") }
			if has(x.first) {
				t.Fatal("there is a route already")
			}
			if err := n.AddRoute(x.first + " dev u2" + x.proto); err != nil {
				t.Fatal(err)
			}
			k.until("the prefix is a subnet", func() bool { return has(x.first) })
			k.untilComplete(u)
			// Renumbered: the new one comes, and the old one goes.
			if err := n.AddRoute(x.second + " dev u2" + x.proto); err != nil {
				t.Fatal(err)
			}
			if err := n.DeleteRoute(x.first + " dev u2" + x.proto); err != nil {
				t.Fatal(err)
			}
			k.until("the new prefix is a subnet, and the old is not", func() bool { return has(x.second) && !has(x.first) })
			k.untilComplete(u)
			n.Server.Down("u2")
			from := k.awaitKind(0, maintain.EventPending)
			n.Server.Up("u2")
			if x.TCP == "tcp6" {
				n.Server.Addr("u2", x.A2+"/64") // it went with the link
			}
			k.awaitKind(from, maintain.EventInstalled)
			k.until("the prefix went with the link", func() bool { return !has(x.second) })
			k.untilComplete(u)
		})
	}
}

// A source that is elsewhere keeps its rule and is no reason to be pending, as long as
// another one is there. Without any, the uplink waits for what Install refuses it for.
func TestAbsentSource(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		u := n.Uplink2(f)
		vip := netip.MustParseAddr(f.A2 + "0")
		u.Sources = []netip.Addr{netip.MustParseAddr(f.A2), vip}
		k := newKeeper(n, maintain.Config{}, maintained(u)...)
		from := k.awaitKind(0, maintain.EventInstalled)
		if got := n.Table(20); !strings.Contains(got, "from "+vip.String()+" lookup 20") {
			t.Errorf("there is no rule for %s:\n%s", vip, got)
		}
		k.untilComplete(u)
		subnet := map[string]string{"tcp4": "/24", "tcp6": "/64"}[f.TCP]
		n.Server.DelAddr("u2", f.A2+subnet)
		reason := f.A2 + " is not an address of this host"
		from = k.await(from, "pending", func(e maintain.Event) bool { return e.Kind == maintain.EventPending && e.Reason == reason })
		if _, err := u.Plan(t.Context(), n.Conn); err == nil || !strings.HasSuffix(err.Error(), "Sources: "+reason) {
			t.Errorf("Install: %v, want the reason %q", err, reason)
		}
		n.Server.Addr("u2", vip.String()+subnet)
		k.awaitKind(from, maintain.EventInstalled)
		k.untilComplete(u)
	})
}

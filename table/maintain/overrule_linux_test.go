package maintain_test

import (
	"strings"
	"testing"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/maintain"
)

// A rule of another program that takes an uplink's packets is told once when it comes,
// with its owner, and once when it has gone. What takes nothing is not told.
func TestOverruled(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		option := "-" + f.TCP[3:] + " "
		do := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		u := n.Uplink2(f)
		u.MainFirst, u.Unreachable = true, true
		// A rule by mark, and one that leads to an empty table: they take nothing.
		do(n.AddRule(option + "5210: from all fwmark 0x80000/0xff0000 lookup main"))
		do(n.AddRule(option + "5270: from all lookup 52 proto boot"))
		k := newKeeper(n, maintain.Config{}, maintained(u)...)
		at := 0
		overruled := func(what string, words ...string) {
			t.Helper()
			at = k.await(at, what, func(e maintain.Event) bool {
				if e.Kind != maintain.EventOverruled || e.Uplink != "lan2" || e.Family == 0 {
					return false
				}
				for _, word := range words {
					if !strings.Contains(e.Reason, word) {
						t.Fatalf("%s: %q does not say %q", what, e.Reason, word)
					}
				}
				return true
			})
		}
		over := func(what string) {
			t.Helper()
			at = k.await(at, "in force after "+what, func(e maintain.Event) bool { return e.Kind == maintain.EventInForce })
		}
		defaultIn52 := "default via " + f.G1 + " table 52"
		do(n.AddRoute(defaultIn52))
		overruled("a default in another table", "5270: from all lookup 52 proto boot", "Tailscale", f.A2, "u1", "table 52")
		// Another look finds nothing new.
		looks := k.counters.Looks.Load()
		do(n.AddRule(option + "5300: from all lookup 98"))
		k.until("another look", func() bool { return k.counters.Looks.Load() > looks })
		do(n.DeleteRoute(defaultIn52))
		over("the default")

		// A VPN: the kernel gives its rules the priorities right before ours.
		do(n.AddRoute(strings.Replace(defaultIn52, "table 52", "table 51820", 1)))
		do(n.AddRule(option + "not fwmark 0xca6c lookup 51820 proto 99"))
		overruled("a VPN", "not from all fwmark 0xca6c lookup 51820", "proto 99")
		do(n.AddRule(option + "lookup main suppress_prefixlength 0"))
		do(n.DeleteRule(option + "5270: from all lookup 52 proto boot"))
		do(n.DeleteFirstRule(f, uint32(rttables.Main), 0))
		deleteRuleTo(n, 51820)
		over("the VPN")

		// Half of the Internet, which has not the address that is asked first.
		half := "128.0.0.0/1"
		if f.TCP == "tcp6" {
			half = "3000::/4"
		}
		do(n.AddRoute(half + " via " + f.G1 + " table 53"))
		do(n.AddRule(option + "5280: from all lookup 53 proto boot"))
		overruled("a half", "5280: from all lookup 53 proto boot", "table 53")
		do(n.DeleteRule(option + "5280: from all lookup 53 proto boot"))
		over("the half")

		do(n.AddRule("100: from " + f.A2 + " prohibit proto static"))
		overruled("a prohibition", "100: from "+f.A2+" prohibit", "proto static", "ermission denied")
		do(n.DeleteRule("100: from " + f.A2 + " prohibit proto static"))
		over("the prohibition")
		k.stop()
		kinds := make(map[maintain.EventKind]int)
		for _, e := range k.log() {
			kinds[e.Kind]++
		}
		if kinds[maintain.EventOverruled] != 4 || kinds[maintain.EventInForce] != 4 {
			t.Errorf("not each is told once:\n%s", k.text())
		}
	})
}

// A rule that names one of several sources is found, and so is one that comes while the
// uplink is pending.
func TestOverruledSource(t *testing.T) {
	n := tabletest.NewNetwork(t)
	n.Server.Addr("u2", "10.2.0.3/24", "10.2.0.4/24")
	k := newKeeper(n, maintain.Config{}, maintained(n.Uplink2(tabletest.IPv4))...)
	if err := n.AddRule("200: from 10.2.0.4 lookup main proto 99"); err != nil {
		t.Fatal(err)
	}
	at := k.awaitKind(0, maintain.EventOverruled)
	if e := k.log()[at-1]; !strings.Contains(e.Reason, "200: from 10.2.0.4 lookup main") || e.Family != route.IPv4 {
		t.Errorf("it says %s", e)
	}
	if err := n.DeleteRule("200: from 10.2.0.4 lookup main proto 99"); err != nil {
		t.Fatal(err)
	}
	at = k.awaitKind(at, maintain.EventInForce)
	n.Server.Down("u2")
	at = k.awaitKind(at, maintain.EventPending)
	if err := n.AddRule("200: from 10.2.0.4 lookup main proto 99"); err != nil {
		t.Fatal(err)
	}
	n.Server.Up("u2")
	k.awaitKind(at, maintain.EventOverruled)
}

// deleteRuleTo deletes the rule that looks up a table.
func deleteRuleTo(n *tabletest.Network, id rttables.ID) {
	n.T.Helper()
	rules, err := rule.List(n.T.Context(), n.Conn, rule.Filter{Table: id})
	if err != nil || len(rules) != 1 {
		n.T.Fatalf("rules %v, %v", rules, err)
	}
	if err := rule.Delete(n.T.Context(), n.Conn, rules[0]); err != nil {
		n.T.Fatal(err)
	}
}

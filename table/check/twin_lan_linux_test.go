//go:build linux

package check_test

import (
	"strings"
	"testing"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// A second interface in the subnet of the uplink is no detour: the packets are on the link
// that they are for. A part of the subnet behind another interface is one, and is not
// reached by the gateway.
func TestNoDetourInOneSubnet(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		u := n.Uplink2(f)
		n.Install(u)
		inner := lab.Test(t).NS("inner")
		n.Server.Link("twin", inner, "eth0")
		whole, part := "10.2.0.77/24", "10.2.0.129/25"
		if f.TCP == "tcp6" {
			whole, part = "2001:db8:2::77/64", "2001:db8:2:0:8000::1/65"
		}
		n.Server.Addr("twin", whole)
		if found := words(findings(n, u)); strings.Contains(found, "lan-detour") {
			t.Errorf("two interfaces in one subnet:\n%s", found)
		}
		n.Server.DelAddr("twin", whole)
		n.Server.Addr("twin", part)
		for _, x := range findings(n, u) {
			if x.Code == "lan-detour" {
				if !strings.Contains(x.Text, " leave by u2, although main has ") {
					t.Errorf("%s", x)
				}
				return
			}
		}
		t.Error("a part of the subnet behind another interface is not found")
	})
}

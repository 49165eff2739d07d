package check_test

import (
	"strings"
	"testing"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/check"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// Published ports of containers answer by the default route: that is noted while a container
// runs, for the uplinks that it is not true of, and until a rule by mark leads them.
func TestFindingPublishedPorts(t *testing.T) {
	n := tabletest.NewNetwork(t)
	u1, u2 := n.Uplink1(tabletest.IPv4), n.Uplink2(tabletest.IPv4)
	u1.MainFirst, u2.MainFirst = true, true
	n.Install(u1, u2)
	published := func(uplinks ...table.SourceRoutedUplink) (text string) {
		for _, f := range findings(n, uplinks...) {
			if f.Code == check.CodePublishedPorts {
				text += f.Uplink + " " + f.Object + " " + f.Severity.String() + "\n"
			}
		}
		return text
	}
	container := lab.Test(t).NS("container")
	n.Server.Link("veth0", container, "eth0")
	n.Server.Link("veth1", container, "eth1")
	n.Server.Bridge("docker0", "veth0")
	n.Server.Bridge("br0", "veth1") // one of an administrator
	n.Server.Addr("docker0", "172.17.0.1/16")
	n.Server.Addr("br0", "172.18.0.1/16")
	n.Server.Sysctl("net.ipv4.ip_forward", "1")
	container.Down("eth0")
	if err := waitForCarrier(n, "docker0", "0"); err != nil {
		t.Fatal(err)
	}
	tabletest.WantText(t, "without a container", "", published(u1, u2))
	container.Up("eth0")
	if err := waitForCarrier(n, "docker0", "1"); err != nil {
		t.Fatal(err)
	}
	tabletest.WantText(t, "with a container", "lan2 docker0 note\n", published(u1, u2))
	n.Server.Sysctl("net.ipv4.ip_forward", "0")
	tabletest.WantText(t, "on a host that does not forward", "", published(u1, u2))
	n.Server.Sysctl("net.ipv4.ip_forward", "1")

	u2.Also = []rule.Rule{{FwMark: rule.FwMark(2).Masked(3)}}
	n.Install(u1, u2)
	tabletest.WantText(t, "with marks", "", published(u1, u2))
	u2.Also = []rule.Rule{{IIF: "docker0"}}
	n.Install(u1, u2)
	tabletest.WantText(t, "where all answers take the other uplink", "lan1 docker0 note\n", published(u1, u2))
}

// A shared default route that something goes before is found, with what that is.
func TestFindingDefault(t *testing.T) {
	n := tabletest.NewNetwork(t)
	u := n.Uplink2(tabletest.IPv4)
	n.Install(u)
	config := &check.Config{Default: &check.Default{}}
	examine := func() (text string, last check.Finding) {
		t.Helper()
		found, err := check.Examine(t.Context(), n.Conn, config, check.Uplink{SourceRoutedUplink: u})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			if strings.HasPrefix(string(f.Code), "default-") {
				text += string(f.Code) + " " + f.Object + "\n"
				last = f
			}
		}
		return text, last
	}
	want := func(what, want string) (last check.Finding) {
		t.Helper()
		got, last := examine()
		tabletest.WantText(t, what, want, got)
		return last
	}
	want("absent", "default-absent default\n")
	harm(n, "route default metric 51 proto 210 via 10.1.0.1 dev u1", "route default metric 52 proto 210 via 10.2.0.1 dev u2")
	want("only those behind it", "default-absent default\n")
	harm(n, "route default metric 50 proto 210 nexthop via 10.1.0.1 dev u1 nexthop via 10.2.0.1 dev u2")
	f := want("behind a default without a metric", "default-idle route default via 10.1.0.1 dev u1 proto unspec\n")
	if !strings.Contains(f.Text, "with the metric 0,") || !strings.Contains(f.Cure, "metric 200") {
		t.Errorf("got %s", f)
	}
	if err := n.DeleteRoute("default via 10.1.0.1 proto unspec"); err != nil {
		t.Fatal(err)
	}
	want("alone", "")
	harm(n, "route 128.0.0.0/1 via 10.1.0.1")
	f = want("behind half of all addresses", "default-idle route 128.0.0.0/1 via 10.1.0.1 dev u1\n")
	if !strings.Contains(f.Text, "more specific") || !strings.HasPrefix(f.Cure, "ip route del 128.0.0.0/1") {
		t.Errorf("got %s", f)
	}
	if err := n.DeleteRoute("128.0.0.0/1 via 10.1.0.1"); err != nil {
		t.Fatal(err)
	}
	harm(n, "route default via 10.1.0.1 table 52", "rule 32000: from all lookup 52")
	f = want("behind a rule", "default-idle rule from all lookup 52 pref 32000\n")
	if !strings.Contains(f.Text, "the rule at 32000, from all lookup 52,") {
		t.Errorf("got %s", f)
	}
	config.Default.Table, config.Default.Metric = 99, 7
	want("in another table", "default-absent default\n")
}

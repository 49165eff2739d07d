package table_test

import (
	"errors"
	"io/fs"
	"net/netip"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/plan"
)

// What cannot be is refused with the uplink, the field and the reason, and
// nothing is changed.
func TestRefused(t *testing.T) {
	n := tabletest.NewNetwork(t)
	addr, prefix := netip.MustParseAddr, netip.MustParsePrefix
	for _, x := range []struct {
		name   string
		change func(u *table.SourceRoutedUplink)
		want   string
	}{
		{"no interface", func(u *table.SourceRoutedUplink) { u.Interface = "" },
			`uplink lan2: Interface: is not set`},
		{"missing interface", func(u *table.SourceRoutedUplink) { u.Interface = "eth9" },
			`uplink lan2: Interface: the interface "eth9" does not exist`},
		{"interface by number", func(u *table.SourceRoutedUplink) { u.Interface = "if9" },
			`uplink lan2: Interface: the interface "if9" does not exist`},
		{"interface without an address", func(u *table.SourceRoutedUplink) { u.Interface = "lo" },
			`uplink lan2: Interface: lo has no global IPv4 address`},
		{"own address as gateway", func(u *table.SourceRoutedUplink) { u.Gateway = addr("10.1.0.2") },
			`uplink lan2: Gateway: 10.1.0.2 is an address of this host`},
		{"gateway with a zone", func(u *table.SourceRoutedUplink) { u.Gateway = addr("fe80::1%u2") },
			`uplink lan2: Gateway: fe80::1%u2 has a zone: leave out the zone, which Interface gives`},
		{"unspecified gateway", func(u *table.SourceRoutedUplink) { u.Gateway = addr("0.0.0.0") },
			`uplink lan2: Gateway: 0.0.0.0 is not the address of a router; ` +
				`leave out the gateway for a tunnel or another link without a router`},
		{"multicast gateway", func(u *table.SourceRoutedUplink) { u.Gateway = addr("224.0.0.1") },
			`uplink lan2: Gateway: 224.0.0.1 is the address of many hosts, not of one router`},
		{"gateway that is the subnet", func(u *table.SourceRoutedUplink) { u.Gateway = addr("10.2.0.0") },
			`uplink lan2: Gateway: 10.2.0.0 is the address of the subnet 10.2.0.0/24 itself, not of a router`},
		{"gateway that is the broadcast address", func(u *table.SourceRoutedUplink) { u.Gateway = addr("10.2.0.255") },
			`uplink lan2: Gateway: 10.2.0.255 is the broadcast address of the subnet 10.2.0.0/24, not the address of a router`},
		{"gateway in no subnet", func(u *table.SourceRoutedUplink) { u.Gateway = addr("10.1.0.1") },
			`uplink lan2: Gateway: 10.1.0.1 is in no subnet of u2: add onlink if it is on the link`},
		{"IPv6 gateway in no subnet", func(u *table.SourceRoutedUplink) { u.Gateway = addr("2001:db8:9::1") },
			`uplink lan2: Gateway: 2001:db8:9::1 is in no subnet of u2: add onlink if it is on the link`},
		{"mapped gateway", func(u *table.SourceRoutedUplink) { u.Gateway = addr("::ffff:10.2.0.1") },
			`uplink lan2: Gateway: ::ffff:10.2.0.1 is an IPv4 address written as an IPv6 address: write 10.2.0.1`},
		{"mapped source", func(u *table.SourceRoutedUplink) { u.Sources = []netip.Addr{addr("::ffff:10.2.0.2")} },
			`uplink lan2: Sources: ::ffff:10.2.0.2 is an IPv4 address written as an IPv6 address: write 10.2.0.2`},
		{"mapped route", func(u *table.SourceRoutedUplink) { u.Routes = []netip.Prefix{prefix("::ffff:10.3.0.0/112")} },
			`uplink lan2: Routes: ::ffff:10.3.0.0/112 has IPv4 addresses written as IPv6 addresses: write 10.3.0.0/16`},
		{"mapped also", func(u *table.SourceRoutedUplink) { u.Also = []rule.Rule{{From: prefix("::ffff:10.2.0.2/128")}} },
			`uplink lan2: Also: ::ffff:10.2.0.2 is an IPv4 address written as an IPv6 address: write 10.2.0.2`},
		{"family that is none", func(u *table.SourceRoutedUplink) { u.Family = 1 },
			`uplink lan2: Family: 1 is not a family of uplinks: want inet or inet6`},
		{"IPv4 gateway of IPv6", func(u *table.SourceRoutedUplink) { u.Family = route.IPv6 },
			`uplink lan2: Gateway: 10.2.0.1 is IPv4, but the gateway of an IPv6 route has to be IPv6`},
		{"defaults and a gateway", func(u *table.SourceRoutedUplink) { u.Defaults = []route.Route{{}} },
			`uplink lan2: Gateway: excludes Defaults: set the gateway in one of them`},
		{"default to somewhere", func(u *table.SourceRoutedUplink) {
			u.Gateway, u.Defaults = netip.Addr{}, []route.Route{{Dst: prefix("10.9.0.0/16")}}
		}, `uplink lan2: Defaults: "10.9.0.0/16" is not a default route: put other destinations into Routes`},
		{"default by a multicast gateway", func(u *table.SourceRoutedUplink) {
			u.Gateway, u.Defaults = netip.Addr{}, []route.Route{{Gateway: addr("ff02::1")}}
		}, `uplink lan2: Defaults: ff02::1 is the address of many hosts, not of one router`},
		{"two defaults with one metric", func(u *table.SourceRoutedUplink) {
			u.Gateway, u.Defaults = netip.Addr{}, []route.Route{{Gateway: addr("10.2.0.1")}, {Gateway: addr("10.2.0.9")}}
		}, `uplink lan2: Defaults: "default via 10.2.0.9" has the same metric as another default route`},
		{"default in no subnet", func(u *table.SourceRoutedUplink) {
			u.Gateway, u.Defaults = netip.Addr{}, []route.Route{{Gateway: addr("10.9.0.1")}}
		}, `uplink lan2: Defaults: the gateway 10.9.0.1 is in no subnet of u2, and its route does not have onlink`},
		{"source not local", func(u *table.SourceRoutedUplink) { u.Sources = []netip.Addr{addr("10.2.0.77")} },
			`uplink lan2: Sources: 10.2.0.77 is not an address of this host`},
		{"source of another family", func(u *table.SourceRoutedUplink) { u.Sources = []netip.Addr{addr("2001:db8:2::2")} },
			`uplink lan2: Sources: 2001:db8:2::2 and the gateway 10.2.0.1 are of different families`},
		{"unset source", func(u *table.SourceRoutedUplink) { u.Sources = []netip.Addr{{}} },
			`uplink lan2: Sources: an address is not set`},
		{"table main", func(u *table.SourceRoutedUplink) { u.Table = rttables.Main },
			`uplink lan2: Table: main is a system table`},
		{"table local", func(u *table.SourceRoutedUplink) { u.Table = rttables.Local },
			`uplink lan2: Table: local is a system table`},
		{"table default", func(u *table.SourceRoutedUplink) { u.Table = rttables.Default },
			`uplink lan2: Table: default is a system table`},
		{"name of a table of the system", func(u *table.SourceRoutedUplink) { u.Name, u.Table = "main", 0 },
			`uplink main: Name: main is a system table`},
		{"name of another table", func(u *table.SourceRoutedUplink) { u.Name = "local" },
			`uplink local: Name: local is a system table`},
		{"name with a blank", func(u *table.SourceRoutedUplink) { u.Name = "lan 2" },
			`uplink lan 2: Name: "lan 2" cannot be in rt_tables: bad name: it contains a blank or a control character`},
		{"name with a line end", func(u *table.SourceRoutedUplink) { u.Name = "lan2\n30 x" },
			"uplink lan2\n30 x: Name: \"lan2\\n30 x\" cannot be in rt_tables: bad name: it contains a blank or a control character"},
		{"name with a comment", func(u *table.SourceRoutedUplink) { u.Name = "lan#2" },
			`uplink lan#2: Name: "lan#2" cannot be in rt_tables: bad name: it contains a #, which begins a comment`},
		{"name that is a number", func(u *table.SourceRoutedUplink) { u.Name, u.Table = "0x14", 0 },
			`uplink 0x14: Name: "0x14" cannot be in rt_tables: bad name: ` +
				`it is a number, and would hide the table with that number from ip(8)`},
		{"name that is a word", func(u *table.SourceRoutedUplink) { u.Name = "all" },
			`uplink all: Name: all is a word of ip(8): choose another`},
		{"priority before local", func(u *table.SourceRoutedUplink) { u.Priority = 40000 },
			`uplink lan2: Priority: 40000 is not between the rules for local, at 0, and for main, at 32766`},
		{"route with host bits", func(u *table.SourceRoutedUplink) { u.Routes = []netip.Prefix{prefix("10.9.9.9/8")} },
			`uplink lan2: Routes: 10.9.9.9/8 has bits beyond its length: did you mean 10.0.0.0/8?`},
		{"everything also", func(u *table.SourceRoutedUplink) { u.Also = []rule.Rule{{}} },
			`uplink lan2: Also: "from all lookup 20" selects every packet`},
		{"also with another table", func(u *table.SourceRoutedUplink) {
			u.Also = []rule.Rule{{FwMark: rule.FwMark(1), Table: rttables.Main}}
		}, `uplink lan2: Also: "from all fwmark 0x1 lookup main" sets Table: leave it out, because the rule looks up the uplink's table`},
		{"also of another family", func(u *table.SourceRoutedUplink) {
			u.Also = []rule.Rule{{To: prefix("2001:db8::/32")}}
		}, `uplink lan2: Also: "from all to 2001:db8::/32 lookup 20" is not of the uplink's family`},
		{"also of a family of its own", func(u *table.SourceRoutedUplink) {
			u.Also = []rule.Rule{{Family: route.IPv6, FwMark: rule.FwMark(1)}}
		}, `uplink lan2: Also: "from all fwmark 0x1 lookup 20" is not of the uplink's family`},
		{"also from a source", func(u *table.SourceRoutedUplink) {
			u.Also = []rule.Rule{{From: prefix("10.2.0.2/32")}}
		}, `uplink lan2: Also: from 10.2.0.2 is not needed: the address is already a source`},
		{"onlink without a gateway", func(u *table.SourceRoutedUplink) { u.Gateway, u.OnLink = netip.Addr{}, true },
			`uplink lan2: OnLink: needs a Gateway`},
	} {
		t.Run(x.name, func(t *testing.T) {
			before := n.Snapshot()
			u := n.Uplink2(tabletest.IPv4)
			x.change(&u)
			err := u.Install(t.Context(), n.Conn)
			var field *plan.FieldError
			if !errors.As(err, &field) {
				t.Fatalf("got %v, want a *FieldError", err)
			}
			if got := err.Error(); got != "table: "+x.want {
				t.Errorf("got  %s\nwant table: %s", got, x.want)
			}
			n.WantSnapshot("Install", before)
		})
	}
}

// What the kernel refuses has the uplink, the command and the kernel's words,
// and nothing is left.
func TestKernelRefuses(t *testing.T) {
	n := tabletest.NewNetwork(t)
	before := n.Snapshot()
	for _, f := range []struct{ gateway, want string }{
		{"10.2.0.1", "table: uplink lan2: ip route add default via 10.2.0.1 dev u2 table 20 proto 210 src 10.2.0.2 " +
			"congctl none-such: invalid argument: Unknown tcp congestion algorithm"},
		{"2001:db8:2::1", "table: uplink lan2: ip -6 route add default via 2001:db8:2::1 dev u2 table 20 proto 210 " +
			"src 2001:db8:2::2 congctl none-such: invalid argument: Unknown tcp congestion algorithm"},
	} {
		// The first of the two is fine, and goes with the second.
		good, bad := n.Uplink1(tabletest.IPv4), n.Uplink2(tabletest.IPv4)
		bad.Gateway = netip.Addr{}
		bad.Defaults = []route.Route{{
			Gateway: netip.MustParseAddr(f.gateway), Metrics: &route.Metrics{CongCtl: "none-such"},
		}}
		err := table.Install(t.Context(), n.Conn, good, bad)
		if err == nil || err.Error() != f.want || !errors.Is(err, syscall.EINVAL) {
			t.Errorf("got  %v\nwant %s", err, f.want)
		}
		n.WantSnapshot("Install", before)
	}
	n.Server.Down("u2")
	down := n.Snapshot()
	err := n.Uplink2(tabletest.IPv4).Install(t.Context(), n.Conn)
	if !errors.Is(err, syscall.ENETDOWN) {
		t.Errorf("with the interface down: %v, want ENETDOWN", err)
	}
	n.WantSnapshot("Install", down)
}

// Whoever may not write is told so.
func TestPermission(t *testing.T) {
	n := tabletest.NewNetwork(t)
	rec := &tabletest.Recorder{Conn: n.Conn}
	rec.Fail = func(int, netlink.Message) error {
		if len(rec.Writes) > 0 {
			return syscall.EPERM
		}
		return nil
	}
	if err := n.Uplink2(tabletest.IPv4).Install(t.Context(), rec); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v, want fs.ErrPermission", err)
	}
}

// What others own is in the way, and is neither changed nor removed.
func TestConflicts(t *testing.T) {
	for _, x := range []struct {
		name  string
		other func(n *tabletest.Network, u *table.SourceRoutedUplink) error
		want  string
	}{
		{"route in the table", func(n *tabletest.Network, _ *table.SourceRoutedUplink) error {
			return n.AddRoute("203.0.113.0/24 via 10.1.0.1 table 20 proto static")
		}, "table: uplink lan2: table 20 has a route of another program: 203.0.113.0/24 via 10.1.0.1 dev u1 table 20 proto static"},
		{"rule at the priority", func(n *tabletest.Network, u *table.SourceRoutedUplink) error {
			u.Priority = 500
			return n.AddRule("500: from 192.0.2.1 lookup 99")
		}, "table: uplink lan2: another program's rule has the priority of one of the uplink's rules: give the uplink another priority: 500: from 192.0.2.1 lookup 99"},
		{"the same source by another interface", func(n *tabletest.Network, u *table.SourceRoutedUplink) error {
			other := n.Uplink1(tabletest.IPv4)
			other.Sources = []netip.Addr{netip.MustParseAddr("10.2.0.2")}
			return other.Install(n.T.Context(), n.Conn)
		}, "table: uplink lan2: the source belongs to an uplink through another interface: remove that uplink first: " +
			"31000: from 10.2.0.2 lookup 10 proto 210"},
	} {
		t.Run(x.name, func(t *testing.T) {
			n := tabletest.NewNetwork(t)
			u := n.Uplink2(tabletest.IPv4)
			if err := x.other(n, &u); err != nil {
				t.Fatal(err)
			}
			before := n.Snapshot()
			err := u.Install(t.Context(), n.Conn)
			var conflict *plan.ConflictError
			if !errors.As(err, &conflict) || err.Error() != x.want {
				t.Errorf("got  %v\nwant %s", err, x.want)
			}
			n.WantSnapshot("Install", before)
			n.Remove(u)
			n.WantSnapshot("Remove", before)
		})
	}
}

// Rules next to ours stay, also one that differs in nothing but its protocol.
func TestForeignRulesStay(t *testing.T) {
	n := tabletest.NewNetwork(t)
	for _, words := range []string{
		"31000: from 10.2.0.2 lookup 20 proto static",
		"31000: from 192.0.2.1 lookup 20",
		"5210: from all fwmark 0x80000/0xff0000 lookup main",
	} {
		if err := n.AddRule(words); err != nil {
			t.Fatal(err)
		}
	}
	before := n.Snapshot()
	n.Install(n.Uplink2(tabletest.IPv4))
	if !strings.Contains(n.Table(20), "rule 31001: from 10.2.0.2 lookup 20 proto 210\n") {
		t.Errorf("our rule is not at the next free priority:\n%s", n.Table(20))
	}
	n.Remove(n.Uplink2(tabletest.IPv4))
	n.WantSnapshot("Remove", before)
}

// Someone moved local to 100: ours come after it.
func TestLocalMoved(t *testing.T) {
	n := tabletest.NewNetwork(t)
	for _, words := range []string{"100: from all lookup local", "101: from all lookup main"} {
		if err := n.AddRule(words); err != nil {
			t.Fatal(err)
		}
	}
	if err := rule.Delete(t.Context(), n.Conn, rule.Rule{
		Priority: rule.Priority(0), Table: rttables.Local, Protocol: route.ProtoKernel,
	}); err != nil {
		t.Fatal(err)
	}
	err := n.Uplink2(tabletest.IPv4).Install(t.Context(), n.Conn)
	if want := "between"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("with no room between local and main: %v", err)
	}
	if err := rule.Delete(t.Context(), n.Conn, rule.Rule{Priority: rule.Priority(101), Table: rttables.Main}); err != nil {
		t.Fatal(err)
	}
	n.Install(n.Uplink2(tabletest.IPv4))
	if !strings.Contains(n.Table(20), "rule 31000: ") {
		t.Errorf("got:\n%s", n.Table(20))
	}
}

// A name that cannot be registered does not stop an uplink, and is reported.
func TestNameCannotBeRegistered(t *testing.T) {
	for _, x := range []struct {
		name    string
		prepare func(n *tabletest.Network)
		is      error
	}{
		{"no directory can be made", func(n *tabletest.Network) { n.Etc = filepath.Join(n.RTTablesFile(), "missing") }, syscall.ENOTDIR},
		{"a file instead of the directory", func(n *tabletest.Network) { n.Etc = n.RTTablesFile() }, syscall.ENOTDIR},
		{"a damaged file", func(n *tabletest.Network) { n.WriteRTTables("20 lan1 x\n!!\n") }, nil},
		{"the number has another name", func(n *tabletest.Network) { n.WriteRTTables("20 other\n") }, fs.ErrExist},
	} {
		t.Run(x.name, func(t *testing.T) {
			n := tabletest.NewNetwork(t)
			x.prepare(n)
			before := n.Snapshot()
			err := n.Uplink2(tabletest.IPv4).Install(t.Context(), n.Conn)
			var name *plan.NameError
			if !errors.As(err, &name) || name.Table != 20 || name.Name != "lan2" || x.is != nil && !errors.Is(err, x.is) {
				t.Errorf("got %v, want a *NameError that is %v", err, x.is)
			}
			if !strings.Contains(n.Table(20), "rule 31000: from 10.2.0.2 lookup 20 proto 210\n") {
				t.Errorf("it is not installed:\n%s", n.Table(20))
			}
			n.Remove(n.Uplink2(tabletest.IPv4))
			n.WantSnapshot("Remove", before)
		})
	}
}

// Without a number the table is that of the name, or the one in which the
// uplink is, or the lowest that is free.
func TestTableIsFound(t *testing.T) {
	n := tabletest.NewNetwork(t)
	n.WriteRTTables(tabletest.RTTables + "1 admins\n30 lan2\n")
	before := n.Snapshot()
	u := n.Uplink2(tabletest.IPv4)
	u.Table = 0
	n.Install(u)
	if n.Table(30) == "" {
		t.Error("it is not in the table that the name has")
	}
	n.Remove(u)
	n.WantSnapshot("Remove by name", before)

	u.Name = ""
	if err := n.AddRule("100: from 192.0.2.1 lookup 2"); err != nil {
		t.Fatal(err)
	}
	if err := n.AddRoute("192.0.2.0/24 via 10.1.0.1 table 3"); err != nil {
		t.Fatal(err)
	}
	before = n.Snapshot()
	for range 2 {
		n.Install(u)
		if n.Table(4) == "" {
			t.Error("it is not in the lowest free table, 4")
		}
	}
	n.Remove(u)
	n.WantSnapshot("Remove", before)
	n.Remove(u)
}

// The interface and its addresses may be gone when an uplink is removed.
func TestRemoveAfterInterface(t *testing.T) {
	n := tabletest.NewNetwork(t)
	rules := strings.Count(n.Snapshot(), " rule ")
	n.Install(n.Uplink2(tabletest.IPv4), n.Uplink2(tabletest.IPv6))
	n.Server.DeleteLink("u2")
	n.Remove(n.Uplink2(tabletest.IPv4), n.Uplink2(tabletest.IPv6))
	if got := n.Snapshot(); strings.Count(got, " rule ") != rules || strings.Contains(got, "table 20") {
		t.Errorf("something is left:\n%s", got)
	}
}

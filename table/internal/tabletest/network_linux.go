package tabletest

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
)

// A Network is a server with two uplinks, u1 and u2. A single other namespace is both
// routers and the Internet. The server's default route goes through u1, and taps count
// what the routers receive on g1 and g2.
type Network struct {
	T           *testing.T
	Server, Net *lab.NS
	Conn        *route.Socket // of the server
	G1, G2      *lab.Tap
	Etc         string // a directory with an rt_tables
}

// The families.
var (
	IPv4 = Family{"tcp4", "10.1.0.2", "10.2.0.2", "10.1.0.1", "10.2.0.1", "198.51.100.10"}
	IPv6 = Family{"tcp6", "2001:db8:1::2", "2001:db8:2::2", "2001:db8:1::1", "2001:db8:2::1", "2001:db8:99::10"}
)

// A Family has the addresses of a [Network] in one family.
type Family struct {
	TCP    string // the name of the network for Dial and Listen
	A1, A2 string // of the server, on u1 and u2
	G1, G2 string // of the routers
	Client string // a host of the Internet
}

// RTTables is the rt_tables of a new [Network].
const RTTables = "#\n# reserved values\n#\n255\tlocal\n254\tmain\n253\tdefault\n0\tunspec\n#1\tinr.ruhep\n"

// quickDir returns a directory of the test in memory, if there is such a file system, so
// that names are written in time while the disk of a busy machine is slow.
func quickDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "tabletest")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// NewNetwork returns a network that is there until the test ends.
func NewNetwork(t *testing.T) *Network {
	t.Helper()
	n := newNetwork(t)
	n.G1, n.G2 = n.Net.Tap("g1"), n.Net.Tap("g2")
	return n
}

// newNetwork returns a network without taps.
func newNetwork(t *testing.T) *Network {
	t.Helper()
	l := lab.Test(t)
	n := &Network{T: t, Server: l.NS("server"), Net: l.NS("net"), Etc: quickDir(t)}
	n.Server.Link("u1", n.Net, "g1")
	n.Server.Link("u2", n.Net, "g2")
	n.Server.Addr("u1", "10.1.0.2/24", "2001:db8:1::2/64")
	n.Server.Addr("u2", "10.2.0.2/24", "2001:db8:2::2/64")
	n.Net.Addr("g1", "10.1.0.1/24", "2001:db8:1::1/64")
	n.Net.Addr("g2", "10.2.0.1/24", "2001:db8:2::1/64")
	n.Net.Addr("lo", "198.51.100.10/32", "2001:db8:99::10/128")
	n.Conn = n.Dial(n.Server)
	for _, f := range []Family{IPv4, IPv6} {
		r := route.Route{Gateway: netip.MustParseAddr(f.G1)}
		if err := route.Add(t.Context(), n.Conn, r); err != nil {
			t.Fatal(err)
		}
	}
	n.WriteRTTables(RTTables)
	return n
}

// RTTablesFile returns the path of the network's rt_tables.
func (n *Network) RTTablesFile() string { return filepath.Join(n.Etc, "rt_tables") }

// WriteRTTables replaces the network's rt_tables.
func (n *Network) WriteRTTables(text string) {
	n.T.Helper()
	if err := os.WriteFile(n.RTTablesFile(), []byte(text), 0o644); err != nil {
		n.T.Fatal(err)
	}
}

// Dial returns a socket of a namespace, which is closed when the test ends.
func (n *Network) Dial(ns *lab.NS) *route.Socket {
	n.T.Helper()
	c, err := route.Dial(ns.Config())
	if err != nil {
		n.T.Fatal(err)
	}
	n.T.Cleanup(func() { c.Close() })
	return c
}

// Uplink1 returns the uplink by u1.
func (n *Network) Uplink1(f Family) table.SourceRoutedUplink {
	return table.SourceRoutedUplink{
		Name: "lan1", Table: 10, Interface: "u1", Gateway: netip.MustParseAddr(f.G1), Etc: n.Etc,
	}
}

// Uplink2 returns the uplink by u2.
func (n *Network) Uplink2(f Family) table.SourceRoutedUplink {
	return table.SourceRoutedUplink{
		Name: "lan2", Table: 20, Interface: "u2", Gateway: netip.MustParseAddr(f.G2), Etc: n.Etc,
	}
}

// FullUplink returns the uplink by u2 with all rungs. It needs [Network.AddLAN].
func (n *Network) FullUplink(f Family) table.SourceRoutedUplink {
	u := n.Uplink2(f)
	u.MainFirst, u.Unreachable = true, true
	u.Routes = []netip.Prefix{f.Extra()}
	return u
}

// Install installs uplinks.
func (n *Network) Install(uplinks ...table.SourceRoutedUplink) {
	n.T.Helper()
	if err := table.Install(n.T.Context(), n.Conn, uplinks...); err != nil {
		n.T.Fatal(err)
	}
}

// Remove removes uplinks.
func (n *Network) Remove(uplinks ...table.SourceRoutedUplink) {
	n.T.Helper()
	if err := table.Remove(n.T.Context(), n.Conn, uplinks...); err != nil {
		n.T.Fatal(err)
	}
}

// BothFamilies returns the uplinks by u2 of both families, with rules for a mark and
// for a port.
func (n *Network) BothFamilies() []table.SourceRoutedUplink {
	u4, u6 := n.Uplink2(IPv4), n.Uplink2(IPv6)
	u4.Also = []rule.Rule{{FwMark: rule.FwMark(2)}, {IPProto: route.TCP, DPort: rule.Port(25)}}
	u6.Also = u4.Also
	return []table.SourceRoutedUplink{u4, u6}
}

// ForFamilies runs a test for each family, on a [Network] of its own.
func ForFamilies(t *testing.T, test func(t *testing.T, n *Network, f Family)) {
	for name, f := range map[string]Family{"ipv4": IPv4, "ipv6": IPv6} {
		t.Run(name, func(t *testing.T) { test(t, NewNetwork(t), f) })
	}
}

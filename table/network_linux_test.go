package table_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
)

// A network is a server with two uplinks, u1 and u2, to one namespace that
// stands for both routers and the Internet. The server's default route goes by
// u1, and there are taps where the routers, g1 and g2, receive.
type network struct {
	t           *testing.T
	server, net *lab.NS
	c           *route.Socket
	g1, g2, lan *lab.Tap
	etc         string // a directory with an rt_tables
	swallows    map[string]bool
}

// Addresses by family.
var (
	ip4 = family{"tcp4", "10.1.0.2", "10.2.0.2", "10.1.0.1", "10.2.0.1", "198.51.100.10"}
	ip6 = family{"tcp6", "2001:db8:1::2", "2001:db8:2::2", "2001:db8:1::1", "2001:db8:2::1", "2001:db8:99::10"}
)

type family struct{ tcp, a1, a2, g1, g2, client string }

const rtTables = "#\n# reserved values\n#\n255\tlocal\n254\tmain\n253\tdefault\n0\tunspec\n#1\tinr.ruhep\n"

func newNetwork(t *testing.T) *network {
	t.Helper()
	l := lab.Test(t)
	n := &network{t: t, server: l.NS("server"), net: l.NS("net"), etc: t.TempDir()}
	n.server.Link("u1", n.net, "g1")
	n.server.Link("u2", n.net, "g2")
	n.server.Addr("u1", "10.1.0.2/24", "2001:db8:1::2/64")
	n.server.Addr("u2", "10.2.0.2/24", "2001:db8:2::2/64")
	n.net.Addr("g1", "10.1.0.1/24", "2001:db8:1::1/64")
	n.net.Addr("g2", "10.2.0.1/24", "2001:db8:2::1/64")
	n.net.Addr("lo", "198.51.100.10/32", "2001:db8:99::10/128")
	n.g1, n.g2 = n.net.Tap("g1"), n.net.Tap("g2")
	n.c = n.dial(n.server)
	for _, f := range []family{ip4, ip6} {
		r := route.Route{Gateway: netip.MustParseAddr(f.g1)}
		if err := route.Add(t.Context(), n.c, r); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(n.rtTables(), []byte(rtTables), 0o644); err != nil {
		t.Fatal(err)
	}
	return n
}

func (n *network) rtTables() string { return filepath.Join(n.etc, "rt_tables") }

func (n *network) dial(ns *lab.NS) *route.Socket {
	n.t.Helper()
	c, err := route.Dial(ns.Config())
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { c.Close() })
	return c
}

// uplink2 is the uplink by u2.
func (n *network) uplink2(f family) table.SourceRoutedUplink {
	return table.SourceRoutedUplink{
		Name: "lan2", Table: 20, Interface: "u2", Gateway: netip.MustParseAddr(f.g2), Etc: n.etc,
	}
}

func (n *network) uplink1(f family) table.SourceRoutedUplink {
	return table.SourceRoutedUplink{
		Name: "lan1", Table: 10, Interface: "u1", Gateway: netip.MustParseAddr(f.g1), Etc: n.etc,
	}
}

func (n *network) install(uplinks ...table.SourceRoutedUplink) {
	n.t.Helper()
	if err := table.Install(n.t.Context(), n.c, uplinks...); err != nil {
		n.t.Fatal(err)
	}
}

func (n *network) remove(uplinks ...table.SourceRoutedUplink) {
	n.t.Helper()
	if err := table.Remove(n.t.Context(), n.c, uplinks...); err != nil {
		n.t.Fatal(err)
	}
}

// snapshot is the state of the kernel, and the bytes of rt_tables.
func (n *network) snapshot() string {
	n.t.Helper()
	b, err := os.ReadFile(n.rtTables())
	return n.kernel() + fmt.Sprintf("\n%s%v", b, err)
}

// kernel is every rule and route of the server, as the arguments that would add
// them. Rules of ours with the same priority are of different sources: their
// order means nothing.
func (n *network) kernel() string {
	n.t.Helper()
	links, err := route.ListLinks(context.Background(), n.c)
	if err != nil {
		n.t.Fatal(err)
	}
	names := &route.Names{Links: links}
	var lines []string
	for r, err := range rule.All(context.Background(), n.c, rule.Filter{}) {
		if err != nil {
			n.t.Fatal(err)
		}
		line := fmt.Sprintf("%s rule %s", r.Family, r)
		i := len(lines)
		for i > 0 && r.Protocol == table.Protocol && r.From.IsSingleIP() && line < lines[i-1] &&
			strings.HasPrefix(lines[i-1], fmt.Sprintf("%s rule %d: from ", r.Family, r.Priority.Or(0))) {
			i--
		}
		lines = slices.Insert(lines, i, line)
	}
	var routes []string
	for r, err := range route.All(context.Background(), n.c, route.Filter{}) {
		if err != nil {
			n.t.Fatal(err)
		}
		r.CacheInfo = route.CacheInfo{}
		routes = append(routes, fmt.Sprintf("%s route %s", r.Family, r.Text(names)))
	}
	slices.Sort(routes)
	return strings.Join(append(lines, routes...), "\n")
}

// unchanged fails unless the snapshot is still want.
func (n *network) unchanged(what, want string) {
	n.t.Helper()
	if diff := cmp.Diff(want, n.snapshot()); diff != "" {
		n.t.Errorf("%s: the state is not as before (-want +got):\n%s", what, diff)
	}
}

// ours is the rules and routes of a table, as ip(8) commands, with names.
func (n *network) ours(id rttables.ID) string {
	n.t.Helper()
	links, err := route.ListLinks(context.Background(), n.c)
	if err != nil {
		n.t.Fatal(err)
	}
	var b bytes.Buffer
	for r, err := range rule.All(context.Background(), n.c, rule.Filter{Table: id}) {
		if err != nil {
			n.t.Fatal(err)
		}
		fmt.Fprintln(&b, "rule", r)
	}
	var routes []string
	for r, err := range route.All(context.Background(), n.c, route.Filter{Table: id}) {
		if err != nil {
			n.t.Fatal(err)
		}
		routes = append(routes, fmt.Sprintln("route", r.Canonical().Text(&route.Names{Links: links})))
	}
	slices.Sort(routes)
	b.WriteString(strings.Join(routes, ""))
	return b.String()
}

// from counts the packets that the server sent from a source by each router.
func (n *network) from(src string) (byG1, byG2 int) {
	a := netip.MustParseAddr(src)
	match := func(p lab.Packet) bool { return !p.Out && p.Src.Addr() == a && p.Proto == 6 }
	return n.g1.Count(match), n.g2.Count(match)
}

// wantBy fails unless all packets from src left by one router.
func (n *network) wantBy(src string, router int) {
	n.t.Helper()
	g1, g2 := n.from(src)
	if router == 1 && (g1 == 0 || g2 != 0) || router == 2 && (g1 != 0 || g2 == 0) {
		n.t.Errorf("from %s: %d packets at g1 and %d at g2, want all at g%d", src, g1, g2, router)
	}
}

// serve answers TCP connections on every address of a namespace.
func serve(t *testing.T, ns *lab.NS, network, addr string) {
	t.Helper()
	l, err := ns.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Write([]byte("hello"))
			c.Close()
		}
	}()
}

// connect makes a connection and returns the address that it came from.
func connect(t *testing.T, ns *lab.NS, tcp, from, to string) netip.Addr {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c, err := ns.Dial(ctx, tcp, from, to)
	if err != nil {
		t.Fatalf("from %q to %s: %v", from, to, err)
	}
	defer c.Close()
	if b := make([]byte, 5); mustRead(c, b) != nil || string(b) != "hello" {
		t.Fatalf("from %q to %s: no answer", from, to)
	}
	return c.LocalAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
}

func mustRead(c net.Conn, b []byte) error {
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	_, err := c.Read(b)
	return err
}

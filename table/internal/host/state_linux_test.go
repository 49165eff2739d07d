package host

import (
	"net/netip"
	"testing"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
)

func TestMain(m *testing.M) { lab.Main(m) }

// What is read piece by piece is what Read reads: one link, then all; one family of
// addresses; the routes of a table.
func TestKernelReadPieces(t *testing.T) {
	l := lab.Test(t)
	ns, other := l.NS("host"), l.NS("other")
	ns.Link("eth0", other, "far0")
	ns.Link("eth1", other, "far1")
	ns.AltName("eth0", "enp0s6")
	ns.AltName("eth1", "wan")
	ns.Addr("eth0", "10.0.0.2/24", "2001:db8::2/64")
	c, err := route.Dial(ns.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx := t.Context()
	whole, err := Read(ctx, c, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s, err := ReadRules(ctx, c, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	link := func(name string) {
		t.Helper()
		got, ok := s.Link(name)
		want, wantOK := whole.Link(name)
		if got != want || ok != wantOK {
			t.Errorf("link %s: %d, %v, want %d, %v", name, got, ok, want, wantOK)
		}
	}
	for _, name := range []string{"enp0s6", "eth0", "missing"} {
		if err := s.ReadLink(ctx, c, name); err != nil {
			t.Fatal(err)
		}
		link(name)
	}
	if got := s.LinkName("enp0s6"); got != "eth0" || s.LinkName("missing") != "missing" {
		t.Errorf("enp0s6 is %s, and missing %s", got, s.LinkName("missing"))
	}
	if got := s.knownLinks().Name(ns.Index("eth0")); got != "eth0" {
		t.Errorf("the known link is %s", got)
	}
	if s.Names.All().LinkNames().Name(ns.Index("eth1")) != "eth1" {
		t.Error("names do not read the links")
	}
	link("eth1") // after all were read
	link("wan")
	link("if2")
	if err := s.ReadAddresses(ctx, c, route.IPv4); err != nil {
		t.Fatal(err)
	}
	for _, a := range whole.Addrs {
		if s.IsLocal(a.Addr) != a.Addr.Is4() {
			t.Errorf("after IPv4 was read, %s is local: %v", a.Addr, s.IsLocal(a.Addr))
		}
	}
	if err := s.ReadAddresses(ctx, c); err != nil || !s.IsLocal(netip.MustParseAddr("2001:db8::2")) {
		t.Errorf("after both were read, the IPv6 address is missing: %v", err)
	}
	for _, f := range []route.Family{route.IPv4, route.IPv6} {
		if got, want := len(s.Rules(f).All), len(whole.Rules(f).All); got != want || got == 0 {
			t.Errorf("%d rules of %s, want %d", got, f, want)
		}
	}
	if err := s.ReadRoutes(ctx, c, 254); err != nil || len(s.Routes(254)) == 0 || s.Knows(253) {
		t.Errorf("routes of main: %d, %v; knows default: %v", len(s.Routes(254)), err, s.Knows(253))
	}
}

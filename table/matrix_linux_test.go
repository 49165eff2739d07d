package table_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table"
)

// addLAN gives the server a third network, lan, with static routes in main. One
// of them is to a subnet that the second uplink's router knows as well.
func (n *network) addLAN() {
	n.t.Helper()
	n.server.Link("lan", n.net, "glan")
	n.server.Addr("lan", "172.16.5.2/24", "2001:db8:5::2/64")
	n.net.Addr("glan", "172.16.5.1/24", "2001:db8:5::1/64")
	n.net.Addr("lo", "203.0.113.10/32", "2001:db8:cb::10/128", "192.0.2.10/32", "2001:db8:c0::10/128")
	for _, r := range []route.Route{
		{Dst: netip.MustParsePrefix("203.0.113.0/24"), Gateway: netip.MustParseAddr("172.16.5.1")},
		{Dst: netip.MustParsePrefix("2001:db8:cb::/48"), Gateway: netip.MustParseAddr("2001:db8:5::1")},
		{Dst: extra[ip4], Gateway: netip.MustParseAddr("172.16.5.1")},
		{Dst: extra[ip6], Gateway: netip.MustParseAddr("2001:db8:5::1")},
	} {
		if err := route.Add(n.t.Context(), n.c, r); err != nil {
			n.t.Fatal(err)
		}
	}
}

// Destinations, by family: LAN, static route of main, extra subnet behind the
// uplink, the other uplink's subnet, the own one, the Internet.
var destinations = map[family][]string{
	ip4: {"172.16.5.1", "203.0.113.10", "192.0.2.10", "10.1.0.1", "10.2.0.1", "198.51.100.10"},
	ip6: {"2001:db8:5::1", "2001:db8:cb::10", "2001:db8:c0::10", "2001:db8:1::1", "2001:db8:2::1", "2001:db8:99::10"},
}

// extra is the subnet behind the uplink, which main has by lan.
var extra = map[family]netip.Prefix{
	ip4: netip.MustParsePrefix("192.0.2.0/24"), ip6: netip.MustParsePrefix("2001:db8:c0::/48"),
}

// full is the uplink by u2 with all rungs.
func (n *network) full(f family) table.SourceRoutedUplink {
	u := n.uplink2(f)
	u.MainFirst, u.Unreachable = true, true
	u.Routes = []netip.Prefix{extra[f]}
	return u
}

// matrix is where packets go from some sources to every destination: the
// interface and the next router, or the error that their sender gets.
func (n *network) matrix(f family, sources ...string) string {
	n.t.Helper()
	links, err := route.ListLinks(context.Background(), n.c)
	if err != nil {
		n.t.Fatal(err)
	}
	var b strings.Builder
	for _, src := range sources {
		for _, dst := range destinations[f] {
			r, err := route.Lookup(context.Background(), n.c, route.Query{
				Src: netip.MustParseAddr(src), Dst: netip.MustParseAddr(dst),
			})
			var errno syscall.Errno
			switch {
			case errors.As(err, &errno):
				fmt.Fprintf(&b, "%s > %s: %v\n", src, dst, errno)
			case err != nil:
				n.t.Fatal(err)
			default:
				fmt.Fprintf(&b, "%s > %s: %s %v\n", src, dst, links.Name(r.OIF), r.Gateway)
			}
		}
	}
	return b.String()
}

// A watcher looks at the matrix after every request that changes something.
type watcher struct {
	*route.Socket
	look   func() string
	states []string // after each request
	names  []string // of the requests
}

func (w *watcher) Execute(m netlink.Message) ([]netlink.Message, error) {
	reply, err := w.Socket.Execute(m)
	if m.Header.Type&3 != 2 {
		w.states = append(w.states, w.look())
		w.names = append(w.names, requestName(m))
	}
	return reply, err
}

// requestName is the kernel's name for the kind of a request that changes
// something.
func requestName(m netlink.Message) string {
	return map[netlink.HeaderType]string{
		uapi.RTM_NEWRULE: "RTM_NEWRULE", uapi.RTM_DELRULE: "RTM_DELRULE",
		uapi.RTM_NEWROUTE: "RTM_NEWROUTE", uapi.RTM_DELROUTE: "RTM_DELROUTE",
	}[m.Header.Type]
}

// A change is from one set of uplinks to another; none is nothing installed.
type change struct {
	name     string
	from, to func(n *network, f family) []table.SourceRoutedUplink
	sources  func(f family) []string // whose packets are looked at
	// same: packets go the same ways before and after.
	same bool
}

func a2(f family) []string { return []string{f.a2} }

// uplinks makes a list of one that is changed.
func uplinks(make func(*network, family) table.SourceRoutedUplink, changes ...func(*table.SourceRoutedUplink, family)) func(*network, family) []table.SourceRoutedUplink {
	return func(n *network, f family) []table.SourceRoutedUplink {
		u := make(n, f)
		for _, change := range changes {
			change(&u, f)
		}
		return []table.SourceRoutedUplink{u}
	}
}

func none(*network, family) []table.SourceRoutedUplink { return nil }

func plainUplink(n *network, f family) table.SourceRoutedUplink { return n.uplink2(f) }
func fullUplink(n *network, f family) table.SourceRoutedUplink  { return n.full(f) }

func otherGateway(u *table.SourceRoutedUplink, f family) { u.Gateway = netip.MustParseAddr(f.g2 + "0") }
func otherTable(u *table.SourceRoutedUplink, _ family)   { u.Table = 30 }
func noTable(u *table.SourceRoutedUplink, _ family)      { u.Table, u.Name = 0, "" }
func notMainFirst(u *table.SourceRoutedUplink, _ family) { u.MainFirst = false }
func notUnreachable(u *table.SourceRoutedUplink, _ family) {
	u.Unreachable = false
}
func noExtra(u *table.SourceRoutedUplink, _ family) { u.Routes = nil }
func at500(u *table.SourceRoutedUplink, _ family)   { u.Priority = 500 }
func twoSources(u *table.SourceRoutedUplink, f family) {
	u.Sources = []netip.Addr{netip.MustParseAddr(f.a2), netip.MustParseAddr(f.a2 + "2")}
}
func a22(f family) []string { return []string{f.a2, f.a2 + "2"} }

// changes are what is tried after every request, and killed, and failed.
var changes = []change{
	{"install plain", none, uplinks(plainUplink), a2, false},
	{"install full", none, uplinks(fullUplink), a2, false},
	{"install two sources", none, uplinks(fullUplink, twoSources), a22, false},
	{"install in a free table", none, uplinks(fullUplink, noTable), a2, false},
	{"remove plain", uplinks(plainUplink), none, a2, false},
	{"remove full", uplinks(fullUplink), none, a2, false},
	{"remove two sources", uplinks(plainUplink, twoSources), none, a22, false},
	{"update gateway of plain", uplinks(plainUplink), uplinks(plainUplink, otherGateway), a2, false},
	{"update gateway of full", uplinks(fullUplink), uplinks(fullUplink, otherGateway), a2, false},
	{"update gateway of full at 500", uplinks(fullUplink, at500), uplinks(fullUplink, at500, otherGateway), a2, false},
	{"update table of plain", uplinks(plainUplink), uplinks(plainUplink, otherTable), a2, true},
	{"update table of full", uplinks(fullUplink), uplinks(fullUplink, otherTable), a2, true},
	{"update table of full at 500", uplinks(fullUplink, at500), uplinks(fullUplink, at500, otherTable), a2, true},
	{"update plain to full", uplinks(plainUplink), uplinks(fullUplink), a2, false},
	{"update full to plain", uplinks(fullUplink), uplinks(plainUplink), a2, false},
	{"update full to plain and gateway", uplinks(fullUplink), uplinks(plainUplink, otherGateway), a2, false},
	{"update MainFirst off", uplinks(fullUplink), uplinks(fullUplink, notMainFirst), a2, false},
	{"update MainFirst on at 500", uplinks(fullUplink, at500, notMainFirst), uplinks(fullUplink, at500), a2, false},
	{"update Unreachable off", uplinks(fullUplink), uplinks(fullUplink, notUnreachable), a2, true},
	{"update extra subnet away", uplinks(fullUplink), uplinks(fullUplink, noExtra), a2, false},
	{"update one source more", uplinks(fullUplink), uplinks(fullUplink, twoSources), a22, false},
	{"update one source less", uplinks(fullUplink, twoSources), uplinks(fullUplink), a22, false},
	{"update priority", uplinks(fullUplink), uplinks(fullUplink, at500), a2, true},
}

// apply installs the uplinks, or removes those that were there.
func (n *network) apply(ctx context.Context, c route.Conn, from, to []table.SourceRoutedUplink) error {
	if len(to) == 0 {
		return table.Remove(ctx, c, from...)
	}
	return table.Install(ctx, c, to...)
}

// forChanges runs a test for each change and family.
func forChanges(t *testing.T, list []change, test func(t *testing.T, n *network, f family, x change)) {
	for _, x := range list {
		t.Run(x.name, func(t *testing.T) {
			forFamilies(t, func(t *testing.T, n *network, f family) {
				n.addLAN()
				n.server.Addr("u2", "10.2.0.22/24", "2001:db8:2::22/64")
				test(t, n, f, x)
			})
		})
	}
}

// After every request of every change, packets go wholly by the old policy or
// wholly by the new, and one request makes the difference.
func TestEveryRequest(t *testing.T) {
	forChanges(t, changes, func(t *testing.T, n *network, f family, x change) {
		from, to := x.from(n, f), x.to(n, f)
		n.narrow(f, from, to)
		n.install(from...)
		look := func() string { return n.matrix(f, x.sources(f)...) }
		before := look()
		w := &watcher{Socket: n.c, look: look}
		if err := n.apply(t.Context(), w, from, to); err != nil {
			t.Fatal(err)
		}
		after := look()
		if (before == after) != x.same {
			t.Errorf("before\n%safter\n%s", before, after)
		}
		steps, last := 0, before
		for i, s := range w.states {
			if s != before && s != after {
				t.Errorf("after request %d, %s, neither\n%snor\n%sbut\n%s", i+1, w.names[i], before, after, s)
			}
			if s != last {
				steps++
			}
			last = s
		}
		if want := 1; before != after && steps != want {
			t.Errorf("%d of %d requests change where packets go, want %d", steps, len(w.states), want)
		}
		t.Logf("%d requests, %d of them change where packets go", len(w.states), steps)
		n.wantNothingToDo(to...)
	})
}

// narrow sets the sources that were left open to the first address.
func (n *network) narrow(f family, lists ...[]table.SourceRoutedUplink) {
	for _, list := range lists {
		for i := range list {
			if list[i].Interface == "u2" && len(list[i].Sources) == 0 {
				list[i].Sources = []netip.Addr{netip.MustParseAddr(f.a2)}
			}
		}
	}
}

// wantNothingToDo fails if Install would still do something.
func (n *network) wantNothingToDo(u ...table.SourceRoutedUplink) {
	n.t.Helper()
	p, err := table.PlanInstall(n.t.Context(), n.c, u...)
	if err != nil || !p.Empty() {
		n.t.Errorf("Install would still do, error %v:\n%s", err, p)
	}
}

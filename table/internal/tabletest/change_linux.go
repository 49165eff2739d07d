package tabletest

import (
	"context"
	"net/netip"
	"slices"
	"testing"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
)

// A Change is a change from one set of uplinks to another. An empty set means that no
// uplink is installed.
type Change struct {
	Name     string
	From, To func(n *Network, f Family) []table.SourceRoutedUplink
	Sources  func(f Family) []string // whose packets are looked at
	Same     bool                    // packets go the same ways before and after
}

func a2(f Family) []string { return []string{f.A2} }

// uplinks returns a list of one uplink that is changed.
func uplinks(make func(*Network, Family) table.SourceRoutedUplink, changes ...func(*table.SourceRoutedUplink, Family)) func(*Network, Family) []table.SourceRoutedUplink {
	return func(n *Network, f Family) []table.SourceRoutedUplink {
		u := make(n, f)
		for _, change := range changes {
			change(&u, f)
		}
		return []table.SourceRoutedUplink{u}
	}
}

func none(*Network, Family) []table.SourceRoutedUplink { return nil }

func plainUplink(n *Network, f Family) table.SourceRoutedUplink { return n.Uplink2(f) }

func fullUplink(n *Network, f Family) table.SourceRoutedUplink { return n.FullUplink(f) }

// OtherGateway moves an uplink to another gateway in its subnet.
func OtherGateway(u *table.SourceRoutedUplink, f Family) { u.Gateway = netip.MustParseAddr(f.G2 + "0") }

// OtherTable moves an uplink to another table.
func OtherTable(u *table.SourceRoutedUplink, _ Family) { u.Table = 30 }

func noTable(u *table.SourceRoutedUplink, _ Family) { u.Table, u.Name = 0, "" }

// NotMainFirst takes MainFirst away.
func NotMainFirst(u *table.SourceRoutedUplink, _ Family) { u.MainFirst = false }

// NotUnreachable takes Unreachable away.
func NotUnreachable(u *table.SourceRoutedUplink, _ Family) { u.Unreachable = false }

func noExtra(u *table.SourceRoutedUplink, _ Family) { u.Routes = nil }

func at500(u *table.SourceRoutedUplink, _ Family) { u.Priority = 500 }

// TwoSources gives an uplink the two addresses of u2.
func TwoSources(u *table.SourceRoutedUplink, f Family) {
	u.Sources = []netip.Addr{netip.MustParseAddr(f.A2), netip.MustParseAddr(f.A2 + "2")}
}

// BothSources returns the addresses of [TwoSources].
func BothSources(f Family) []string { return []string{f.A2, f.A2 + "2"} }

// Changes are the changes that are looked at after every request, failed and killed.
var Changes = []Change{
	{"install plain", none, uplinks(plainUplink), a2, false},
	{"install full", none, uplinks(fullUplink), a2, false},
	{"install two sources", none, uplinks(fullUplink, TwoSources), BothSources, false},
	{"install in a free table", none, uplinks(fullUplink, noTable), a2, false},
	{"remove plain", uplinks(plainUplink), none, a2, false},
	{"remove full", uplinks(fullUplink), none, a2, false},
	{"remove two sources", uplinks(plainUplink, TwoSources), none, BothSources, false},
	{"update gateway of plain", uplinks(plainUplink), uplinks(plainUplink, OtherGateway), a2, false},
	{"update gateway of full", uplinks(fullUplink), uplinks(fullUplink, OtherGateway), a2, false},
	{"update gateway of full at 500", uplinks(fullUplink, at500), uplinks(fullUplink, at500, OtherGateway), a2, false},
	{"update table of plain", uplinks(plainUplink), uplinks(plainUplink, OtherTable), a2, true},
	{"update table of full", uplinks(fullUplink), uplinks(fullUplink, OtherTable), a2, true},
	{"update table of full at 500", uplinks(fullUplink, at500), uplinks(fullUplink, at500, OtherTable), a2, true},
	{"update plain to full", uplinks(plainUplink), uplinks(fullUplink), a2, false},
	{"update full to plain", uplinks(fullUplink), uplinks(plainUplink), a2, false},
	{"update full to plain and gateway", uplinks(fullUplink), uplinks(plainUplink, OtherGateway), a2, false},
	{"update MainFirst off", uplinks(fullUplink), uplinks(fullUplink, NotMainFirst), a2, false},
	{"update MainFirst on at 500", uplinks(fullUplink, at500, NotMainFirst), uplinks(fullUplink, at500), a2, false},
	{"update Unreachable off", uplinks(fullUplink), uplinks(fullUplink, NotUnreachable), a2, true},
	{"update extra subnet away", uplinks(fullUplink), uplinks(fullUplink, noExtra), a2, false},
	{"update one source more", uplinks(fullUplink), uplinks(fullUplink, TwoSources), BothSources, false},
	{"update one source less", uplinks(fullUplink, TwoSources), uplinks(fullUplink), BothSources, false},
	{"update priority", uplinks(fullUplink), uplinks(fullUplink, at500), a2, true},
}

// Apply installs the uplinks of to, or if there are none, removes those of from.
func (n *Network) Apply(ctx context.Context, c route.Conn, from, to []table.SourceRoutedUplink) error {
	if len(to) == 0 {
		return table.Remove(ctx, c, from...)
	}
	return table.Install(ctx, c, to...)
}

// ForChanges runs a test for each change and family, on a [Network] with the LAN and a
// second address of u2, but without taps. It is the same network for all changes: after
// each of them nothing of uplinks is left.
//
// Without -full each change is tried in one family, and the next one in the other: first
// is the family of the first change. So each kind of change is tried in both families.
func ForChanges(t *testing.T, list []Change, first Family, test func(t *testing.T, n *Network, f Family, x Change)) {
	network := newNetwork(t)
	network.AddLAN()
	network.Server.Addr("u2", "10.2.0.22/24", "2001:db8:2::22/64")
	before := network.Snapshot()
	for i, x := range list {
		t.Run(x.Name, func(t *testing.T) {
			for j, name := range []string{"ipv4", "ipv6"} {
				f := []Family{IPv4, IPv6}[j]
				if !Full() && (f == first) != (i%2 == 0) {
					continue
				}
				t.Run(name, func(t *testing.T) {
					n := *network
					n.T = t
					test(t, &n, f, x)
					n.clean()
					n.WantSnapshot("the network for the next change", before)
				})
				if t.Failed() {
					network.clean()
				}
			}
		})
	}
}

// clean deletes everything of uplinks.
func (n *Network) clean() {
	n.T.Helper()
	_, err := rule.Flush(context.Background(), n.Conn, rule.Filter{Protocol: table.Protocol})
	if err == nil {
		_, err = route.Flush(context.Background(), n.Conn, route.Filter{Protocol: table.Protocol})
	}
	if err != nil {
		n.T.Fatal(err)
	}
	n.WriteRTTables(RTTables)
}

// Narrow gives the uplinks by u2 that have no Sources the first address of u2.
func (n *Network) Narrow(f Family, lists ...[]table.SourceRoutedUplink) {
	for _, list := range lists {
		for i := range list {
			if list[i].Interface == "u2" && len(list[i].Sources) == 0 {
				list[i].Sources = []netip.Addr{netip.MustParseAddr(f.A2)}
			}
		}
	}
}

// SomeChanges returns those that are tried again and again: install, update and remove
// of the plain form and of the full ladder, and with -full all of [Changes].
func SomeChanges() []Change {
	if Full() {
		return Changes
	}
	return slices.DeleteFunc(slices.Clone(Changes), func(x Change) bool {
		return !slices.Contains([]string{
			"install plain", "install full", "update gateway of plain", "update gateway of full",
			"update table of plain", "remove plain", "remove full",
		}, x.Name)
	})
}

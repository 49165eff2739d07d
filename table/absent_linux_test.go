package table_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// A source that is elsewhere at the moment has its rules: when the address comes to this
// host, its packets take the uplink at once, and nothing has to be changed.
func TestAbsentSource(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		n.AddLAN()
		u := n.FullUplink(f)
		vip := netip.MustParseAddr(f.A2 + "0")
		u.Sources = []netip.Addr{netip.MustParseAddr(f.A2), vip}
		n.Install(u)
		installed := n.Snapshot()
		tabletest.Serve(t, n.Net, f.TCP, netip.AddrPortFrom(netip.MustParseAddr(f.Client), 80).String())
		wantNothing := func(when string) {
			t.Helper()
			if p, err := u.Plan(t.Context(), n.Conn); err != nil || !p.Empty() {
				t.Errorf("%s: planned again: %v\n%s", when, err, p)
			}
		}
		wantNothing("absent")
		if !strings.Contains(installed, "from "+vip.String()+" ") {
			t.Errorf("there is no rule for %s:\n%s", vip, installed)
		}
		n.Server.Addr("u2", prefixOf(f, vip))
		tabletest.Connect(t, n.Server, f.TCP, vip.String(), netip.AddrPortFrom(netip.MustParseAddr(f.Client), 80).String())
		n.WantRouter(vip.String(), 2)
		wantNothing("present")
		n.Server.DelAddr("u2", prefixOf(f, vip))
		wantNothing("absent again")
		n.WantSnapshot("absent again", installed)
		got, err := table.AbsentSources(t.Context(), n.Conn, u, n.Uplink1(f))
		if err != nil || len(got) != 2 || len(got[0]) != 1 || got[0][0] != vip || got[1] != nil {
			t.Errorf("absent: %v, %v, want %s", got, err, vip)
		}

		// None of them is there.
		u.Sources = u.Sources[1:]
		n.Remove(u)
		before := n.Snapshot()
		err = u.Install(t.Context(), n.Conn)
		if want := "uplink lan2: Sources: " + vip.String() + " is not an address of this host"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no source at all: %v, want %s", err, want)
		}
		n.WantSnapshot("refused", before)
	})
}

// prefixOf returns an address with the length of the uplink's subnet.
func prefixOf(f tabletest.Family, a netip.Addr) string {
	if f.TCP == "tcp6" {
		return a.String() + "/64"
	}
	return a.String() + "/24"
}

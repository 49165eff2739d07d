package maintain_test

import (
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/maintain"
)

// A look at everything that finds nothing to do reads links, addresses, rules and what is on links once
// for all uplinks, and main's default route by an interface once for all that learn its
// gateway.
func TestIdleLookReadsOnce(t *testing.T) {
	n := tabletest.NewNetwork(t)
	n.Server.Addr("u2", "10.2.0.3/24")
	lease := route.Route{Gateway: netip.MustParseAddr(tabletest.IPv4.G2), Priority: 2000, Protocol: route.ProtoDHCP}
	if err := route.Add(t.Context(), n.Conn, lease); err != nil {
		t.Fatal(err)
	}
	first, second := n.Uplink2(tabletest.IPv4), n.Uplink2(tabletest.IPv4)
	first.Sources = []netip.Addr{netip.MustParseAddr("10.2.0.2")}
	second.Name, second.Table, second.Sources = "lan3", 30, []netip.Addr{netip.MustParseAddr("10.2.0.3")}
	installed := []table.SourceRoutedUplink{n.Uplink1(tabletest.IPv4), n.Uplink1(tabletest.IPv6), first, second}
	n.Install(installed...)
	all := maintained(installed...)
	for i := range all {
		if all[i].Weight = 1; i >= 2 {
			all[i].Learn, all[i].Gateway = route.IPv4, netip.Addr{}
		}
	}
	d := &dialer{n: n}
	k := startKeeper(n, d.dial, maintain.Config{FullLook: 20 * time.Millisecond, Default: &maintain.Default{}}, all...)
	k.until("some looks", func() bool { return k.counters.Looks.Load() >= 10 })
	k.stop()
	looks := int(k.counters.Looks.Load())
	asks := make(map[netlink.HeaderType]int)
	leases := 0
	onLink := make(map[string]int) // by family and protocol
	for _, m := range d.asks {
		asks[m.Header.Type]++
		var r route.Route
		if m.Header.Type == uapi.RTM_GETROUTE && r.UnmarshalBinary(m.Data) == nil &&
			r.Table == rttables.Main && r.OIF == n.Server.Index("u2") {
			leases++
		}
		if m.Header.Type == uapi.RTM_GETROUTE && r.UnmarshalBinary(m.Data) == nil && r.Table == rttables.Main && r.Protocol != 0 {
			onLink[r.Family.String()+" "+r.Protocol.String()]++
		}
	}
	readings := asks[uapi.RTM_GETRULE]
	for _, ask := range []struct {
		what  string
		count int
	}{
		{"links", asks[uapi.RTM_GETLINK]}, {"addresses", asks[uapi.RTM_GETADDR]}, {"rules", asks[uapi.RTM_GETRULE]},
		{"default routes by u2", leases}, {"on-link routes of DHCP", onLink["inet dhcp"]},
		{"on-link routes of the kernel", onLink["inet kernel"]}, {"IPv6 on-link routes of the kernel", onLink["inet6 kernel"]},
		{"on-link routes of advertisements", onLink["inet6 ra"]},
	} {
		// The end may come in the middle of the last look. A look because of an event, of the
		// time when the uplinks were made, reads less.
		if ask.count > looks || ask.count < readings-1 {
			t.Errorf("in %d looks at 4 uplinks, for which the host is read %d times, %s are read %d times",
				looks, readings, ask.what, ask.count)
		}
	}
	if readings < 5 {
		t.Errorf("in %d looks the host is read %d times", looks, readings)
	}
	if k.counters.Repairs.Load() != 2 { // the default routes
		t.Errorf("it was not idle:\n%s", k.text())
	}
}

// The first look reads links, addresses and rules once for all uplinks. For the repairs it
// takes over the events since, also those about what it has done itself: under the lock a
// plan follows from what others have left.
func TestFirstLookReadsOnce(t *testing.T) {
	n := tabletest.NewNetwork(t)
	d := &dialer{n: n}
	all := maintained(n.Uplink1(tabletest.IPv4), n.Uplink1(tabletest.IPv6), n.Uplink2(tabletest.IPv4), n.Uplink2(tabletest.IPv6))
	for i := range all {
		all[i].Name, all[i].Table = "", rttables.ID(101+i)
	}
	k := startKeeper(n, d.dial, maintain.Config{FullLook: time.Hour}, all...)
	k.awaitKind(0, maintain.EventReady)
	k.stop()
	if k.counters.Repairs.Load() != 4 {
		t.Errorf("%d repairs:\n%s", k.counters.Repairs.Load(), k.text())
	}
	for what, typ := range map[string]netlink.HeaderType{"links": uapi.RTM_GETLINK, "addresses": uapi.RTM_GETADDR, "rules": uapi.RTM_GETRULE} {
		if got := d.count(typ); got != 1 {
			t.Errorf("%s are read %d times in %d looks with 4 repairs", what, got, k.counters.Looks.Load())
		}
	}
	// Of each family, those that the kernel and another program say are on a link.
	if routes, _, _ := d.reads(rttables.Main); routes != 4 {
		t.Errorf("routes of main are read %d times", routes)
	}
}

// An address that goes with its link, between the listings of a look, stays a source: the
// link is not taken to be up still.
func TestLinkGoesDownDuringLook(t *testing.T) {
	n := tabletest.NewNetwork(t)
	n.Server.Addr("u2", "10.2.0.3/24")
	u := n.Uplink2(tabletest.IPv4)
	u.Unreachable = true
	var between betweenListings
	dial := func() (route.Conn, error) {
		c, err := route.Dial(n.Server.Config())
		return &hookConn{c, &between}, err
	}
	k := startKeeper(n, dial, maintain.Config{FullLook: 20 * time.Millisecond}, maintained(u)...)
	k.awaitKind(0, maintain.EventInstalled)
	between.arm(func() {
		n.Server.DelAddr("u2", "10.2.0.3/24")
		n.Server.Down("u2")
	})
	k.awaitKind(0, maintain.EventPending)
	looks := k.counters.Looks.Load()
	k.until("more looks", func() bool { return k.counters.Looks.Load() >= looks+3 })
	rules, err := rule.List(t.Context(), n.Conn, rule.Filter{Table: 20})
	if err != nil || len(rules) != 2 {
		t.Errorf("the rules are %v, %v, want those of both sources\n%s", rules, err, k.text())
	}
}

// A betweenListings does something once, between the listings of links and addresses.
type betweenListings struct {
	mu    sync.Mutex
	do    func()
	first netlink.HeaderType // that was listed
}

func (b *betweenListings) arm(do func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.do, b.first = do, 0
}

// see is called before a listing.
func (b *betweenListings) see(typ netlink.HeaderType) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.do == nil || typ != uapi.RTM_GETLINK && typ != uapi.RTM_GETADDR:
	case b.first == 0 || b.first == typ:
		b.first = typ
	default:
		b.do()
		b.do = nil
	}
}

// A hookConn is a connection between whose listings something happens. Its
// listings are done by Execute.
type hookConn struct {
	c       *route.Socket
	between *betweenListings
}

func (c *hookConn) Execute(m netlink.Message) ([]netlink.Message, error) {
	c.between.see(m.Header.Type)
	return c.c.Execute(m)
}

func (c *hookConn) SyscallConn() (syscall.RawConn, error) { return c.c.SyscallConn() }
func (c *hookConn) Close() error                          { return c.c.Close() }

// Which tables have routes is read once for all uplinks that have no table, and not again
// after the change for each of them: a host can have the routes of the Internet. A table
// that others begin to use in the meantime is not taken.
func TestUsedTablesAreReadOnce(t *testing.T) {
	n, d, k := keepTwo(t, maintain.Config{FullLook: time.Hour}, func(all []maintain.Uplink) {
		for i := range all {
			all[i].Name, all[i].Table = "", 0
		}
		all[1].Interface = "later0"
	})
	defer k.stop()
	foreign := n.Dial(n.Server)
	other := route.Route{Dst: netip.MustParsePrefix("198.51.100.0/24"), Gateway: netip.MustParseAddr(tabletest.IPv4.G1), Table: 2}
	if err := route.Add(t.Context(), foreign, other); err != nil {
		t.Fatal(err)
	}
	n.Server.Rename("u2", "later0")
	k.until("a table for the second uplink", func() bool {
		rules, err := rule.List(t.Context(), n.Conn, rule.Filter{Table: 3})
		return err == nil && len(rules) == 1
	})
	k.quiet()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, m := range d.asks {
		var r route.Route
		if m.Header.Type == uapi.RTM_GETROUTE && m.Header.Flags&netlink.Dump == netlink.Dump &&
			r.UnmarshalBinary(m.Data) == nil && r.Table == 0 && r.Protocol == 0 && r.Type == 0 {
			t.Error("all routes are listed again")
		}
	}
}

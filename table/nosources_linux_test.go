package table_test

import (
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// Twins are two modems: the same subnet, the same address of the server, and the same
// gateway.
type twins struct {
	*tabletest.Network
	taps    [2]*lab.Tap
	uplinks []table.SourceRoutedUplink
	client  string
	gateway string
}

func newTwins(t *testing.T, ipv6 bool) *twins {
	l := lab.Test(t)
	w := &twins{
		Network: &tabletest.Network{T: t, Server: l.NS("server"), Etc: t.TempDir()},
		client:  "198.51.100.10", gateway: "192.168.8.1",
	}
	own, length := "192.168.8.100", "/24"
	if ipv6 {
		w.client, w.gateway, own, length = "2001:db8:99::10", "2001:db8:8::1", "2001:db8:8::100", "/64"
	}
	for i, dev := range []string{"w0", "w1"} {
		modem := l.NS("modem of " + dev)
		w.Server.Link(dev, modem, "lan")
		w.Server.Addr(dev, own+length)
		modem.Addr("lan", w.gateway+length)
		modem.Addr("lo", tabletest.HostPrefix(w.client))
		w.taps[i] = modem.Tap("lan")
		w.uplinks = append(w.uplinks, table.SourceRoutedUplink{
			Name: dev, Table: 30, Interface: dev, Gateway: netip.MustParseAddr(w.gateway), NoSources: true, Etc: w.Etc,
			Also: []rule.Rule{{OIF: dev}, {FwMark: rule.FwMark(uint32(0x10 + i))}},
		})
	}
	w.uplinks[1].Table = 31
	w.Conn = w.Dial(w.Server)
	if err := w.AddRoute("default via " + w.gateway + " dev w0"); err != nil {
		t.Fatal(err)
	}
	return w
}

// wantBy sends a packet with an option of the socket, and fails the test unless one modem
// gets it, and is asked for the neighbour.
func (w *twins) wantBy(what, to string, option func(string, string, syscall.RawConn) error, modem int) {
	w.T.Helper()
	a := netip.MustParseAddr(to)
	for _, tap := range w.taps {
		tap.Reset()
	}
	c, err := w.Server.DialWith(w.T.Context(), net.Dialer{Control: option}, "udp", net.JoinHostPort(to, "9"))
	if err != nil {
		w.T.Errorf("%s to %s: %v", what, to, err)
		return
	}
	defer c.Close()
	if _, err := c.Write([]byte("x")); err != nil {
		w.T.Errorf("%s to %s: %v", what, to, err)
		return
	}
	got := func(p lab.Packet) bool { return !p.Out && p.Proto == 17 && p.Dst.Addr() == a }
	if w.taps[modem].Wait(1, got, tabletest.Patience) != 1 || w.taps[1-modem].Count(got) != 0 {
		w.T.Errorf("%s to %s: %d packets by w0 and %d by w1, want one by w%d\n%s",
			what, to, w.taps[0].Count(got), w.taps[1].Count(got), modem, w.Kernel())
	}
}

func boundTo(dev string) func(string, string, syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error {
		var err error
		if e := c.Control(func(fd uintptr) { err = unix.BindToDevice(int(fd), dev) }); e != nil {
			return e
		}
		return err
	}
}

// Two modems with the same address are two uplinks without sources: what is bound to an
// interface or has a mark leaves by the right one, to the right neighbour, also to the
// subnet that both have. Without the uplinks a mark makes no difference.
func TestNoSources(t *testing.T) {
	for name, ipv6 := range map[string]bool{"ipv4": false, "ipv6": true} {
		t.Run(name, func(t *testing.T) {
			w := newTwins(t, ipv6)
			before := w.Snapshot()
			for _, to := range []string{w.client, w.gateway} {
				w.wantBy("mark of w1, without uplinks", to, lab.Mark(0x11), 0)
			}
			w.Install(w.uplinks...)
			installed := w.Snapshot()
			for _, to := range []string{w.client, w.gateway} {
				w.wantBy("mark of w0", to, lab.Mark(0x10), 0)
				w.wantBy("mark of w1", to, lab.Mark(0x11), 1)
				w.wantBy("bound to w0", to, boundTo("w0"), 0)
				w.wantBy("bound to w1", to, boundTo("w1"), 1)
				w.wantBy("neither", to, nil, 0)
			}
			if got := w.Kernel(); strings.Contains(got, "from 192.168.8.100") || strings.Contains(got, "from 2001:db8:8::100") {
				t.Errorf("there are rules from addresses:\n%s", got)
			}
			if p, err := table.PlanInstall(t.Context(), w.Conn, w.uplinks...); err != nil || !p.Empty() {
				t.Errorf("planned again: %v\n%s", err, p)
			}
			// In another table, and back.
			moved := []table.SourceRoutedUplink{w.uplinks[0], w.uplinks[1]}
			moved[1].Table = 40
			w.Install(moved...)
			w.wantBy("mark of w1, moved", w.client, lab.Mark(0x11), 1)
			if got := w.Kernel(); strings.Contains(got, "lookup 31") || strings.Contains(got, "table 31") {
				t.Errorf("the old table is still in use:\n%s", got)
			}
			w.Install(w.uplinks...)
			w.WantSnapshot("moved back", installed)
			// A rule that goes.
			fewer := w.uplinks[1]
			fewer.Also = fewer.Also[:1]
			w.Install(fewer)
			w.wantBy("no mark any more", w.client, lab.Mark(0x11), 0)
			w.Install(w.uplinks...)
			w.Remove(w.uplinks...)
			w.WantSnapshot("removed", before)
		})
	}
}

// An uplink without sources is known again by its rules where its table has no number.
func TestNoSourcesByName(t *testing.T) {
	w := newTwins(t, false)
	for i := range w.uplinks {
		w.uplinks[i].Table, w.uplinks[i].Etc = 0, "/proc/no-such" // names cannot be written
	}
	before := w.Snapshot()
	for range 2 {
		err := table.Install(t.Context(), w.Conn, w.uplinks...)
		if err == nil || !strings.Contains(err.Error(), "/proc/no-such") {
			t.Fatalf("%v, want only that names cannot be written", err)
		}
		w.wantBy("mark of w1", w.client, lab.Mark(0x11), 1)
		if n := strings.Count(w.Kernel(), "default via"); n != 3 {
			t.Fatalf("there are %d default routes, want main's and one of each uplink:\n%s", n, w.Kernel())
		}
	}
	if err := table.Remove(t.Context(), w.Conn, w.uplinks...); err != nil {
		t.Fatal(err)
	}
	w.WantSnapshot("removed", before)
}

// A tunnel needs no address to be an uplink without sources.
func TestNoSourcesTunnel(t *testing.T) {
	n := tabletest.NewNetwork(t)
	if _, err := n.Server.TUN("tun9"); err != nil { // on a machine that keeps them for itself
		n.Server.Link("tun9", n.Net, "peer9")
		n.Server.NoARP("tun9")
	}
	u := table.SourceRoutedUplink{
		Name: "vpn", Table: 50, Interface: "tun9", NoSources: true, Etc: n.Etc, Also: []rule.Rule{{FwMark: rule.FwMark(9)}},
	}
	n.Server.Up("tun9")
	n.Install(u)
	r, err := route.Lookup(t.Context(), n.Conn, route.Query{Dst: netip.MustParseAddr("198.51.100.10"), Mark: 9})
	if err != nil || r.OIF != n.Server.Index("tun9") {
		t.Errorf("a marked packet goes by %v, %v", r, err)
	}
	n.Remove(u)
}

// What cannot be without sources is refused.
func TestNoSourcesRefused(t *testing.T) {
	good := table.SourceRoutedUplink{Table: 30, Interface: "w0", NoSources: true, Also: []rule.Rule{{OIF: "w0"}}}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(u *table.SourceRoutedUplink){
		"NoSources: needs Also: otherwise no packet takes the uplink": func(u *table.SourceRoutedUplink) { u.Also = nil },
		"NoSources: excludes Sources, which has 10.0.0.":              func(u *table.SourceRoutedUplink) { u.Sources = []netip.Addr{netip.MustParseAddr("10.0.0.2")} },
		"NoSources: needs Table or Name":                              func(u *table.SourceRoutedUplink) { u.Table = 0 },
	} {
		u := good
		change(&u)
		if err := u.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

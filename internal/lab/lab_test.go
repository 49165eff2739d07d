//go:build linux

package lab_test

import (
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/jsimonetti/rtnetlink/v2"

	"github.com/policyroute/policyroute/internal/lab"
)

// Recorded messages have indexes of interfaces, so a test has to be able to set the index at
// either end of a pair.
func TestIndex(t *testing.T) {
	l := lab.Test(t)
	host, net := l.NS("host"), l.NS("net")
	mac := []byte{2, 0, 0, 0, 0, 5}
	l.Veth(lab.End{NS: host, Name: "eth0", Index: 3}, lab.End{NS: net, Name: "p0", Index: 7})
	l.Veth(lab.End{NS: net, Name: "p1"}, lab.End{NS: host, Name: "eth1", Index: 5, MAC: mac})
	for _, tt := range []struct {
		ns     *lab.NS
		ifname string
		want   uint32
	}{{host, "lo", 1}, {host, "eth0", 3}, {host, "eth1", 5}, {net, "p0", 7}} {
		if got := tt.ns.Index(tt.ifname); got != tt.want {
			t.Errorf("%s has index %d, want %d", tt.ifname, got, tt.want)
		}
	}
	if got := interfaces(t, host)["eth1"].HardwareAddr.String(); got != "02:00:00:00:00:05" {
		t.Errorf("eth1 has hardware address %s", got)
	}
}

func interfaces(t *testing.T, ns *lab.NS) map[string]net.Interface {
	t.Helper()
	m := make(map[string]net.Interface)
	err := ns.Do(func() error {
		ifs, err := net.Interfaces()
		for _, i := range ifs {
			m[i.Name] = i
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// After Veth the state of the link does not change any more: the carrier is known, the IPv6
// link-local address exists, and no address is tentative.
func TestLinkIsSettled(t *testing.T) {
	for range 20 {
		a, _ := pair(t)
		conn, err := rtnetlink.Dial(a.Config())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		link, err := conn.Link.Get(a.Index("eth0"))
		if err != nil {
			t.Fatal(err)
		}
		if got := link.Attributes.OperationalState; got != rtnetlink.OperStateUp {
			t.Fatalf("operational state %d", got)
		}
		addrs, err := conn.Address.List()
		if err != nil {
			t.Fatal(err)
		}
		var local int
		for _, addr := range addrs {
			if addr.Attributes.Flags&unix.IFA_F_TENTATIVE != 0 {
				t.Fatalf("%v is tentative", addr.Attributes.Address)
			}
			if addr.Attributes.Address.IsLinkLocalUnicast() {
				local++
			}
		}
		if local != 1 {
			t.Fatalf("%d link-local addresses", local)
		}
	}
}

func TestAddrUpDownDelete(t *testing.T) {
	a, b := pair(t)
	addrs := func() string {
		i := interfaces(t, a)["eth0"]
		var s []string
		err := a.Do(func() error {
			as, err := i.Addrs()
			for _, addr := range as {
				if !addr.(*net.IPNet).IP.IsLinkLocalUnicast() {
					s = append(s, addr.String())
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(s, " ")
	}
	a.Addr("eth0", "10.0.1.1/32")
	a.DelAddr("eth0", "10.0.0.1/24")
	if got, want := addrs(), "10.0.1.1/32 2001:db8::1/64"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	a.Down("eth0")
	if got := interfaces(t, a)["eth0"].Flags; got&net.FlagUp != 0 {
		t.Errorf("down: %v", got)
	}
	a.Up("eth0")
	if got := interfaces(t, a)["eth0"].Flags; got&net.FlagRunning == 0 {
		t.Errorf("up: %v", got)
	}
	a.DeleteLink("eth0")
	if _, ok := interfaces(t, b)["eth0"]; ok {
		t.Error("the peer is still there")
	}
}

func TestSysctl(t *testing.T) {
	l := lab.Test(t)
	a, b := l.NS("a"), l.NS("b")
	a.Link("eth0.100", b, "eth0")
	for _, tt := range []struct{ key, other string }{
		{"net.ipv4.conf.all.rp_filter", "net.ipv4.conf.all.rp_filter"},
		{"net/ipv4/conf/eth0.100/rp_filter", "net.ipv4.conf.eth0.rp_filter"},
		{"net.ipv4.conf.eth0/100.rp_filter", "net.ipv4.conf.eth0.rp_filter"},
	} {
		a.Sysctl(tt.key, "2")
		if got, err := a.SysctlValue(tt.key); err != nil || got != "2" {
			t.Errorf("%s: got %q, %v", tt.key, got, err)
		}
		if got, err := b.SysctlValue(tt.other); err != nil || got != "0" {
			t.Errorf("other namespace: %s: got %q, %v", tt.other, got, err)
		}
	}
	if _, err := a.SysctlValue("net.ipv4.nonsense"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("unknown key: %v", err)
	}
	kernel := l.NewNS(lab.NSConfig{Name: "kernel", KernelDefaults: true})
	if got, err := kernel.SysctlValue("net.ipv6.conf.default.accept_dad"); err != nil || got != "1" {
		t.Errorf("accept_dad by the kernel's default: %q, %v", got, err)
	}
}

func TestDevices(t *testing.T) {
	l := lab.Test(t)
	a, b, c := l.NS("a"), l.NS("b"), l.NS("c")

	// b is a switch between a and c, and a has a second address on a macvlan.
	a.Link("eth0", b, "p0")
	c.Link("eth0", b, "p1")
	b.Bridge("br0", "p0", "p1")
	a.Addr("eth0", "10.0.0.1/24")
	c.Addr("eth0", "10.0.0.2/24")
	a.MACVLAN("mac0", "eth0")
	a.Addr("mac0", "10.0.5.1/24")
	c.Addr("eth0", "10.0.5.2/24")

	// A tunnel through the switch.
	from, to := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	a.VXLAN("vx0", lab.VXLAN{ID: 42, Local: from, Remote: to, Parent: "eth0"})
	c.VXLAN("vx0", lab.VXLAN{ID: 42, Local: to, Remote: from})
	a.Addr("vx0", "10.0.9.1/24", "2001:db8:9::1/64")
	c.Addr("vx0", "10.0.9.2/24", "2001:db8:9::2/64")

	for _, tt := range []struct{ ifname, host string }{
		{"br0", "10.0.0.2"}, {"mac0", "10.0.5.2"}, {"vx0", "10.0.9.2"}, {"vx0", "2001:db8:9::2"},
	} {
		echo(t, c, a, "tcp", tt.host)
		echo(t, c, a, "udp", tt.host)
	}
}

// A machine may have no /dev/net/tun, or reserve it for root. The test accepts these two
// errors and no others.
func TestTUN(t *testing.T) {
	l := lab.Test(t)
	ns := l.NS("a")
	probe, denied := os.OpenFile("/dev/net/tun", os.O_RDWR, 0)
	if denied == nil {
		probe.Close()
	}
	f, err := ns.TUN("tun0")
	if denied != nil {
		if want := errors.Unwrap(denied); !errors.Is(err, want) {
			t.Fatalf("got %v, want %v", err, want)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	ns.Addr("tun0", "10.9.0.1/24")
	conn, err := ns.Dial(t.Context(), "udp", "", "10.9.0.2:9")
	if err != nil {
		t.Fatal(err)
	}
	tap := ns.Tap("tun0")
	if _, err := conn.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1500)
	for { // MLD reports come first
		n, err := f.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		if b[0]>>4 == 4 && strings.HasSuffix(string(b[:n]), "hello") {
			break
		}
	}
	if got := tap.Count(proto(17)); got != 1 {
		t.Errorf("the tap saw %d packets", got)
	}
}

// In a program the first failure is kept, and later steps do nothing.
func TestErr(t *testing.T) {
	l := lab.New()
	defer l.Close()
	a := l.NS("a")
	a.Addr("nowhere", "10.0.0.1/24")
	a.Up("elsewhere")
	b := l.NS("b")
	tap := b.Tap("lo")
	tap.Reset()
	if tap.Count(nil) != 0 || len(tap.Packets()) != 0 || tap.Wait(0, nil, time.Second) != 0 {
		t.Error("a tap on nothing saw packets")
	}
	if _, err := b.Listen("tcp", "127.0.0.1:0"); !errors.Is(err, net.ErrClosed) {
		t.Errorf("listening nowhere: %v", err)
	}
	const want = "lab: a: add address 10.0.0.1/24 to nowhere: "
	if err := l.Err(); !errors.Is(err, unix.ENODEV) || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v", err)
	}
}

// Fifty labs leave no descriptor and no goroutine behind.
func TestLeak(t *testing.T) {
	count := func() (fds, goroutines int) {
		runtime.GC()
		dir, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(dir), runtime.NumGoroutine()
	}
	use := func() {
		l := lab.New()
		a, b := l.NS("a"), l.NS("b")
		a.Link("eth0", b, "eth0")
		a.Addr("eth0", "10.0.0.1/24")
		b.Addr("eth0", "10.0.0.2/24")
		tap := a.Tap("eth0")
		ln, err := b.Listen("tcp", "10.0.0.2:0")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Dial(t.Context(), "tcp", "", ln.Addr().String()); err != nil {
			t.Fatal(err)
		}
		if f, err := a.TUN("tun0"); err == nil {
			go f.Read(make([]byte, 1500)) // ended by Close
		}
		if tap.Count(proto(6)) == 0 {
			t.Fatal("no packets")
		}
		if err := errors.Join(l.Err(), l.Close(), l.Close()); err != nil {
			t.Fatal(err)
		}
	}
	use() // the runtime opens its own descriptors the first time
	fds, goroutines := count()
	for range 50 {
		use()
	}
	var f, g int
	for range 200 { // goroutines need a moment to end
		if f, g = count(); f <= fds && g <= goroutines {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("descriptors: %d, were %d; goroutines: %d, were %d", f, fds, g, goroutines)
}

package capture_test

import (
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/capture"
	"github.com/policyroute/policyroute/internal/lab"
)

func TestMain(m *testing.M) { lab.Main(m) }

// A Reader has the packets of the interfaces that are selected, in both directions, with
// their marks.
func TestReader(t *testing.T) {
	l := lab.Test(t)
	a, b := l.NS("a"), l.NS("b")
	for _, dev := range []string{"eth0", "eth1"} {
		a.Link(dev, b, dev)
	}
	a.Addr("eth0", "192.0.2.1/24")
	b.Addr("eth0", "192.0.2.2/24")
	a.Addr("eth1", "198.51.100.1/24")
	b.Addr("eth1", "198.51.100.2/24")
	index := make(map[string]uint32)
	var r *capture.Reader
	if err := a.Do(func() error {
		for _, dev := range []string{"eth0", "eth1"} {
			i, err := net.InterfaceByName(dev)
			if err != nil {
				return err
			}
			index[dev] = uint32(i.Index)
		}
		var err error
		r, err = capture.Open([]uint32{index["eth1"]}, nil)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	send(t, a, "192.0.2.2:1001", 0)
	send(t, a, "198.51.100.2:1002", 0x77)
	wantPacket(t, r, 1002, index["eth1"], true, 0x77)
	send(t, b, "198.51.100.1:1003", 0)
	wantPacket(t, r, 1003, index["eth1"], false, 0)
	if err := r.Select([]uint32{index["eth0"]}, nil); err != nil {
		t.Fatal(err)
	}
	send(t, a, "198.51.100.2:1004", 0)
	send(t, a, "192.0.2.2:1005", 0)
	wantPacket(t, r, 1005, index["eth0"], true, 0)
	if lost, err := r.Lost(); lost != 0 || err != nil {
		t.Errorf("lost %d, %v", lost, err)
	}
	if err := r.SetReadDeadline(time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the deadline: %v", err)
	}
}

// Of interfaces that are not selected, a Reader has what leaves from a source that is.
func TestReaderSources(t *testing.T) {
	l := lab.Test(t)
	a, b := l.NS("a"), l.NS("b")
	a.Link("eth0", b, "eth0")
	a.Addr("eth0", "192.0.2.1/24", "192.0.2.130/24", "2001:db8::1/64", "2001:db8::1:0:0:1/64")
	b.Addr("eth0", "192.0.2.2/24", "2001:db8::2/64")
	prefixes := func(all ...string) (p []netip.Prefix) {
		for _, s := range all {
			p = append(p, netip.MustParsePrefix(s))
		}
		return p
	}
	var r *capture.Reader
	if err := a.Do(func() (err error) {
		r, err = capture.Open(nil, nil)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	many := prefixes("203.0.113.9/32", "2001:db8:9::/47", "::/1")
	for i := range 3000 {
		many = append(many, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 9, byte(i >> 8), byte(i)}), 32))
	}
	port := uint16(1000)
	for _, c := range []struct {
		sources []netip.Prefix
		ns      *lab.NS
		from    string
		read    bool
	}{
		{prefixes("192.0.2.1/32"), a, "192.0.2.1", true},
		{prefixes("192.0.2.1/32"), a, "192.0.2.130", false},
		{prefixes("192.0.2.1/32"), a, "2001:db8::1", false},
		{prefixes("192.0.2.2/32"), b, "192.0.2.2", false}, // it comes in
		{prefixes("203.0.113.0/24", "2001:db8::/127", "192.0.2.128/25"), a, "192.0.2.130", true},
		{prefixes("203.0.113.0/24", "2001:db8::/127", "192.0.2.128/25"), a, "192.0.2.1", false},
		{prefixes("203.0.113.0/24", "2001:db8::/80", "192.0.2.128/25"), a, "2001:db8::1", true},
		{prefixes("203.0.113.0/24", "2001:db8::/80", "192.0.2.128/25"), a, "2001:db8::1:0:0:1", false},
		{prefixes("2001:db8::1:0:0:1/128"), a, "2001:db8::1:0:0:1", true},
		{prefixes("2001:db8::1:0:0:1/128"), a, "2001:db8::1", false},
		{prefixes("0.0.0.0/0"), a, "192.0.2.1", true},
		{many[:500], a, "2001:db8::1", true},
		{many[:500], a, "192.0.2.1", false},
		{many, a, "192.0.2.1", true}, // more than the filter can have
	} {
		port++
		if err := r.Select(nil, c.sources); err != nil {
			t.Fatal(err)
		}
		to := map[bool]string{true: "192.0.2.2", false: "2001:db8::2"}[netip.MustParseAddr(c.from).Is4()]
		if c.ns == b {
			to = "192.0.2.1"
		}
		sendFrom(t, c.ns, c.from, netip.AddrPortFrom(netip.MustParseAddr(to), port))
		if c.read {
			wantFrom(t, r, c.from, port)
			continue
		}
		// What is read next is this one.
		if err := r.Select(nil, prefixes("192.0.2.130/32")); err != nil {
			t.Fatal(err)
		}
		port++
		sendFrom(t, a, "192.0.2.130", netip.AddrPortFrom(netip.MustParseAddr("192.0.2.2"), port))
		wantFrom(t, r, "192.0.2.130", port)
	}
}

// sendFrom sends a UDP packet from an address.
func sendFrom(t *testing.T, ns *lab.NS, from string, to netip.AddrPort) {
	t.Helper()
	c, err := ns.Dial(t.Context(), "udp", net.JoinHostPort(from, "0"), to.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
}

// wantFrom reads up to the first UDP packet, which has to leave from an address to a port.
func wantFrom(t *testing.T, r *capture.Reader, from string, port uint16) {
	t.Helper()
	for {
		p, err := r.Read()
		if err != nil {
			t.Fatalf("%s to port %d: %v", from, port, err)
		}
		if p.Proto != 17 {
			continue // an ICMP error, or neighbour discovery
		}
		if p.Src.Addr().String() != from || p.Dst.Port() != port || !p.Out {
			t.Fatalf("%+v, want one from %s to port %d", p, from, port)
		}
		return
	}
}

// send sends a UDP packet.
func send(t *testing.T, ns *lab.NS, to string, mark int) {
	t.Helper()
	err := ns.Do(func() error {
		d := net.Dialer{Control: func(_, _ string, c syscall.RawConn) (err error) {
			if mark == 0 {
				return nil
			}
			e := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK, mark) })
			return errors.Join(e, err)
		}}
		c, err := d.DialContext(t.Context(), "udp", to)
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Write([]byte("hello"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// wantPacket reads up to the first UDP packet to a port above 1000. It has to be this one.
func wantPacket(t *testing.T, r *capture.Reader, port uint16, index uint32, out bool, mark uint32) {
	t.Helper()
	for {
		p, err := r.Read()
		if err != nil {
			t.Fatal(err)
		}
		if p.Proto != 17 || p.Dst.Port() < 1000 || p.Dst.Port() > 1010 {
			continue // an ICMP error, or neighbour discovery
		}
		if p.Dst.Port() != port || p.IfIndex != index || p.Out != out || p.Mark != mark || p.Length != 20+8+5 {
			t.Fatalf("%+v, want port %d, interface %d, out %v, mark %#x", p, port, index, out, mark)
		}
		return
	}
}

// Who lacks CAP_NET_RAW gets the error for that.
func TestNotPermitted(t *testing.T) {
	done := make(chan error)
	go func() {
		// The thread ends with the goroutine.
		runtime.LockOSThread()
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		if err := unix.Capset(&header, &make([]unix.CapUserData, 2)[0]); err != nil {
			done <- os.NewSyscallError("capset", err)
			return
		}
		r, err := capture.Open(nil, nil)
		if err == nil {
			r.Close()
		}
		done <- err
	}()
	if err := <-done; !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v, want %v", err, fs.ErrPermission)
	}
}

package tabletest

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/lab"
)

// Patience is how long a test waits for what should take milliseconds. The times
// that are promised are measured, and are those of the best of several tries.
const Patience = 20 * time.Second

// TCPFrom counts the TCP packets from a source that each router has received.
func (n *Network) TCPFrom(src string) (byG1, byG2 int) {
	a := netip.MustParseAddr(src)
	match := func(p lab.Packet) bool { return !p.Out && p.Src.Addr() == a && p.Proto == 6 }
	return n.G1.Count(match), n.G2.Count(match)
}

// WantRouter fails the test unless all TCP packets from src left by one router, 1 or 2.
func (n *Network) WantRouter(src string, router int) {
	n.T.Helper()
	g1, g2 := n.TCPFrom(src)
	if router == 1 && (g1 == 0 || g2 != 0) || router == 2 && (g1 != 0 || g2 == 0) {
		n.T.Errorf("from %s: %d packets at g1 and %d at g2, want all at g%d", src, g1, g2, router)
	}
}

// Serve answers TCP connections to an address of a namespace.
func Serve(t *testing.T, ns *lab.NS, network, addr string) {
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

// Connect makes a connection and returns the address that it came from.
func Connect(t *testing.T, ns *lab.NS, tcp, from, to string) netip.Addr {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	c, err := ns.Dial(ctx, tcp, from, to)
	if err != nil {
		t.Fatalf("from %q to %s: %v", from, to, err)
	}
	defer c.Close()
	if b := make([]byte, 5); read(c, b) != nil || string(b) != "hello" {
		t.Fatalf("from %q to %s: no answer", from, to)
	}
	return c.LocalAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
}

// read reads the answer from a connection.
func read(c net.Conn, b []byte) error {
	c.SetReadDeadline(time.Now().Add(Patience))
	_, err := c.Read(b)
	return err
}

// ServeUDP answers datagrams to an address of a namespace.
func ServeUDP(t *testing.T, ns *lab.NS, udp, addr string) {
	t.Helper()
	c, err := ns.ListenPacket(udp, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	go func() {
		b := make([]byte, 100)
		for {
			k, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			c.WriteTo(b[:k], from)
		}
	}()
}

// ConnectUDP sends a datagram, waits for the answer, and returns the address that
// it was sent from.
func ConnectUDP(t *testing.T, ns *lab.NS, udp, from, to string) netip.Addr {
	t.Helper()
	c, err := ns.Dial(t.Context(), udp, from, to)
	if err != nil {
		t.Fatalf("from %q to %s: %v", from, to, err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if b := make([]byte, 5); read(c, b) != nil || string(b) != "hello" {
		t.Fatalf("from %q to %s: no answer", from, to)
	}
	return c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
}

// SendUDP sends one packet from an address of the server.
func (n *Network) SendUDP(from, to string) {
	n.T.Helper()
	c, err := n.Server.Dial(n.T.Context(), "udp", net.JoinHostPort(from, "0"), to)
	if err != nil {
		n.T.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("x")); err != nil {
		n.T.Fatal(err)
	}
}

// StrictReversePath turns on strict reverse path filtering.
func (n *Network) StrictReversePath(devs ...string) {
	for _, dev := range devs {
		n.Server.Sysctl("net.ipv4.conf."+dev+".rp_filter", "1")
	}
}

// ShortContext returns a context that ends when no answer comes any more.
func ShortContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

// ReversePathDrops returns how many packets the reverse path filter of the server has
// dropped.
func (n *Network) ReversePathDrops() (drops int64) {
	n.T.Helper()
	err := n.Server.Do(func() error {
		b, err := os.ReadFile("/proc/thread-self/net/netstat")
		if err != nil {
			return err
		}
		lines := strings.Split(string(b), "\n")
		for i := 0; i+1 < len(lines); i += 2 {
			keys, values := strings.Fields(lines[i]), strings.Fields(lines[i+1])
			for j, key := range keys {
				if key == "IPReversePathFilter" {
					drops, err = strconv.ParseInt(values[j], 10, 64)
					return err
				}
			}
		}
		return errors.New("no IPReversePathFilter")
	})
	if err != nil {
		n.T.Fatal(err)
	}
	return drops
}

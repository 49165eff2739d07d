//go:build linux

package lab_test

import (
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/lab"
)

// echo sends one message from client to host in server, and one back.
func echo(t *testing.T, server, client *lab.NS, network, host string) {
	t.Helper()
	var addr string
	switch network {
	case "tcp":
		ln, err := server.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		addr = ln.Addr().String()
		go func() {
			if c, err := ln.Accept(); err == nil {
				io.Copy(c, c)
				c.Close()
			}
		}()
	case "udp":
		pc, err := server.ListenPacket("udp", net.JoinHostPort(host, "0"))
		if err != nil {
			t.Fatal(err)
		}
		defer pc.Close()
		addr = pc.LocalAddr().String()
		go func() {
			b := make([]byte, 64<<10)
			if n, from, err := pc.ReadFrom(b); err == nil {
				pc.WriteTo(b[:n], from)
			}
		}()
	}
	conn, err := client.Dial(t.Context(), network, "", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	const hello = "hello"
	if _, err := io.WriteString(conn, hello); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, len(hello))
	if _, err := io.ReadFull(conn, b); err != nil || string(b) != hello {
		t.Fatalf("%s %s: got %q, %v", network, addr, b, err)
	}
}

// Sockets are opened in the namespace, also if many are opened concurrently. The kernel
// reports the namespace of each.
func TestSocketNamespace(t *testing.T) {
	a, b := pair(t)
	wantA, wantB := inode(t, a.FD()), inode(t, b.FD())
	check := func(want uint64, c any) {
		raw, err := c.(syscall.Conn).SyscallConn()
		if err != nil {
			t.Error(err)
			return
		}
		raw.Control(func(fd uintptr) {
			if got := netnsOf(t, int(fd)); got != want {
				t.Errorf("%T is in namespace %d, want %d", c, got, want)
			}
		})
	}
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			for _, host := range []string{"10.0.0.2", "2001:db8::2"} {
				ln, err := b.Listen("tcp", net.JoinHostPort(host, "0"))
				if err != nil {
					t.Error(err)
					return
				}
				check(wantB, ln)
				c, err := a.Dial(t.Context(), "tcp", "", ln.Addr().String())
				if err != nil {
					t.Error(err)
					return
				}
				check(wantA, c)
				pc, err := b.ListenPacket("udp", fmt.Sprintf(":%d", 2000+i))
				if err != nil {
					t.Error(err)
					return
				}
				check(wantB, pc)
				pc.Close()
			}
		})
	}
	wg.Wait()
}

func TestDialLocalAddressAndMark(t *testing.T) {
	a, b := pair(t)
	a.Addr("eth0", "10.0.0.11/24")
	ln, err := b.Listen("tcp", "10.0.0.2:80")
	if err != nil {
		t.Fatal(err)
	}
	for laddr, want := range map[string]string{"10.0.0.11": "10.0.0.11", "10.0.0.11:7": "10.0.0.11"} {
		c, err := a.Dial(t.Context(), "tcp", laddr, ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if got := c.LocalAddr().(*net.TCPAddr).IP.String(); got != want {
			t.Errorf("got source %s, want %s", got, want)
		}
	}
	c, err := a.DialWith(t.Context(), net.Dialer{Control: lab.Mark(0x2a)}, "udp", "10.0.0.2:53")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := c.(*net.UDPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		if got, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK); err != nil || got != 0x2a {
			t.Errorf("mark %#x, %v", got, err)
		}
	})
}

// A name would be resolved by goroutines outside the namespace.
func TestNamesAreRefused(t *testing.T) {
	a := lab.Test(t).NS("a")
	if _, err := a.Dial(t.Context(), "tcp", "", "localhost:80"); err == nil {
		t.Error("dialled a name")
	}
	if _, err := a.Dial(t.Context(), "tcp", "localhost", "127.0.0.1:80"); err == nil {
		t.Error("dialled from a name")
	}
	if _, err := a.Listen("tcp", "localhost:80"); err == nil {
		t.Error("listened on a name")
	}
}

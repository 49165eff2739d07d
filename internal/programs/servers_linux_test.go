package programs

import (
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/lab"
)

// serveWildcard answers datagrams from a socket on all addresses, as most servers do.
func serveWildcard(t *testing.T, ns *lab.NS, f family, port int) {
	t.Helper()
	c, err := ns.ListenPacket("udp"+f.version, join("", port))
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		b := make([]byte, 2048)
		for {
			k, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			c.WriteTo(b[:k], from)
		}
	}()
}

// serveTCP answers connections to all addresses.
func serveTCP(t *testing.T, ns *lab.NS, f family, port int) {
	t.Helper()
	l, err := ns.Listen("tcp"+f.version, join("", port))
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				io.Copy(c, c)
			}()
		}
	}()
}

// servePacketInfo answers datagrams from a socket on all addresses, each from the address that
// was asked: with IP_PKTINFO or IPV6_PKTINFO.
func servePacketInfo(t *testing.T, ns *lab.NS, f family, port int) {
	t.Helper()
	c, err := ns.ListenPacket("udp"+f.version, join("", port))
	if err != nil {
		t.Fatal(err)
	}
	u := c.(*net.UDPConn)
	level, option := unix.IPPROTO_IP, unix.IP_PKTINFO
	if f.version == "6" {
		level, option = unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO
	}
	if err := control(u, func(fd int) error { return unix.SetsockoptInt(fd, level, option, 1) }); err != nil {
		t.Fatal(err)
	}
	go func() {
		b, oob := make([]byte, 2048), make([]byte, 512)
		for {
			k, o, _, from, err := u.ReadMsgUDPAddrPort(b, oob)
			if err != nil {
				return
			}
			info, err := packetInfo(oob[:o])
			if err != nil {
				t.Error(err)
				return
			}
			u.WriteMsgUDPAddrPort(b[:k], info, from)
		}
	}()
}

// packetInfo makes the control message of an answer from the one of the question.
func packetInfo(oob []byte) ([]byte, error) {
	all, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	for _, m := range all {
		switch {
		case m.Header.Level == unix.IPPROTO_IP && m.Header.Type == unix.IP_PKTINFO && len(m.Data) >= unix.SizeofInet4Pktinfo:
			// The question has the interface, the local address and the header's
			// destination; an answer has the source in the second.
			var source unix.Inet4Pktinfo
			copy(source.Spec_dst[:], m.Data[8:12])
			return unix.PktInfo4(&source), nil
		case m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_PKTINFO && len(m.Data) >= unix.SizeofInet6Pktinfo:
			var source unix.Inet6Pktinfo
			copy(source.Addr[:], m.Data[:16])
			return unix.PktInfo6(&source), nil
		}
	}
	return nil, unix.ENOMSG
}

func control(c syscall.Conn, do func(fd int) error) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = do(int(fd)) })
	return errors.Join(err, failed)
}

// serveSessions answers each new client from a socket of its own, which it connects to the client
// and keeps. The answers are the numbers of the session and of the question in it.
func serveSessions(t *testing.T, ns *lab.NS, f family, port int) {
	t.Helper()
	reuse := func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) {
			failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
		})
		return errors.Join(err, failed)
	}
	var c net.PacketConn
	err := ns.Do(func() (err error) {
		c, err = (&net.ListenConfig{Control: reuse}).ListenPacket(t.Context(), "udp"+f.version, join("", port))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	go func() {
		b := make([]byte, 2048)
		for session := 1; ; session++ {
			_, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			one, err := ns.DialWith(t.Context(), net.Dialer{LocalAddr: &net.UDPAddr{Port: port}, Control: reuse}, "udp"+f.version, from.String())
			if err != nil {
				t.Error(err)
				return
			}
			go answerSession(one, session)
		}
	}()
}

// answerSession answers the first question, which another socket has received, and those that
// follow.
func answerSession(c net.Conn, session int) {
	b := make([]byte, 2048)
	for k := 1; ; k++ {
		if _, err := fmt.Fprintf(c, "%d %d", session, k); err != nil {
			return
		}
		if _, err := c.Read(b); err != nil {
			return
		}
	}
}

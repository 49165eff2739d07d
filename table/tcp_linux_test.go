package table_test

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
)

// A talk is a TCP connection from the client to the server, which sends back all
// that it gets. Data flow all the time.
type talk struct{ conn net.Conn }

// talk connects to the server.
func (n *network) talk(f family) *talk {
	n.t.Helper()
	l, err := n.server.Listen(f.tcp, net.JoinHostPort(f.a2, "1194"))
	if err != nil {
		n.t.Fatal(err)
	}
	go func() {
		c, err := l.Accept()
		if err == nil {
			io.Copy(c, c)
		}
	}()
	conn, err := n.net.Dial(n.t.Context(), f.tcp, f.client, net.JoinHostPort(f.a2, "1194"))
	if err != nil {
		n.t.Fatal(err)
	}
	return &talk{conn: conn}
}

// say sends a piece of data until something is done, and fails unless each comes
// back.
func (k *talk) say(t *testing.T, do func()) (rounds int) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	for {
		k.round(t, byte(rounds))
		rounds++
		select {
		case <-done:
			k.round(t, byte(rounds)) // one by the new way
			return rounds + 1
		default:
		}
	}
}

func (k *talk) round(t *testing.T, b byte) {
	t.Helper()
	sent, got := bytes.Repeat([]byte{b}, 1000), make([]byte, 1000)
	k.conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := k.conn.Write(sent); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(k.conn, got); err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("the connection is broken: %v", err)
	}
}

// A connection with data flowing outlives Install, Install again, and a move to
// another table, and its answers never leave by the other router from then on.
// The control, routes that go and come back, sends some there.
func TestConnectionSurvives(t *testing.T) {
	forFamilies(t, func(t *testing.T, n *network, f family) {
		n.addLAN()
		a2 := netip.MustParseAddr(f.a2)
		data := func(p lab.Packet) bool { return !p.Out && p.Src.Addr() == a2 && p.Proto == 6 && p.Len > 1000 }
		u := n.full(f)
		k := n.talk(f)
		rounds := k.say(t, func() {})
		if g1, g2 := n.g1.Count(data), n.g2.Count(data); g1 == 0 || g2 > 0 {
			t.Errorf("before Install, %d packets by g1 and %d by g2", g1, g2)
		}
		rounds += k.say(t, func() { n.install(u) })
		n.g1.Reset()
		n.g2.Reset()
		rounds += k.say(t, func() { n.install(u) })
		for range 10 {
			rounds += k.say(t, func() {
				u.Table = 50 - u.Table
				n.install(u)
			})
		}
		if g1, g2 := n.g1.Count(data), n.g2.Count(data); g1 > 0 || g2 == 0 {
			t.Errorf("after Install, %d packets by g1 and %d by g2", g1, g2)
		}
		u.MainFirst, u.Unreachable = false, false
		n.install(u)
		routes, err := route.List(t.Context(), n.c, route.Filter{Table: u.Table})
		if err != nil {
			t.Fatal(err)
		}
		rounds += k.say(t, func() {
			for _, r := range slices.Backward(routes) {
				route.Delete(t.Context(), n.c, r)
			}
			time.Sleep(20 * time.Millisecond)
			n.install(u)
		})
		if n.g1.Count(data) == 0 {
			t.Error("the control does not leak: the test proves nothing")
		}
		t.Logf("%d pieces of data came back", rounds)
	})
}

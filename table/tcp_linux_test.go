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
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// A talk is a TCP connection from the client to the server, which sends back all
// that it gets. Data flow all the time.
type talk struct{ conn net.Conn }

// newTalk connects to the server.
func newTalk(n *tabletest.Network, f tabletest.Family) *talk {
	n.T.Helper()
	l, err := n.Server.Listen(f.TCP, net.JoinHostPort(f.A2, "1194"))
	if err != nil {
		n.T.Fatal(err)
	}
	go func() {
		c, err := l.Accept()
		if err == nil {
			io.Copy(c, c)
		}
	}()
	conn, err := n.Net.Dial(n.T.Context(), f.TCP, f.Client, net.JoinHostPort(f.A2, "1194"))
	if err != nil {
		n.T.Fatal(err)
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
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		n.AddLAN()
		a2 := netip.MustParseAddr(f.A2)
		data := func(p lab.Packet) bool { return !p.Out && p.Src.Addr() == a2 && p.Proto == 6 && p.Len > 1000 }
		u := n.FullUplink(f)
		k := newTalk(n, f)
		rounds := k.say(t, func() {})
		if g1, g2 := n.G1.Count(data), n.G2.Count(data); g1 == 0 || g2 > 0 {
			t.Errorf("before Install, %d packets by g1 and %d by g2", g1, g2)
		}
		rounds += k.say(t, func() { n.Install(u) })
		n.G1.Reset()
		n.G2.Reset()
		rounds += k.say(t, func() { n.Install(u) })
		for range 10 {
			rounds += k.say(t, func() {
				u.Table = 50 - u.Table
				n.Install(u)
			})
		}
		if g1, g2 := n.G1.Count(data), n.G2.Count(data); g1 > 0 || g2 == 0 {
			t.Errorf("after Install, %d packets by g1 and %d by g2", g1, g2)
		}
		u.MainFirst, u.Unreachable = false, false
		n.Install(u)
		routes, err := route.List(t.Context(), n.Conn, route.Filter{Table: u.Table})
		if err != nil {
			t.Fatal(err)
		}
		rounds += k.say(t, func() {
			for _, r := range slices.Backward(routes) {
				route.Delete(t.Context(), n.Conn, r)
			}
			time.Sleep(20 * time.Millisecond)
			n.Install(u)
		})
		if n.G1.Count(data) == 0 {
			t.Error("the control does not leak: the test proves nothing")
		}
		t.Logf("%d pieces of data came back", rounds)
	})
}

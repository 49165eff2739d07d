//go:build linux

package lab_test

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/internal/testrun"
)

// A packet is recorded at both ends when its send has returned.
func TestTapCounts(t *testing.T) {
	a, b := pair(t)
	for _, host := range []string{"10.0.0.2", "2001:db8::2"} {
		near, far := a.Tap("eth0"), b.Tap("eth0")
		pc, err := b.ListenPacket("udp", net.JoinHostPort(host, "53"))
		if err != nil {
			t.Fatal(err)
		}
		defer pc.Close()
		conn, err := a.Dial(t.Context(), "udp", "", pc.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte("resolve the neighbour")); err != nil {
			t.Fatal(err)
		}
		if _, _, err := pc.ReadFrom(make([]byte, 64)); err != nil {
			t.Fatal(err)
		}
		src := conn.LocalAddr().(*net.UDPAddr).AddrPort()
		match := func(p lab.Packet) bool { return p.Src == src && p.Proto == 17 }
		near.Reset()
		far.Reset()
		for i := range 500 {
			if _, err := conn.Write([]byte("hello")); err != nil {
				t.Fatal(err)
			}
			if n, f := near.Count(match), far.Count(match); n != i+1 || f != i+1 {
				t.Fatalf("%s: after %d packets the taps have %d and %d", host, i+1, n, f)
			}
		}
		for _, p := range near.Packets() {
			if match(p) && (!p.Out || p.Dst.Port() != 53 || time.Since(p.Time).Abs() > time.Minute) {
				t.Fatalf("got %v at %v", p, p.Time)
			}
		}
	}
}

func TestTapTCP(t *testing.T) {
	a, b := pair(t)
	tap := b.Tap("eth0")
	echo(t, b, a, "tcp", "10.0.0.2")
	const syn, ack, fin = 0x02, 0x10, 0x01
	flags := func(out bool, f uint8) func(lab.Packet) bool {
		return func(p lab.Packet) bool { return p.Proto == 6 && p.Out == out && p.TCPFlags == f }
	}
	if got := tap.Count(flags(false, syn)); got != 1 {
		t.Errorf("%d SYN in", got)
	}
	if got := tap.Count(flags(true, syn|ack)); got != 1 {
		t.Errorf("%d SYN ACK out", got)
	}
	if got := tap.Wait(1, flags(false, fin|ack), 10*time.Second); got != 1 {
		t.Errorf("%d FIN in", got)
	}
	if got := tap.Wait(1, flags(false, 0xff), 20*time.Millisecond); got != 0 {
		t.Errorf("waited for nothing and got %d", got)
	}
}

// A tap continues when its link goes down and up again.
func TestTapOutlivesTheLink(t *testing.T) {
	a, b := pair(t)
	tap := a.Tap("eth0")
	for range 3 {
		echo(t, b, a, "tcp", "10.0.0.2")
		a.Down("eth0")
		a.Up("eth0")
	}
	a.DeleteLink("eth0")
	syn := func(p lab.Packet) bool { return p.TCPFlags == 0x02 }
	if got := tap.Count(syn); got != 3 {
		t.Errorf("%d connections", got)
	}
}

// A tap records packets of the kernel, in their order.
func TestTapProtocols(t *testing.T) {
	a, _ := pair(t)
	for _, tt := range []struct {
		host string
		want []string
	}{
		{"10.0.0.2", []string{
			"out arp 1 10.0.0.1 > 10.0.0.2",
			"in  arp 2 10.0.0.2 > 10.0.0.1",
			"out 10.0.0.1:1000 > 10.0.0.2:9 udp length 1500",
			"out 10.0.0.1 > 10.0.0.2 udp length 548",
			"in  10.0.0.2 > 10.0.0.1 icmp 3/3 length 576",
		}},
		{"2001:db8::2", []string{
			"out 2001:db8::1 > ff02::1:ff00:2 icmp6 135/0 length 72",
			"in  2001:db8::2 > 2001:db8::1 icmp6 136/0 length 72",
			"out [2001:db8::1]:1000 > [2001:db8::2]:9 udp length 1496",
			"out 2001:db8::1 > 2001:db8::2 udp length 608",
			"in  2001:db8::2 > 2001:db8::1 icmp6 1/4 length 1280",
		}},
	} {
		tap := a.Tap("eth0")
		conn, err := a.Dial(t.Context(), "udp", ":1000", net.JoinHostPort(tt.host, "9"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(make([]byte, 2000)); err != nil {
			t.Fatal(err)
		}
		unreachable := func(p lab.Packet) bool { return p.Proto == 1 || p.Proto == 58 && p.Type == 1 }
		tap.Wait(1, unreachable, 10*time.Second)
		conn.Close()
		var got []string
		for _, p := range tap.Packets() {
			if p.Proto == 58 && p.Type == 143 || p.Dst.Addr().IsLinkLocalUnicast() {
				continue // a multicast report, a neighbour being probed again
			}
			got = append(got, p.String())
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("got\n%q\nwant\n%q", got, tt.want)
		}
	}
}

// A tap records each of two hundred thousand packets, with -full half a million, that two
// threads send at full speed.
func TestTapFlood(t *testing.T) {
	// A round fits into the ring, even if the machine has no time for the goroutine
	// that empties it. All rounds together are several times the size of the ring.
	const senders, each = 2, 20_000
	rounds := testrun.Times(12, 5)
	a, b := pair(t)
	near, far := a.Tap("eth0"), b.Tap("eth0")
	// Nobody reads the socket: the kernel drops what does not fit, after the tap.
	if _, err := b.ListenPacket("udp", "10.0.0.2:9"); err != nil {
		t.Fatal(err)
	}
	to := netip.MustParseAddrPort("10.0.0.2:9")
	match := func(p lab.Packet) bool { return p.Dst == to && p.Proto == 17 }
	before := backlogDrops(t)
	var took time.Duration
	for round := range rounds {
		start := time.Now()
		var wg sync.WaitGroup
		for range senders {
			conn, err := a.Dial(t.Context(), "udp", "", "10.0.0.2:9")
			if err != nil {
				t.Fatal(err)
			}
			wg.Go(func() {
				for range each {
					if _, err := conn.Write([]byte("hello")); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		took += time.Since(start)
		sent := (round + 1) * senders * each
		if got := near.Count(match); got != sent {
			t.Errorf("near end: %d of %d", got, sent)
		}
		// Packets that the kernel dropped on the way never arrived.
		dropped := backlogDrops(t) - before
		if got := far.Count(match); got > sent || got < sent-dropped {
			t.Errorf("far end: %d of %d, the kernel dropped %d", got, sent, dropped)
		}
	}
	t.Logf("%.0f packets a second; the kernel dropped %d", float64(rounds*senders*each)/took.Seconds(), backlogDrops(t)-before)
}

// backlogDrops returns how many packets found a CPU's backlog full.
func backlogDrops(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/net/softnet_stat")
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for line := range strings.Lines(string(b)) {
		n, err := strconv.ParseInt(strings.Fields(line)[1], 16, 0)
		if err != nil {
			t.Fatal(err)
		}
		sum += int(n)
	}
	return sum
}

// A tap on all interfaces records those that are made later, and Take empties it.
func TestTapAll(t *testing.T) {
	a, b := pair(t)
	tap := b.TapAll()
	send := func(to string) {
		conn, err := a.Dial(t.Context(), "udp", "", to)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
	}
	to := func(port uint16) func(lab.Packet) bool {
		return func(p lab.Packet) bool { return p.Proto == 17 && p.Dst.Port() == port }
	}
	send("10.0.0.2:1001")
	a.Link("eth1", b, "eth1")
	a.Addr("eth1", "10.0.1.1/24")
	b.Addr("eth1", "10.0.1.2/24")
	send("10.0.1.2:1002")
	if first, later := tap.Wait(1, to(1001), 10*time.Second), tap.Wait(1, to(1002), 10*time.Second); first != 1 || later != 1 {
		t.Fatalf("%d packets of the first interface, %d of the later one, want 1 of each", first, later)
	}
	taken := 0
	for _, p := range tap.Take() {
		if to(1001)(p) || to(1002)(p) {
			taken++
		}
	}
	if left := tap.Count(to(1001)) + tap.Count(to(1002)); taken != 2 || left != 0 {
		t.Errorf("took %d packets, and %d were left", taken, left)
	}
}

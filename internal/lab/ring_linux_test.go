package lab

import (
	"strings"
	"testing"
)

// A tap that is not emptied loses packets, and then counting fails.
func TestTapOverflow(t *testing.T) {
	l := New()
	defer l.Close()
	ns := l.NS("a")
	tap := ns.Tap("lo")
	conn, err := ns.Dial(t.Context(), "udp", "127.0.0.1:9", "127.0.0.1:9") // a socket that sends to itself gets no ICMP errors
	if err != nil {
		t.Fatal(err)
	}
	const sent, seen = frameCount/2 + 1000, 2 // each packet is recorded out and in
	tap.mu.Lock()
	for range sent {
		if _, err := conn.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
	}
	if err := flushBacklogs(); err != nil {
		t.Fatal(err)
	}
	tap.mu.Unlock()

	if got, want := tap.Drops(), uint64(seen*sent-frameCount); got != want {
		t.Errorf("%d drops, want %d", got, want)
	}
	if got := tap.Count(nil); got != frameCount {
		t.Errorf("counted %d, the ring holds %d", got, frameCount)
	}
	if err := l.Err(); err == nil || !strings.Contains(err.Error(), "packets lost") {
		t.Errorf("counted in spite of a loss: %v", err)
	}
	tap.Reset()
	if got := tap.Drops() + uint64(tap.Count(nil)); got != 0 {
		t.Errorf("%d packets or drops after a reset", got)
	}
}

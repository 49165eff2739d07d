package rtnl

import (
	"bytes"
	"errors"
	"testing"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/testrun"
)

// FuzzDatagram reads any bytes as a datagram of the kernel's: no panic, no
// message beyond its end, and the same bytes when written again.
func FuzzDatagram(f *testing.F) {
	for _, golden := range []string{
		goldenBackward, goldenBackwardUncapped, goldenShort, goldenMissing, goldenMissingUncapped,
		goldenExists, goldenAck, goldenNoTable, goldenNoFamily, goldenDone, goldenAck + " " + goldenShort,
	} {
		f.Add(recorded(f, golden))
	}
	var seeds testrun.Seeds
	f.Fuzz(func(t *testing.T, b []byte) {
		seeds.Next(t)
		for len(b) > 0 {
			m, rest, err := nextMessage(b)
			if err != nil {
				return
			}
			n := len(b) - len(rest)
			if len(rest) >= len(b) || int(m.Header.Length) > n || headerLen+len(m.Data) != int(m.Header.Length) {
				t.Fatalf("%d bytes taken of %d, for a message of %d with %d of data",
					n, len(b), m.Header.Length, len(m.Data))
			}
			again := appendMessage(nil, m, m.Header.Sequence, m.Header.PID)
			if got, want := again[:m.Header.Length], b[:m.Header.Length]; !bytes.Equal(got, want) {
				t.Fatalf("read and written:\ngot  %x\nwant %x", got, want)
			}
			checkVerdict(t, m)
			b = rest
		}
	})
}

func checkVerdict(t *testing.T, m netlink.Message) {
	err := verdict(m)
	if err == nil {
		return
	}
	var op *netlink.OpError
	if !errors.As(err, &op) || op.Err == nil || op.Sequence != m.Header.Sequence {
		t.Fatalf("not a refusal: %#v", err)
	}
	if len(op.Message) > len(m.Data) {
		t.Fatalf("a message of %d bytes in %d", len(op.Message), len(m.Data))
	}
	_ = AttrAt(err, m.Data, 12, func(uint16) string { return "x" })
	_ = (&Error{Package: "rule", Verb: "add", Err: err}).Error()
}

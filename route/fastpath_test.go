package route

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/uapi"
)

// checkFast reads a message with and without what is there for the usual
// attributes, and writes what comes of it in both ways.
func checkFast(t *testing.T, b []byte) (ok bool) {
	t.Helper()
	if len(b) < uapi.SizeofRtMsg {
		return false
	}
	var fast, slow Route
	err := fast.read(b)
	dstLen, srcLen := slow.readHeader(b)
	want := slow.readRest(b[uapi.SizeofRtMsg:], dstLen, srcLen)
	if fmt.Sprint(err) != fmt.Sprint(want) {
		t.Fatalf("%x: error %v, the codec's is %v", b, err, want)
	}
	if err != nil {
		return false
	}
	if !(fast.Equal(slow)) {
		t.Fatalf("%x:\n got %+v\nwant %+v", b, fast, slow)
	}
	got, err := fast.append(nil)
	written, want := slow.appendAny(nil)
	if !bytes.Equal(got, written) || fmt.Sprint(err) != fmt.Sprint(want) {
		t.Fatalf("%x:\n writes %x, %v\nwant    %x, %v", b, got, err, written, want)
	}
	return true
}

// Random messages of usual and other attributes, in any order, repeated, too
// long, too short and cut off.
func TestUsual(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	pick := func(from ...int) int { return from[rnd.IntN(len(from))] }
	nums := []uapi.RTA{
		uapi.RTA_DST, uapi.RTA_OIF, uapi.RTA_GATEWAY, uapi.RTA_PRIORITY, uapi.RTA_PREFSRC, uapi.RTA_TABLE, uapi.RTA_CACHEINFO, uapi.RTA_PREF, uapi.RTA_SRC,
		uapi.RTA_UID, 99,
	}
	read := 0
	for range 200_000 {
		b := make([]byte, uapi.SizeofRtMsg)
		for i := range b {
			b[i] = byte(pick(0, 0, 1, 2, 24, 32, 64, 255))
		}
		b[0] = byte(pick(uapi.AF_INET, uapi.AF_INET, uapi.AF_INET6, uapi.AF_INET6, uapi.AF_MPLS, 0))
		size := 4
		if b[0] == uapi.AF_INET6 {
			size = 16
		}
		for range rnd.IntN(5) {
			p := make([]byte, pick(1, 4, 4, size, size, size, size, 32, rnd.IntN(20)))
			for i := range p {
				p[i] = byte(pick(0, 0, 1, 10, 255))
			}
			b = attr.Append(b, uint16(nums[rnd.IntN(len(nums))]), p)
		}
		if rnd.IntN(10) == 0 {
			b = b[:len(b)-min(rnd.IntN(8), len(b)-uapi.SizeofRtMsg)]
		}
		if checkFast(t, b) {
			read++
		}
	}
	if read < 50_000 {
		t.Errorf("only %d messages could be read", read)
	}
}

package attr

import (
	"bytes"
	"testing"

	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
)

func TestAppendAttribute(t *testing.T) {
	report := testrun.Limit(t)
	for payload, want := range map[string]string{
		"":     "=ff 0400 0180",
		"a":    "=ff 0500 0180 =61 =000000",
		"abc":  "=ff 0700 0180 =616263 =00",
		"abcd": "=ff 0800 0180 =61626364",
	} {
		if got, want := Append([]byte{0xff}, 0x8001, []byte(payload)), recorded(t, want); !bytes.Equal(got, want) {
			report.Errorf("Append(%q): got %x, want %x", payload, got, want)
		}
	}
	got := AppendU32([]byte{0xff}, uapi.FRA_TABLE, 0x01020304)
	if want := recorded(t, "=ff 0800 0f00 04030201"); !bytes.Equal(got, want) {
		report.Errorf("AppendU32: got %x, want %x", got, want)
	}
}

// next hands out slices that end where their attribute does, so that an append
// to one cannot write over the next.
func TestNext(t *testing.T) {
	b := recorded(t, "0500 0180 =61 =000000 0800 0f00 04030201")
	num, payload, whole, rest, ok := next(b)
	if !ok || num != 0x8001 || string(payload) != "a" || !bytes.Equal(whole, b[:8]) || !bytes.Equal(rest, b[8:]) {
		t.Fatalf("got %#x, %x, %x, %x, %t", num, payload, whole, rest, ok)
	}
	if cap(payload) != 1 || cap(whole) != 8 {
		t.Errorf("room behind the payload %d, behind the attribute %d, want none", cap(payload)-1, cap(whole)-8)
	}
}

func TestAt(t *testing.T) {
	report := testrun.Limit(t)
	b := recorded(t, "0800 0600 01000000 0900 0f80 =0102030405 =000000 0500 1600 =06")
	for off, want := range map[int]int{
		-1: -1, 0: 6, 7: 6, 8: 15, 12: 15, 19: 15, 20: 22, 24: 22, 25: -1, 1 << 30: -1,
	} {
		num, ok := At(b, off)
		if ok != (want >= 0) || ok && int(num) != want {
			report.Errorf("At(%d): got %d, %t, want %d", off, num, ok, want)
		}
	}
	for _, damaged := range []string{"", "=08", "0300 0600 01000000", "0900 0600 01000000", "0000 0600"} {
		if num, ok := At(recorded(t, damaged), 0); ok {
			report.Errorf("At in %q: got %d", damaged, num)
		}
	}
}

func TestAll(t *testing.T) {
	report := testrun.Limit(t)
	raw := string(recorded(t, "0800 0680 01000000 0500 0f00 =07 =000000 0400 1600 0300 0100"))
	var nums []uint16
	for num, p := range All(raw) {
		nums = append(nums, num)
		for i := range p {
			p[i] = 0xff // the payloads are the caller's
		}
	}
	if len(nums) != 3 || nums[0] != 0x8006 || nums[1] != 15 || nums[2] != 22 {
		report.Errorf("All: got %#x, want 0x8006, 0xf and 0x16", nums)
	}
	for num := range All(raw) {
		if num != 0x8006 {
			report.Errorf("All goes on after its loop was left: %#x", num)
		}
		break
	}
	for num := range All("") {
		report.Errorf("All of nothing: %#x", num)
	}
}

func TestFirst(t *testing.T) {
	report := testrun.Limit(t)
	raw := string(Append(Append(Append(nil, 5, []byte{1}), 7|nestedFlag, []byte{2, 3}), 5, []byte{4}))
	for num, want := range map[uint16]string{5: "\x01", 7: "\x02\x03"} {
		if got, ok := First(raw, num); !ok || string(got) != want {
			report.Errorf("%d: %x, %v, want %x", num, got, ok, want)
		}
	}
	if got, ok := First(raw, 6); ok || got != nil {
		report.Errorf("6: %x, %v", got, ok)
	}
	if _, ok := First(raw[:3], 5); ok {
		report.Error("found in what is no attribute")
	}
}

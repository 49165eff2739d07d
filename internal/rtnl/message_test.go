package rtnl

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"math"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/testrun"
)

// recorded turns what a little-endian machine received into what this machine
// would have. Words of 4 and of 8 digits are numbers in host byte order, a word
// after = is bytes in any order.
func recorded(t testing.TB, s string) []byte {
	t.Helper()
	var out []byte
	for _, word := range strings.Fields(s) {
		digits, plain := strings.CutPrefix(word, "=")
		b, err := hex.DecodeString(digits)
		if err != nil || !plain && len(b) != 2 && len(b) != 4 {
			t.Fatalf("bad word %q in a recording: %v", word, err)
		}
		if !plain && binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
			slices.Reverse(b)
		}
		out = append(out, b...)
	}
	return out
}

// The kernel's replies to one request each, on Linux 6.18, from a socket with
// NETLINK_EXT_ACK. All but those called uncapped have NETLINK_CAP_ACK as well.
// The sequence number was 7; the port is set to 0.
const (
	// ip rule add goto 10 pref 10
	goldenBackward = "44000000 0200 0003 07000000 00000000 eaffffff" +
		" 2c000000 2000 0506 07000000 00000000" + // the request's header
		" 2000 0100 =4261636b7761726420676f746f206e6f7420737570706f7274656400"
	goldenBackwardUncapped = "60000000 0200 0002 07000000 00000000 eaffffff" +
		" 2c000000 2000 0506 07000000 00000000" +
		" =02000000 =0a000002 00000000 0800 0600 0a000000 0800 0400 0a000000" + // the rest of the request
		" 2000 0100 =4261636b7761726420676f746f206e6f7420737570706f7274656400"
	// A rule with a priority, and a source of 2 bytes: the message, the offset
	// of the attribute, and what would have been right.
	goldenShort = "68000000 0200 0003 07000000 00000000 deffffff" +
		" 2c000000 2000 0506 07000000 00000000" +
		" 1600 0100 =4572726f722070617273696e67206d7367000000" +
		" 0800 0200 24000000" +
		" 2400 0480 0c00 0400 00000000 00000000 0c00 0500 ffffffff 00000000 0800 0100 04000000"
	// Delete a rule that is not there.
	goldenMissing         = "24000000 0200 0001 07000000 00000000 feffffff 24000000 2100 0500 07000000 00000000"
	goldenMissingUncapped = "38000000 0200 0000 07000000 00000000 feffffff 24000000 2100 0500 07000000 00000000" +
		" =02000000 =0a000001 00000000 0800 0600 67120000"
	// Add a rule that is there.
	goldenExists = "24000000 0200 0001 07000000 00000000 efffffff 24000000 2000 0506 07000000 00000000"
	goldenAck    = "24000000 0200 0001 07000000 00000000 00000000 24000000 2000 0506 07000000 00000000"
	// Dump the IPv4 routes of a table that is not there.
	goldenNoTable = "38000000 0300 2202 07000000 00000000 feffffff" +
		" 2300 0100 =697076343a20464942207461626c6520646f6573206e6f742065786973740000"
	// Dump the rules of a family without rules.
	goldenNoFamily = "14000000 0300 0200 07000000 00000000 9fffffff"
	// The end of a dump.
	goldenDone = "14000000 0300 2200 07000000 00000000 00000000"
)

func TestVerdict(t *testing.T) {
	tests := []struct {
		name   string
		golden string
		errno  syscall.Errno // 0: no error
		msg    string
		offset int
	}{
		{name: "acknowledgement", golden: goldenAck},
		{name: "end of a dump", golden: goldenDone},
		{name: "with a message", golden: goldenBackward, errno: 22, msg: "Backward goto not supported"},
		{name: "with a message, uncapped", golden: goldenBackwardUncapped, errno: 22, msg: "Backward goto not supported"},
		{name: "with a message and an offset", golden: goldenShort, errno: 34, msg: "Error parsing msg", offset: 36},
		{name: "without a message", golden: goldenMissing, errno: 2},
		{name: "without a message, uncapped", golden: goldenMissingUncapped, errno: 2},
		{name: "exists", golden: goldenExists, errno: 17},
		{name: "dump with a message", golden: goldenNoTable, errno: 2, msg: "ipv4: FIB table does not exist"},
		{name: "dump without a message", golden: goldenNoFamily, errno: 97},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, rest, err := nextMessage(recorded(t, tt.golden))
			if err != nil || len(rest) != 0 {
				t.Fatalf("nextMessage: %d bytes left, error %v", len(rest), err)
			}
			var want error
			if tt.errno != 0 {
				want = &netlink.OpError{Op: "receive", Err: tt.errno, Message: tt.msg, Offset: tt.offset, Sequence: 7}
			}
			if got := verdict(m); !reflect.DeepEqual(got, want) {
				t.Errorf("verdict:\ngot  %#v\nwant %#v", got, want)
			}
		})
	}
}

// The kernel sends none of these. They are read as far as they make sense.
func TestVerdictDamaged(t *testing.T) {
	refused := func(flags netlink.HeaderFlags, data string) netlink.Message {
		return netlink.Message{
			Header: netlink.Header{Type: netlink.Error, Flags: flags | netlink.AcknowledgeTLVs},
			Data:   recorded(t, "eaffffff "+data),
		}
	}
	const header = "2c000000 2000 0506 07000000 00000000"
	tests := []struct {
		name string
		m    netlink.Message
		want *netlink.OpError
	}{
		{"no error number", netlink.Message{Header: netlink.Header{Type: netlink.Error}, Data: []byte{1, 2, 3}},
			&netlink.OpError{Op: "receive", Err: io.ErrUnexpectedEOF}},
		{"no request", refused(0, ""), &netlink.OpError{Op: "receive", Err: syscall.EINVAL}},
		{"request cut off", refused(0, header), &netlink.OpError{Op: "receive", Err: syscall.EINVAL}},
		{"request of endless length", refused(0, "ffffffff 2000 0506 07000000 00000000"),
			&netlink.OpError{Op: "receive", Err: syscall.EINVAL}},
		{"attribute cut off", refused(netlink.Capped, header+" 0900 0100 =41414141"),
			&netlink.OpError{Op: "receive", Err: syscall.EINVAL}},
		{"attribute without a length", refused(netlink.Capped, header+" 0300 0100 =41414141"),
			&netlink.OpError{Op: "receive", Err: syscall.EINVAL}},
		{"offset too short, then a message", refused(netlink.Capped, header+" 0600 0200 =24000000 0600 0100 =4100"),
			&netlink.OpError{Op: "receive", Err: syscall.EINVAL, Message: "A"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := verdict(tt.m); !reflect.DeepEqual(got, error(tt.want)) {
				t.Errorf("verdict:\ngot  %#v\nwant %#v", got, tt.want)
			}
		})
	}
	if err := verdict(netlink.Message{Header: netlink.Header{Type: netlink.Done}}); err != nil {
		t.Errorf("the end of a dump without a status: got %v, want nil", err)
	}
	positive := refused(netlink.Capped, "")
	binary.NativeEndian.PutUint32(positive.Data, math.MaxInt32)
	if err := verdict(positive); err != nil {
		t.Errorf("a positive number is no error number: got %v", err)
	}
}

func TestAppendMessage(t *testing.T) {
	m := netlink.Message{
		Header: netlink.Header{Type: 32, Flags: netlink.Request | netlink.Acknowledge, Length: 99, Sequence: 98, PID: 97},
		Data:   []byte{1, 2, 3, 4, 5},
	}
	got := appendMessage([]byte{0xff}, m, 0x01020304, 0x05060708)
	want := recorded(t, "=ff 15000000 2000 0500 04030201 08070605 =0102030405000000")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("appendMessage (-want +got):\n%s", diff)
	}
}

func TestNextMessage(t *testing.T) {
	const first, second = "15000000 1800 0200 04030201 08070605 =0102030405", "10000000 0300 0200 05030201 08070605"
	b := recorded(t, first+" =000000 "+second)
	m, rest, err := nextMessage(b)
	want := netlink.Message{
		Header: netlink.Header{Length: 21, Type: 24, Flags: netlink.Multi, Sequence: 0x01020304, PID: 0x05060708},
		Data:   []byte{1, 2, 3, 4, 5},
	}
	if err != nil || !cmp.Equal(want, m) {
		t.Fatalf("first message: error %v, (-want +got):\n%s", err, cmp.Diff(want, m))
	}
	if cap(m.Data) != len(m.Data) {
		t.Errorf("Data has %d bytes beyond its end: an append would write over the next message", cap(m.Data)-len(m.Data))
	}
	m, rest, err = nextMessage(rest)
	if err != nil || m.Header.Sequence != 0x01020305 || len(m.Data) != 0 || len(rest) != 0 {
		t.Errorf("second message: %+v, %d bytes left, error %v", m, len(rest), err)
	}
	// The last message of a datagram may lack its padding.
	if m, rest, err = nextMessage(recorded(t, first)); err != nil || len(m.Data) != 5 || len(rest) != 0 {
		t.Errorf("without padding: %+v, %d bytes left, error %v", m, len(rest), err)
	}
}

func TestNextMessageDamaged(t *testing.T) {
	report := testrun.Limit(t)
	for name, golden := range map[string]string{
		"nothing":           "",
		"header cut off":    "10000000 0300 0200 00000000 =000000",
		"too short for all": "0f000000 0300 0200 00000000 00000000",
		"longer than all":   "11000000 0300 0200 00000000 00000000",
		"negative":          "ffffffff 0300 0200 00000000 00000000",
	} {
		if m, rest, err := nextMessage(recorded(t, golden)); !errors.Is(err, errDatagram) {
			report.Errorf("%s: got %+v, %d bytes left, error %v", name, m, len(rest), err)
		}
	}
}

// errors.Is and errors.As are a contract: callers depend on them.
func TestErrorContract(t *testing.T) {
	report := testrun.Limit(t)
	sentinels := []error{fs.ErrExist, fs.ErrNotExist, fs.ErrPermission}
	tests := []struct {
		errno syscall.Errno
		is    error
	}{
		{syscall.EEXIST, fs.ErrExist},
		{syscall.ENOENT, fs.ErrNotExist},
		{syscall.ESRCH, fs.ErrNotExist},
		{syscall.EPERM, fs.ErrPermission},
		{syscall.EACCES, fs.ErrPermission},
		{syscall.EINVAL, nil},
	}
	for _, tt := range tests {
		op := &netlink.OpError{Op: "receive", Err: tt.errno, Message: "words", Offset: 36}
		err := error(&Error{Package: "rule", Verb: "add", Err: op})
		for _, s := range sentinels {
			if got, want := errors.Is(err, s), s == tt.is; got != want {
				report.Errorf("%v: errors.Is(err, %q) is %t, want %t", tt.errno, s, got, want)
			}
		}
		if !errors.Is(err, tt.errno) {
			report.Errorf("%v: errors.Is does not find the number itself", tt.errno)
		}
		var got *netlink.OpError
		if !errors.As(err, &got) || got != op {
			report.Errorf("%v: errors.As finds %v, want the kernel's answer", tt.errno, got)
		}
	}
}

package conntrack

import (
	"bytes"
	_ "embed"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
)

// entries are messages of the kernel. The file says how they were recorded.
//
//go:embed testdata/entries.txt
var entries string

// A recording is a message and the text of conntrack(8) for it.
type recording struct {
	text    string
	payload []byte // with the header, as this machine would have it
}

func recordings(t testing.TB) (all []recording, deletion []byte) {
	t.Helper()
	text := ""
	for line := range strings.Lines(entries) {
		line = strings.TrimSpace(line)
		if line[0] == '#' {
			continue
		}
		digits, isMessage := strings.CutPrefix(line, "> ")
		tuple, isDeletion := strings.CutPrefix(line, "delete ")
		if !isMessage && !isDeletion {
			text = line
			continue
		}
		if isDeletion {
			digits = tuple
		}
		b, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		if isDeletion {
			native(b)
			return all, b
		}
		native(b[uapi.SizeofNfgenmsg:])
		all = append(all, recording{text, b})
	}
	t.Fatal("the recordings have no deletion")
	return nil, nil
}

// native turns the headers of attributes from a little-endian machine into those of this
// one.
func native(b []byte) {
	for len(b) >= 4 {
		n, typ := binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint16(b[2:])
		binary.NativeEndian.PutUint16(b, n)
		binary.NativeEndian.PutUint16(b[2:], typ)
		if typ&uapi.NLA_F_NESTED != 0 {
			native(b[4:n])
		}
		b = b[min(int(n+3)&^3, len(b)):]
	}
}

// describe returns what the text of conntrack(8) says of an entry.
func describe(e *Entry) string {
	s := fmt.Sprintf("%d %d", e.Original.Proto, e.Timeout)
	for _, t := range []Tuple{e.Original, e.Reply} {
		s += fmt.Sprintf(" src=%s dst=%s", t.Source, t.Dest)
		if hasPorts(t.Proto) {
			s += fmt.Sprintf(" sport=%d dport=%d", t.SourcePort, t.DestPort)
		} else {
			s += fmt.Sprintf(" type=%d code=%d id=%d", t.ICMP.Type, t.ICMP.Code, t.ICMP.ID)
		}
	}
	return s + fmt.Sprintf(" mark=%d id=%d", e.Mark, e.ID)
}

// words returns those of a line of conntrack(8) that describe has.
func words(text string) string {
	f := strings.Fields(text)
	kept := []string{f[3]} // the number of the protocol
	for _, w := range f[4:] {
		switch {
		case w == "CLOSE" || w == "[ASSURED]" || strings.HasPrefix(w, "use="):
		default:
			kept = append(kept, w)
		}
	}
	return strings.Join(kept, " ")
}

// TestGolden decodes what the kernel has sent, and encodes the same attributes.
func TestGolden(t *testing.T) {
	report := testrun.Limit(t)
	all, deletionTuple := recordings(t)
	if len(all) != 4 {
		t.Fatalf("%d recordings", len(all))
	}
	for _, r := range all {
		e, err := decode(netlink.Message{Data: r.payload})
		if err != nil {
			report.Errorf("%s: %v", r.text, err)
			continue
		}
		// The timeout runs while the text is made and the message is recorded.
		got, want := strings.Fields(describe(&e)), strings.Fields(words(r.text))
		if got[1] = want[1]; !slices.Equal(got, want) {
			report.Errorf("got  %s\nwant %s", got, want)
		}
		if wantFamily := map[string]Family{"ipv4": IPv4, "ipv6": IPv6}[strings.Fields(r.text)[0]]; e.Family != wantFamily {
			report.Errorf("family %d, want %d", e.Family, wantFamily)
		}
		if assured := e.Status&Assured != 0; assured != strings.Contains(r.text, "[ASSURED]") {
			report.Errorf("%s: status %#x", r.text, e.Status)
		}
		if translated := e.Status&SourceTranslated != 0; translated != (e.Reply.Dest != e.Original.Source) {
			report.Errorf("%s: status %#x", r.text, e.Status)
		}
		b, err := entryCodec.Append(nil, &e)
		if err != nil || !slices.Equal(sorted(b), sorted(r.payload[uapi.SizeofNfgenmsg:])) {
			report.Errorf("%s: encoded %x, %v\nwant %x", r.text, b, err, r.payload[uapi.SizeofNfgenmsg:])
		}
	}
	udp, err := decode(netlink.Message{Data: all[0].payload})
	if err != nil {
		t.Fatal(err)
	}
	req, err := deletion(&udp)
	if err != nil {
		t.Fatal(err)
	}
	tuple, _ := attr.First(req.Data[uapi.SizeofNfgenmsg:], uapi.CTA_TUPLE_ORIG)
	if !bytes.Equal(tuple, deletionTuple) || req.Header.Type != 0x102 || req.Data[0] != uint8(IPv4) {
		t.Errorf("deletion %+v %x, want the tuple %x", req.Header, req.Data, deletionTuple)
	}
}

// sorted returns attributes in the order of their types. The kernel sends them in an order
// of its own.
func sorted(b []byte) (all []string) {
	for num, p := range attr.All(b) {
		all = append(all, fmt.Sprintf("%04x %x", num, p))
	}
	slices.Sort(all)
	return all
}

// What cannot be sent is an error.
func TestDeletionErrors(t *testing.T) {
	v4, v6 := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fe80::1")
	for _, tuple := range []Tuple{
		{},
		{Source: v4, Dest: v4},
		{Source: v4, Proto: 17},
		{Dest: v4, Proto: 17},
		{Source: v4, Dest: v6, Proto: 17},
		{Source: v6.WithZone("eth0"), Dest: v6, Proto: 17},
	} {
		if req, err := deletion(&Entry{Original: tuple}); err == nil {
			t.Errorf("%+v makes the request %x", tuple, req.Data)
		}
	}
}

// FuzzDecode reads any bytes as a message. What can be read is not lost when it is written
// and read again.
func FuzzDecode(f *testing.F) {
	all, _ := recordings(f)
	for _, r := range all {
		f.Add(r.payload)
	}
	var seeds testrun.Seeds
	f.Fuzz(func(t *testing.T, b []byte) {
		seeds.Next(t)
		e, err := decode(netlink.Message{Data: b})
		if err != nil {
			return
		}
		_ = e.String() + e.Reply.String()
		written, err := entryCodec.Append(nil, &e)
		if err != nil {
			return // addresses of two families
		}
		again, err := decode(netlink.Message{Data: append(slices.Clone(b[:uapi.SizeofNfgenmsg]), written...)})
		if err != nil {
			t.Fatalf("%+v is written as %x: %v", e, written, err)
		}
		// Ports of a protocol that has none are not written.
		for _, tuple := range []*Tuple{&e.Original, &e.Reply, &again.Original, &again.Reply} {
			tuple.SourcePort, tuple.DestPort, tuple.ICMP = 0, 0, ICMP{}
		}
		if again != e {
			t.Fatalf("read %+v, and then %+v", e, again)
		}
	})
}

// Package corpus reads recorded cases of ip(8). A case has the arguments of ip(8), the
// request that it sent, the resulting state of the kernel, and the output of ip(8)
// afterwards. The tests of the codecs compare with these recordings, never with output
// of the codecs.
//
// The cases were recorded with iproute2 7.1.0 on Linux 6.18, in a network
// namespace with eth0 (index 3; 192.168.1.6/24, 2001:db8:1::6/64) and eth1
// (index 5; 192.168.2.2/24, 2001:db8:2::2/64).
package corpus

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
)

// A Case is one recorded command. Bytes are those of a little-endian machine.
type Case struct {
	Family  int             // 4 or 6
	Args    string          // the words after "ip -4|-6 rule|route add"
	Exit    int             // 0; 1 or 255 for words that ip refused; 2 for what the kernel refused
	Stderr  string          // what ip said about it
	Request Hex             // the message that ip sent, with its header
	Kernel  []Hex           // the payloads that a dump held afterwards, and not before
	Show    []string        // the new lines of "ip rule show" or "ip route show table all"
	ShowD   []string        `json:"show_d"` // with -d
	ShowN   []string        `json:"show_n"` // with -N
	JSON    json.RawMessage // with -j
	Note    string          // set where deleting by the same words did not restore the state
}

// Hex is bytes that are hexadecimal in JSON.
type Hex []byte

// UnmarshalJSON reads a string of hexadecimal digits.
func (h *Hex) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	got, err := hex.DecodeString(s)
	*h = got
	return err
}

// Read reads a file of cases, one JSON object a line.
func Read(file string) ([]Case, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var cases []Case
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c Case
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, len(cases)+1, err)
		}
		cases = append(cases, c)
	}
	return cases, lines.Err()
}

// Words are the case's arguments with the family option of ip(8) before them.
func (c Case) Words() string { return fmt.Sprintf("-%d %s", c.Family, c.Args) }

// Header is the length of struct nlmsghdr, which a Request begins with.
const Header = 16

// Comparable prints a payload with fixed bytes of header so that two which
// differ only in the order of their attributes print the same: one attribute a
// line, sorted.
func Comparable(payload []byte, fixed int) string {
	if len(payload) < fixed {
		return hex.EncodeToString(payload)
	}
	var attrs []string
	for b := payload[fixed:]; len(b) >= 4; {
		n := int(binary.NativeEndian.Uint16(b))
		if n < 4 || n > len(b) {
			attrs = append(attrs, "damaged "+hex.EncodeToString(b))
			break
		}
		attrs = append(attrs, fmt.Sprintf("%3d %x", binary.NativeEndian.Uint16(b[2:]), b[4:n]))
		b = b[min((n+3)&^3, len(b)):]
	}
	slices.SortFunc(attrs, cmp.Compare[string])
	return fmt.Sprintf("header %x\n%s", payload[:fixed], strings.Join(attrs, "\n"))
}

// Same reports whether two payloads differ only in the order of attributes.
func Same(a, b []byte, fixed int) bool {
	return bytes.Equal(a, b) || Comparable(a, fixed) == Comparable(b, fixed)
}

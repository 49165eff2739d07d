package iptext

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/rttables"
)

func TestArgUint(t *testing.T) {
	each(t, func(w *Words) error { _, err := ArgUint[uint16](w, "a port", 16); return err }, map[string]string{
		"":      `rule: word 2: a port is missing after "word"`,
		"65536": `rule: word 2 "65536": not a port: want a number of at most 16 bits`,
		"http":  `rule: word 2 "http": not a port: want a number of at most 16 bits`,
		"0x50":  "<nil>",
	})
	if v, err := ArgUint[uint16](Split("rule", "0x50"), "a port", 16); v != 80 || err != nil {
		t.Errorf("got %d, %v, want 80", v, err)
	}
}

func TestArgName(t *testing.T) {
	parse := func(s string) (uint32, error) {
		if s == "main" {
			return 254, nil
		}
		n, err := strconv.ParseUint(s, 10, 32)
		if err != nil {
			return 0, unknownName(s)
		}
		return uint32(n), nil
	}
	var v uint8
	arg := func(w *Words) error { return ArgName(w, "a table", parse, &v) }
	each(t, arg, map[string]string{
		"":     `rule: word 2: a table is missing after "word"`,
		"mian": `rule: word 2 "mian": not a table; did you mean main?`,
		"x":    `rule: word 2 "x": not a table`,
		"256":  `rule: word 2 "256": not a table: too large`,
	})
	if err := arg(Split("rule", "main")); v != 254 || err != nil {
		t.Errorf("got %d, %v, want 254", v, err)
	}
}

// unknownName is what rttables.Names say about a name that they lack.
func unknownName(s string) error {
	near := ""
	if s == "mian" {
		near = "main"
	}
	return fmt.Errorf("wrapped: %w", &rttables.UnknownError{What: "table", Word: s, Near: near})
}

// enumText is a type whose text form is an Enum's.
type enumText uint8

func (e *enumText) UnmarshalText(text []byte) error {
	n, err := Enum{{0, "low"}, {1, "high"}}.Unmarshal("route", "a preference", text)
	*e = enumText(n)
	return err
}

func TestArgText(t *testing.T) {
	var p netip.AddrPort
	arg := func(w *Words) error { return ArgText(w, "a socket", &p) }
	each(t, arg, map[string]string{
		"":        `rule: word 2: a socket is missing after "word"`,
		"1.2.3.4": `rule: word 2 "1.2.3.4": not a socket`,
	})
	var e enumText
	each(t, func(w *Words) error { return ArgText(w, "a preference", &e) }, map[string]string{
		"lwo": `rule: word 2 "lwo": not a preference; did you mean low?`,
		"low": "<nil>",
	})
	if err := arg(Split("rule", "1.2.3.4:5")); p.String() != "1.2.3.4:5" || err != nil {
		t.Errorf("got %v, %v", p, err)
	}
}

func TestArgPrefixAndAddr(t *testing.T) {
	var p netip.Prefix
	each(t, func(w *Words) error { return ArgPrefix(w, &p) }, map[string]string{
		"":         `rule: word 2: a prefix is missing after "word"`,
		"table":    `rule: word 2 "table": not a prefix`,
		"10.0/8":   "<nil>",
		"10.0.0/x": `rule: word 2 "10.0.0/x": not a prefix`,
	})
	var a netip.Addr
	each(t, func(w *Words) error { return ArgAddr(w, &a) }, map[string]string{
		"":           `rule: word 2: an address is missing after "word"`,
		"10.0.0.0/8": `rule: word 2 "10.0.0.0/8": not an address`,
		"default":    `rule: word 2 "default": not an address`,
		"::1":        "<nil>",
	})
	if err := ArgAddr(Split("rule", "192.0.2.1"), &a); a.String() != "192.0.2.1" || err != nil {
		t.Errorf("got %v, %v", a, err)
	}
}

func TestAttributeRoundTrip(t *testing.T) {
	report := testrun.Limit(t)
	for _, x := range []struct {
		num     uint16
		payload string
		text    string
	}{
		{31, "", "31 -"},
		{0x8000 | 25, "\x0a", "32793 0a"},
		{65535, "\x00\x01\xfe\xff", "65535 0001feff"},
		{0, strings.Repeat("a", attr.MaxPayload), "0 " + strings.Repeat("61", attr.MaxPayload)},
	} {
		num, data := AttributeArgs(x.num, []byte(x.payload))
		if got := num + " " + data; got != x.text {
			report.Errorf("attribute %d prints as %.40q, want %.40q", x.num, got, x.text)
			continue
		}
		raw, err := ArgAttribute(Split("rule", x.text))
		if err != nil || raw != string(attr.Append(nil, x.num, []byte(x.payload))) {
			report.Errorf("%.40q reads as %.40x, %v", x.text, raw, err)
		}
		for num, p := range attr.All(raw) {
			if num != x.num || string(p) != x.payload {
				report.Errorf("%.40q holds %d, %.40x", x.text, num, p)
			}
		}
	}
}

func TestArgAttributeErrors(t *testing.T) {
	const payload = ": not the payload of an attribute in hexadecimal"
	long := strings.Repeat("00", attr.MaxPayload+1)
	each(t, func(w *Words) error { _, err := ArgAttribute(w); return err }, map[string]string{
		"":           `rule: word 2: the type of an attribute is missing after "word"`,
		"65536 00":   `rule: word 2 "65536": not the type of an attribute: want a number of at most 16 bits`,
		"31":         `rule: word 3: the payload of an attribute is missing after "31"`,
		"31 0":       `rule: word 3 "0"` + payload,
		"31 0g":      `rule: word 3 "0g"` + payload,
		"31 00-":     `rule: word 3 "00-"` + payload,
		"31 --":      `rule: word 3 "--"` + payload,
		"31 0x00":    `rule: word 3 "0x00"` + payload,
		"31 " + long: `rule: word 3 "` + long + `"` + payload,
	})
}

func TestEnum(t *testing.T) {
	report := testrun.Limit(t)
	e := Enum{{0, "low"}, {1, "medium"}, {1, "middle"}, {255, "high"}}
	for n, want := range map[uint8]string{0: "low", 1: "medium", 2: "2", 255: "high"} {
		s := e.Name(n)
		if s != want {
			report.Errorf("Name(%d): got %q, want %q", n, s, want)
		}
		if got, ok := e.Number(s); got != n || !ok {
			report.Errorf("Number(%q): got %d, %t, want %d", s, got, ok, n)
		}
	}
	for s, want := range map[string]uint8{"middle": 1, "0x10": 16} {
		if got, err := e.Unmarshal("route", "a preference", []byte(s)); got != want || err != nil {
			report.Errorf("%q: got %d, %v, want %d", s, got, err, want)
		}
	}
	for s, want := range map[string]string{
		"256":    `route: "256" is not a preference`,
		"":       `route: "" is not a preference`,
		"meduim": `route: "meduim" is not a preference; did you mean medium?`,
		"LOW":    `route: "LOW" is not a preference`,
	} {
		if got, err := e.Unmarshal("route", "a preference", []byte(s)); err == nil || err.Error() != want {
			report.Errorf("%q: got %d, %v, want %s", s, got, err, want)
		}
	}
}

type family uint8

// The numbers are those of bits/socket.h and linux/rtnetlink.h.
func TestFamilyOption(t *testing.T) {
	report := testrun.Limit(t)
	for f, want := range map[family]string{
		2: "-4", 10: "-6", 0: "-f unspec", 28: "-f mpls", 128: "-f ipmr", 129: "-f ip6mr", 99: "-f 99",
	} {
		got := strings.Join(FamilyOption(f), " ")
		if got != want {
			report.Errorf("family %d: got %q, want %q", f, got, want)
		}
		w, back := Split("rule", got+" from all"), family(77)
		if err := ParseFamilyOption(w, &back); err != nil || back != f || w.Peek() != "from" {
			report.Errorf("%q: got %d, %v, and next %q, want %d", got, back, err, w.Peek(), f)
		}
	}
	for text, want := range map[string]family{"": 77, "from all": 77, "-f inet": 2, "-f inet6 -4": 10, "-f 0x1c": 28} {
		f := family(77)
		if err := ParseFamilyOption(Split("rule", text), &f); err != nil || f != want {
			report.Errorf("%q: got %d, %v, want %d", text, f, err, want)
		}
	}
	for text, want := range map[string]string{
		"-f":       `rule: word 2: a family is missing after "-f"`,
		"-f 256":   `rule: word 2 "256": not a family`,
		"-f inte6": `rule: word 2 "inte6": not a family; did you mean inet6?`,
	} {
		f := family(77)
		if err := ParseFamilyOption(Split("rule", text), &f); err == nil || err.Error() != want || f != 77 {
			report.Errorf("%q: got %d, %v, want %s", text, f, err, want)
		}
	}
}

// A linkName is the name of the only interface, 5; empty: no names are known.
type linkName string

func (l linkName) Index(name string) (uint32, bool) { return 5, name == string(l) || name == "if5" }

func TestArgLink(t *testing.T) {
	var got uint32
	each(t, func(w *Words) error { return ArgLink(w, linkName("eth1"), &got) }, map[string]string{
		"":     `rule: word 2: an interface is missing after "word"`,
		"eth2": `rule: word 2 "eth2": no such interface`,
		"eth1": "<nil>",
	})
	if err := ArgLink(Split("rule", "eth1"), linkName("eth1"), &got); err != nil || got != 5 {
		t.Errorf("%d, %v", got, err)
	}
	each(t, func(w *Words) error { return ArgLink(w, linkName(""), &got) }, map[string]string{
		"eth1": `rule: word 2 "eth1": no Links to look the name up in (see route.ListLinks); if5 is the interface with the index 5`,
		"if5":  "<nil>",
	})
}

package main

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/health"
)

// byteOrderMark is what some editors put before the text of a file.
const byteOrderMark = "\ufeff"

// checkText refuses text that is not UTF-8.
func checkText(position, text string) error {
	switch {
	case strings.HasPrefix(text, "\xff\xfe"), strings.HasPrefix(text, "\xfe\xff"):
		return fmt.Errorf("%s: the file is in UTF-16: save it as UTF-8", position)
	case !utf8.ValidString(text):
		return fmt.Errorf("%s: the file is not in UTF-8", position)
	}
	return nil
}

// checkVisible refuses words with invisible characters, which would become part of a name.
func checkVisible(position string, words []string) error {
	for i, w := range words {
		for _, c := range w {
			if !unicode.IsPrint(c) {
				return &iptext.Error{
					Package: position, Pos: i + 1, Word: w, Reason: fmt.Sprintf("has the invisible character %U", c),
				}
			}
		}
	}
	return nil
}

// checkName refuses a first word that belongs to another kind of file.
func checkName(w *iptext.Words, name string) error {
	if strings.HasPrefix(name, "[") && strings.HasSuffix(name, "]") {
		return w.Errorf("not a name: the file has no sections; a line is an uplink, such as: %s dev eth0 via 192.0.2.1",
			strings.Trim(name, "[]"))
	}
	return nil
}

// argInterface takes the name of an interface.
func argInterface(w *iptext.Words) (string, error) {
	s, err := w.Arg("an interface")
	if err == nil {
		if fault := interfaceFault(s); fault != "" {
			err = w.Errorf("%s", fault)
		}
	}
	return s, err
}

// interfaceFault returns the reason why no interface can have a name, or "" if one can.
func interfaceFault(name string) string {
	dev, _, label := strings.Cut(name, ":")
	switch {
	case label:
		return fmt.Sprintf("the label of an address, not an interface: write the interface %s, and the address after src", dev)
	case strings.Contains(name, "/"), name == ".", name == "..":
		return "no interface can have this name"
	}
	return ""
}

// argAddr takes an address. Unlike ip(8), it refuses forms that other programs read as
// another address.
func argAddr(w *iptext.Words, a *netip.Addr) error {
	if err := refuseAddress(w); err != nil {
		return err
	}
	return iptext.ArgAddr(w, a)
}

// argDestination takes a prefix. It refuses the default prefix, which every uplink has.
func argDestination(w *iptext.Words, p *netip.Prefix) error {
	if err := refuseAddress(w); err != nil {
		return err
	}
	err := iptext.ArgPrefix(w, p)
	if err == nil && p.Bits() <= 0 {
		err = w.Errorf("not needed: the uplink always has a default route")
	}
	return err
}

// refuseAddress returns an error if the next word is an address in a form that is not
// allowed in a file.
func refuseAddress(w *iptext.Words) error {
	fault := addressFault(w.Peek())
	if fault == "" {
		return nil
	}
	w.Take()
	return w.Errorf("%s", fault)
}

// addressFault returns what is wrong with the form of an address or prefix. It returns "" if
// the form is right, or if the text is not an address at all.
func addressFault(s string) string {
	host, length, _ := strings.Cut(s, "/")
	if inner, ok := strings.CutPrefix(host, "["); ok {
		return "write an address here without brackets: " + strings.TrimSuffix(inner, "]")
	}
	if a, zone, ok := strings.Cut(host, "%"); ok {
		return fmt.Sprintf("an address with a zone: write the interface %s after dev, and here the address %s", zone, a)
	}
	if fault := numbersFault(host); fault != "" {
		return fault
	}
	if strings.Contains(length, ".") {
		return numbersFault(length)
	}
	return ""
}

// numbersFault returns the reason why programs read an IPv4 address differently, or "".
func numbersFault(s string) string {
	a, ok := iptext.Addr(s)
	if !ok || strings.Contains(s, ":") {
		return ""
	}
	parts := strings.Split(s, ".")
	for _, p := range parts {
		if len(p) > 1 && p[0] == '0' {
			return fmt.Sprintf("a number with a leading zero, which some programs read as octal: write %s, or the address that you mean", a)
		}
	}
	if len(parts) < 4 {
		return fmt.Sprintf("an address of fewer than four numbers, which programs read differently: "+
			"write %s, or the address that you mean", a)
	}
	return ""
}

// checkSelectors refuses addresses and interfaces of selectors in a form that is not allowed
// in a file. The first of the words is number at of the line, from 0.
func checkSelectors(position string, at int, words []string) error {
	for i := 1; i < len(words); i++ {
		fault := ""
		switch words[i-1] {
		case "from", "to", "src", "dst":
			fault = addressFault(words[i])
		case "iif", "oif", "dev":
			fault = interfaceFault(words[i])
		}
		if fault != "" {
			return &iptext.Error{Package: position, Pos: at + i + 1, Word: words[i], Reason: fault}
		}
	}
	return nil
}

// argPositive takes a number other than 0. The reason says why 0 is refused.
func argPositive[V iptext.Number](w *iptext.Words, what string, bits int, reason string) (V, error) {
	n, err := iptext.ArgUint[V](w, what, bits)
	if err == nil && n == 0 {
		err = w.Errorf("%s", reason)
	}
	return n, err
}

// argTime takes a time with its unit.
func argTime(w *iptext.Words, d *time.Duration) error {
	s, err := w.Arg("a time, such as 5s")
	if err != nil {
		return err
	}
	if *d, err = parseTime(s); err == nil && *d < time.Millisecond {
		err = errNoTime
	}
	if err != nil {
		return w.Errorf("%v", err)
	}
	return nil
}

var errNoTime = errors.New("not a time, such as 5s or 500ms")

// parseTime reads a time with its unit.
func parseTime(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if n, bad := strconv.ParseUint(s, 10, 32); bad == nil && n > 0 {
		return 0, fmt.Errorf("a time needs its unit: %ds", n)
	}
	if err != nil || d < 0 {
		return 0, errNoTime
	}
	return d, nil
}

// familyWord returns the word of ip(8) for a family that has another name elsewhere.
func familyWord(s string) string {
	switch strings.ToLower(s) {
	case "ipv4":
		return "inet"
	case "ipv6":
		return "inet6"
	}
	return s
}

// argFamily takes IPv4 or IPv6, by any of their names.
func argFamily(w *iptext.Words, what string, f *route.Family) error {
	s, err := w.Arg(what)
	if err != nil {
		return err
	}
	switch familyWord(s) {
	case "inet":
		*f = route.IPv4
	case "inet6":
		*f = route.IPv6
	default:
		return w.Errorf("not %s%s", what, iptext.Suggest(s, []string{"inet", "inet6"}))
	}
	return nil
}

// probeWordOf returns the word of a line that is about a probe without targets.
func probeWordOf(h *health.Probe) string {
	for _, x := range []struct {
		said bool
		word string
	}{
		{h.Withdraw, "withdraw"}, {h.Interval != 0, "every"}, {h.Timeout != 0, "timeout"}, {h.Failures != 0, "failures"},
	} {
		if x.said {
			return x.word
		}
	}
	return "successes"
}

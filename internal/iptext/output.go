package iptext

import (
	"net/netip"
	"strconv"
)

// An Output collects what ip(8) prints of objects, as text or as JSON. Most values
// are in both. In text, words come before a value. In JSON, a value is a member with
// a name, or, if the name is empty, an element of an array.
type Output struct {
	buf          []byte
	json, pretty bool
	depth        int  // the number of open brackets
	comma        bool // the next member or element needs one
}

// NewOutput returns an Output for text, or for JSON if json is set. pretty breaks
// JSON into lines.
func NewOutput(json, pretty bool) *Output { return &Output{json: json, pretty: json && pretty} }

// IsJSON reports whether o is for JSON.
func (o *Output) IsJSON() bool { return o.json }

// Text writes words that JSON does not have.
func (o *Output) Text(s ...string) {
	if o.json {
		return
	}
	for _, s := range s {
		o.buf = append(o.buf, s...)
	}
}

// Str writes a string.
func (o *Output) Str(name, before, value string) {
	if !o.json {
		o.Text(before, value)
		return
	}
	o.name(name)
	o.separate()
	o.buf = appendQuoted(o.buf, value)
	o.comma = true
}

// Uint writes a number.
func (o *Output) Uint(name, before string, n uint64) { o.Number(name, before, Decimal(n)) }

// Int writes a number that may be negative.
func (o *Output) Int(name, before string, n int64) {
	o.Number(name, before, strconv.FormatInt(n, 10))
}

// Number writes the number with the given digits.
func (o *Output) Number(name, before, digits string) {
	if !o.json {
		o.Text(before, digits)
		return
	}
	o.name(name)
	o.raw(digits)
}

// Hex writes a number in hexadecimal. In JSON it is a string.
func (o *Output) Hex(name, before string, n uint64) { o.Str(name, before, AltHex(n)) }

// Null writes a word without a value. In JSON it is a member whose value is null.
func (o *Output) Null(name, word string) {
	if !o.json {
		o.Text(word)
		return
	}
	o.name(name)
	o.raw("null")
}

// Bool writes a member that is true or false. It writes no text.
func (o *Output) Bool(name string, v bool) {
	if o.json {
		o.name(name)
		o.raw(strconv.FormatBool(v))
	}
}

// Newline ends a line of text, or all of JSON.
func (o *Output) Newline() {
	if !o.json || o.depth == 0 {
		o.buf = append(o.buf, '\n')
	}
}

// String returns what was written.
func (o *Output) String() string { return string(o.buf) }

// AltHex formats n as printf(3) does for %#x: in hexadecimal after 0x, and zero as 0.
func AltHex[V Number](n V) string {
	if n == 0 {
		return "0"
	}
	return Hex(n)
}

// AddrText formats an address as ip(8) does, with inet_ntop(3): an IPv6 address of
// which only the last 32 bits are set ends in an IPv4 address, unless these bits are
// less than 0x10000.
func AddrText(a netip.Addr) string {
	if a.Is6() && !a.Is4In6() {
		b := a.As16()
		if [12]byte(b[:12]) == [12]byte{} && (b[12] != 0 || b[13] != 0) {
			return "::" + netip.AddrFrom4([4]byte(b[12:])).String()
		}
	}
	return a.String()
}

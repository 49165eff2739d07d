package iptext

import (
	"net/netip"
	"strconv"
)

// An Output collects what ip(8) shows of objects, as text or as JSON. Most values
// are in both: text has words before a value, JSON has it as a member with a
// name, or, where that is empty, as an element of an array.
type Output struct {
	buf          []byte
	json, pretty bool
	depth        int  // of the brackets that are open
	comma        bool // before the next member or element
}

// NewOutput returns an Output for text or, if json is set, for JSON, on many lines if
// pretty is set as well.
func NewOutput(json, pretty bool) *Output { return &Output{json: json, pretty: json && pretty} }

// IsJSON reports whether o is for JSON.
func (o *Output) IsJSON() bool { return o.json }

// Text writes what JSON does not have.
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

// Number writes a number of which digits are the text.
func (o *Output) Number(name, before, digits string) {
	if !o.json {
		o.Text(before, digits)
		return
	}
	o.name(name)
	o.raw(digits)
}

// Hex writes a number in hexadecimal, which in JSON is a string.
func (o *Output) Hex(name, before string, n uint64) { o.Str(name, before, AltHex(n)) }

// Null writes a word that stands for itself, which in JSON is a member without
// a value.
func (o *Output) Null(name, word string) {
	if !o.json {
		o.Text(word)
		return
	}
	o.name(name)
	o.raw("null")
}

// Bool writes a member that is true or false, and no text.
func (o *Output) Bool(name string, v bool) {
	if o.json {
		o.name(name)
		o.raw(strconv.FormatBool(v))
	}
}

// Newline ends a line of text, or the whole of JSON.
func (o *Output) Newline() {
	if !o.json || o.depth == 0 {
		o.buf = append(o.buf, '\n')
	}
}

// String is what was written.
func (o *Output) String() string { return string(o.buf) }

// AltHex is n as printf(3) has it for %#x: hexadecimal after 0x, but 0 alone.
func AltHex[V Number](n V) string {
	if n == 0 {
		return "0"
	}
	return Hex(n)
}

// AddrText is an address as ip(8) shows it, by inet_ntop(3): an IPv6 address of
// which only the last 32 bits are set has these as an IPv4 address, unless they
// are less than 0x10000.
func AddrText(a netip.Addr) string {
	if a.Is6() && !a.Is4In6() {
		b := a.As16()
		if [12]byte(b[:12]) == [12]byte{} && (b[12] != 0 || b[13] != 0) {
			return "::" + netip.AddrFrom4([4]byte(b[12:])).String()
		}
	}
	return a.String()
}

package show

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/nexthop"
	"github.com/policyroute/policyroute/rttables"
)

// A Style has the options of ip(8), and the names that are printed instead of numbers.
// The zero Style prints what "ip rule show" and "ip route show table all" do, without
// options, on a machine without name files.
type Style struct {
	// Names has the names of tables, protocols, realms, interfaces and the
	// like. Nil: the names that ip(8) has built in.
	Names *route.Names
	// NextHops lists the nexthop objects that the routes name. With Details, a route is
	// printed together with its object. Nil: without objects.
	NextHops []nexthop.Object
	// Omit lists the parts of routes that are left out. "ip route show" leaves
	// out the parts that its arguments select by. It always selects by a table
	// unless the arguments are "table all", so OmitTable is the usual value.
	Omit Omission
	// Details also prints values that are the default, which ip(8) otherwise leaves out:
	// -d.
	Details bool
	// Statistics prints the counters of the kernel: -s.
	Statistics bool
	// Numeric prints numbers instead of names, except for interfaces: -N.
	Numeric bool
	// OneLine prints a route on one line, with a backslash in place of each line end: -o.
	// Rules are always on one line. OneLine does not change JSON.
	OneLine bool
	// JSON prints an array of objects: -j.
	JSON bool
	// Colors prints addresses and interfaces in colors: -c.
	Colors Colors
	// Deleted marks the printed objects as deleted, as ip(8) does with -echo.
	Deleted bool
	// Pretty prints JSON on several lines, with indentation: -p. It does
	// nothing without JSON.
	Pretty bool
}

// An Omission is a set of parts of routes that are not printed.
type Omission uint16

// The parts of routes. Each comment has the word of "ip route show" that leaves the
// part out.
const (
	OmitTable  Omission = 1 << iota // table
	OmitTOS                         // tos
	OmitVia                         // via, if its argument is an address of the route's family without a prefix length
	OmitDev                         // dev; the interfaces of several next hops are still printed
	OmitProto                       // proto
	OmitScope                       // scope
	OmitSrc                         // src, if its argument is an address without a prefix length
	OmitMetric                      // metric
	OmitRealms                      // realms, if its argument has both realms
	OmitIIF                         // iif
)

// omissions are the words for the parts.
var omissions = iptext.Bits{
	{Bit: uint32(OmitTable), Name: "table"}, {Bit: uint32(OmitTOS), Name: "tos"}, {Bit: uint32(OmitVia), Name: "via"},
	{Bit: uint32(OmitDev), Name: "dev"}, {Bit: uint32(OmitProto), Name: "proto"}, {Bit: uint32(OmitScope), Name: "scope"},
	{Bit: uint32(OmitSrc), Name: "src"}, {Bit: uint32(OmitMetric), Name: "metric"}, {Bit: uint32(OmitRealms), Name: "realms"},
	{Bit: uint32(OmitIIF), Name: "iif"},
}

// String returns the words for the parts, with blanks between them. Other bits
// follow as a hexadecimal number.
func (o Omission) String() string { return omissions.Text(uint32(o), " ") }

// MarshalText returns what String does.
func (o Omission) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads what String returns.
func (o *Omission) UnmarshalText(text []byte) error {
	return iptext.UnmarshalBits(omissions, 16, "show", "parts of a route", text, " ", o)
}

// A printer prints objects in a style, as text or as JSON.
type printer struct {
	*iptext.Output
	Style
	files *rttables.Names
	links *route.Links
}

// list returns n objects, printed one after the other.
func (s Style) list(n int, object func(p *printer, i int)) string {
	p := &printer{iptext.NewOutput(s.JSON, s.Pretty), s, s.Names.FileNames(), s.Names.LinkNames()}
	p.StartArray("")
	for i := range n {
		p.StartObject("")
		if s.Deleted {
			p.Bool("deleted", true)
			p.Text("Deleted ")
		}
		object(p, i)
		p.EndObject()
		p.Newline()
	}
	p.EndArray()
	if s.JSON {
		p.Newline()
	}
	return p.String()
}

// one returns a list of one object without the newline at its end.
func one(list string) string { return strings.TrimSuffix(list, "\n") }

// put prints a string, and the blank that follows nearly everything in text.
func (p *printer) put(name, before, value string) {
	p.Str(name, before, value)
	p.Text(" ")
}

// putUint prints a number and a blank.
func putUint[V iptext.Number](p *printer, name, before string, n V) {
	p.Uint(name, before, uint64(n))
	p.Text(" ")
}

// putNonZero prints a number after its name, unless it is zero.
func putNonZero[V iptext.Number](p *printer, name string, n V) {
	if n != 0 {
		putUint(p, name, name+" ", n)
	}
}

// putHex prints a number in hexadecimal, in text with a format of its own.
func (p *printer) putHex(name string, n uint32, format string) {
	if p.IsJSON() {
		p.Hex(name, "", uint64(n))
	} else {
		p.Text(fmt.Sprintf(format, n))
	}
}

// name returns the name of a number, or the number if the style is numeric.
func (p *printer) name(db rttables.DB, n uint32) string {
	if p.Numeric {
		return iptext.Decimal(n)
	}
	return db.Name(n)
}

// tableName returns the name of a table, or its number if the style is numeric.
func (p *printer) tableName(id rttables.ID) string {
	if p.Numeric {
		return iptext.Decimal(id)
	}
	return p.files.Name(id)
}

// typeName returns the name of a type, or its number if the style is numeric.
func (p *printer) typeName(t route.Type) string {
	if p.Numeric {
		return iptext.Decimal(t)
	}
	return t.String()
}

// dsField returns the name of a value of the DS field. A value without a name
// is in hexadecimal with two digits.
func (p *printer) dsField(n uint8) string {
	if p.Numeric {
		return fmt.Sprintf("0x%02x", n)
	}
	return p.files.DSFields().Name(uint32(n))
}

// lineEnd returns what ends a line within a route.
func (p *printer) lineEnd() string {
	if p.OneLine {
		return `\`
	}
	return "\n"
}

// A number is an enum: its String is a name, or the number itself.
type number interface {
	iptext.Number
	String() string
}

// nameOr returns the name of v, or another text if v has no name.
func nameOr[V number](v V, other string) string {
	if name := v.String(); name != iptext.Decimal(v) {
		return name
	}
	return other
}

// enumOr returns the name of n, or another text if n has no name.
func enumOr(e iptext.Enum, n uint8, other string) string {
	if name := e.Name(n); name != iptext.Decimal(n) {
		return name
	}
	return other
}

// general formats n as printf(3) does for %g.
func general(n float64) string { return strconv.FormatFloat(n, 'g', 6, 64) }

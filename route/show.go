package route

// A Style is how ip(8) shows routes and rules: its options, and the names that
// it has for numbers. The zero Style is "ip rule show", or "ip route show table
// all", without options, on a machine without name files.
type Style struct {
	// Names are used for tables, protocols, realms, interfaces and the like.
	// Nil: those that ip(8) has built in.
	Names *Names
	// NextHops are the nexthop objects that routes with a number of one are
	// shown with if Details is set. Nil: they are shown without.
	NextHops []NextHopObject
	// Omit are the parts of routes that are left out. "ip route show" leaves
	// out what its words say of all routes alike, the table before all: it
	// has OmitTable, unless they are "table all".
	Omit Omission
	// Details shows what ip(8) otherwise leaves out as usual: -d.
	Details bool
	// Statistics shows what the kernel has counted: -s.
	Statistics bool
	// Numeric shows numbers instead of names, except those of interfaces: -N.
	Numeric bool
	// OneLine shows a route on one line, with a backslash for each line end
	// within it: -o. A rule is on one line in any case, and JSON is as without.
	OneLine bool
	// JSON shows an array of objects: -j.
	JSON bool
	// Pretty breaks JSON into lines and indents them: -p. Without JSON it does
	// nothing.
	Pretty bool
}

// An Omission is a set of parts that routes are shown without.
type Omission uint16

// The parts, by the words of "ip route show" that leave them out.
const (
	OmitTable  Omission = 1 << iota // table
	OmitTOS                         // tos
	OmitVia                         // via, with an address of the route's family and no prefix
	OmitDev                         // dev; that of several next hops stays
	OmitProto                       // proto
	OmitScope                       // scope
	OmitSrc                         // src, with an address and no prefix
	OmitMetric                      // metric
	OmitRealms                      // realms, with both
	OmitIIF                         // iif
)

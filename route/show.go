package route

// A Style is how ip(8) shows routes and rules: its options, and the names that
// it has for numbers. The zero Style is "ip rule show" without options, on a
// machine without name files.
type Style struct {
	// Names are used for tables, protocols, realms, interfaces and the like.
	// Nil: those that ip(8) has built in.
	Names *Names
	// Details shows what ip(8) otherwise leaves out as usual: -d.
	Details bool
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

package rttables

import (
	"iter"
	"maps"
)

// Names are the names that iproute2's files give to numbers. [Load] reads them.
// They do not change afterwards, and are safe for concurrent use.
//
// A nil *Names and the zero Names are usable. They have the names that are built
// into ip(8): for tables these are main, local and default.
type Names struct {
	dbs [kinds]DB
}

func (n *Names) db(k kind) DB {
	if n == nil || n.dbs[k].spec == nil {
		return DB{spec: &specs[k]}
	}
	return n.dbs[k]
}

// Name returns the name of a table as ip(8) shows it, or what [ID.String] returns
// if the table has no name. If several lines name the same ID, the last one
// counts.
func (n *Names) Name(id ID) string { return n.db(tables).Name(uint32(id)) }

// Lookup returns the table that has the name, and false if there is none. If
// several lines name the same ID, Lookup finds the ID by each of the names.
func (n *Names) Lookup(name string) (ID, bool) {
	id, ok := n.db(tables).Lookup(name)
	return ID(id), ok
}

// Parse reads the word after "table" or "lookup" as ip(8) does: as a name or, if
// there is no such name, as a number up to 2^32-1, decimal, octal after 0,
// hexadecimal after 0x. A name of digits therefore hides the number. The error is
// an [*UnknownError], with the name that may have been meant.
func (n *Names) Parse(word string) (ID, error) {
	id, err := n.db(tables).Parse(word)
	return ID(id), err
}

// All yields every table that has a name, in ascending order, with the name that
// [Names.Name] returns.
func (n *Names) All() iter.Seq2[ID, string] {
	return func(yield func(ID, string) bool) {
		for id, name := range n.db(tables).All() {
			if !yield(ID(id), name) {
				return
			}
		}
	}
}

// With returns a copy of n with one more name, for the table id, as if a line at the
// end of the last file defined it. n does not change.
func (n *Names) With(id ID, name string) *Names {
	var with Names
	if n != nil {
		with = *n
	}
	old := with.dbs[tables]
	db := specs[tables].db(nil)
	if old.byID != nil {
		db.byID, db.byName = maps.Clone(old.byID), maps.Clone(old.byName)
	}
	db.add(uint32(id), name)
	with.dbs[tables] = db
	return &with
}

// Protos returns the names of route protocols (rt_protos): RTPROT_STATIC and so on.
func (n *Names) Protos() DB { return n.db(protos) }

// Scopes returns the names of address and route scopes (rt_scopes): RT_SCOPE_LINK
// and so on.
func (n *Names) Scopes() DB { return n.db(scopes) }

// Realms returns the names of routing realms (rt_realms). iproute2 allows names only
// for realms up to 255.
func (n *Names) Realms() DB { return n.db(realms) }

// DSFields returns the names of values of the DS field, formerly TOS
// (rt_dsfield): all eight bits, including the two of ECN.
func (n *Names) DSFields() DB { return n.db(dsfields) }

// Groups returns the names of device groups (group).
func (n *Names) Groups() DB { return n.db(groups) }

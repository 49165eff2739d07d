package rttables

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
)

// A kind is one of the databases that a [Names] holds.
type kind int

const (
	tables kind = iota
	protos
	scopes
	realms
	dsfields
	groups
	kinds
)

// A spec describes a database.
type spec struct {
	what    string // for errors
	file    string
	confDir bool   // file.d/*.conf is read as well
	array   bool   // iproute2 has an array of 256 names: a later name replaces an earlier one
	base    uint64 // for strtoul(3), of a number
	max     uint64 // the highest number
	format  string // for fmt, of a number without a name
	builtin []builtin
}

type builtin struct {
	id   uint32
	name string
}

// specs is rt_names.c of iproute2 as a table.
var specs = [kinds]spec{
	tables: {
		what: "table", file: "rt_tables", confDir: true, max: 1<<32 - 1, format: "%d",
		builtin: []builtin{{253, "default"}, {254, "main"}, {255, "local"}},
	},
	protos: {
		what: "protocol", file: "rt_protos", confDir: true, array: true, max: 255, format: "%d",
		builtin: []builtin{
			{0, "unspec"}, {1, "redirect"}, {2, "kernel"}, {3, "boot"}, {4, "static"},
			{8, "gated"}, {9, "ra"}, {10, "mrt"}, {11, "zebra"}, {12, "bird"},
			{13, "dnrouted"}, {14, "xorp"}, {15, "ntk"}, {16, "dhcp"}, {18, "keepalived"},
			{42, "babel"}, {186, "bgp"}, {187, "isis"}, {188, "ospf"}, {189, "rip"},
			{192, "eigrp"},
		},
	},
	scopes: {
		what: "scope", file: "rt_scopes", array: true, max: 255, format: "%d",
		builtin: []builtin{{0, "global"}, {200, "site"}, {253, "link"}, {254, "host"}, {255, "nowhere"}},
	},
	realms: {
		what: "realm", file: "rt_realms", array: true, max: 255, format: "%d",
		builtin: []builtin{{0, "unknown"}},
	},
	dsfields: {
		what: "DS field", file: "rt_dsfield", array: true, base: 16, max: 255, format: "0x%02x",
		builtin: []builtin{{0, "0"}},
	},
	groups: {
		what: "group", file: "group", max: 1<<31 - 1, format: "%d",
		builtin: []builtin{{0, "default"}},
	},
}

// A DB is one database of names, such as the route protocols. It comes from a
// [Names] and is safe for concurrent use. The zero DB has no names.
type DB struct {
	spec   *spec             // nil if there are no names at all
	byID   map[uint32]string // nil if there are only the built-in names
	byName map[string]uint32
}

// db adds entries, in the order in which iproute2 reads them, to the names that
// iproute2 has built in.
func (s *spec) db(entries []Entry) DB {
	d := DB{spec: s, byID: make(map[uint32]string), byName: make(map[string]uint32)}
	for _, b := range s.builtin {
		d.add(b.id, b.name)
	}
	for _, e := range entries {
		if !s.array || uint64(e.ID) <= s.max {
			d.add(uint32(e.ID), e.Name)
		}
	}
	if s.array { // replaced names no longer resolve; of several numbers the lowest counts
		clear(d.byName)
		for _, id := range slices.Backward(slices.Sorted(maps.Keys(d.byID))) {
			d.byName[d.byID[id]] = id
		}
	}
	return d
}

func (d DB) add(id uint32, name string) {
	d.byID[id] = name
	if old, ok := d.byName[name]; !ok || hides(id, old) {
		d.byName[name] = id
	}
}

// hides reports whether, of two lines with the same name, the later one is the
// one that resolves: iproute2 searches 256 hash chains in order, and each of
// them from its newest entry.
func hides(later, earlier uint32) bool { return later&255 <= earlier&255 }

// Name returns the name of id as ip(8) shows it. If there is no name, it returns the
// number, in hexadecimal for a DS field. If several lines name the same id, the last
// one counts.
func (d DB) Name(id uint32) string {
	if name, ok := d.name(id); ok {
		return name
	}
	if d.spec == nil {
		return strconv.FormatUint(uint64(id), 10)
	}
	return fmt.Sprintf(d.spec.format, id)
}

func (d DB) name(id uint32) (string, bool) {
	if d.byID != nil {
		name, ok := d.byID[id]
		return name, ok
	}
	if d.spec != nil {
		for _, b := range d.spec.builtin {
			if b.id == id {
				return b.name, true
			}
		}
	}
	return "", false
}

// Lookup returns the number that has the name, and false if there is none.
func (d DB) Lookup(name string) (uint32, bool) {
	if d.byName != nil {
		id, ok := d.byName[name]
		return id, ok
	}
	if d.spec != nil {
		for _, b := range d.spec.builtin {
			if b.name == name {
				return b.id, true
			}
		}
	}
	return 0, false
}

// Parse reads a word as ip(8) does: as a name or, if there is no such name, as a
// number. So a name of digits hides the number. Numbers are decimal, octal after 0, or
// hexadecimal after 0x; those of a DS field are always hexadecimal. The error is an
// [*UnknownError].
func (d DB) Parse(word string) (uint32, error) {
	if id, ok := d.Lookup(word); ok {
		return id, nil
	}
	if d.spec == nil {
		d.spec = &spec{what: "name", max: 1<<32 - 1}
	}
	if v, ok := parseNumber(word, d.spec.base); ok && v <= d.spec.max {
		return uint32(v), nil
	}
	return 0, &UnknownError{What: d.spec.what, Word: word, Near: d.near(word)}
}

// All yields every number that has a name, in ascending order, with the name
// that [DB.Name] returns.
func (d DB) All() iter.Seq2[uint32, string] {
	return func(yield func(uint32, string) bool) {
		if d.byID == nil && d.spec != nil {
			d = d.spec.db(nil)
		}
		for _, id := range slices.Sorted(maps.Keys(d.byID)) {
			if !yield(id, d.byID[id]) {
				return
			}
		}
	}
}

// near returns the name that differs least from word, if the difference can be a
// typing error: at most one edit in three letters.
func (d DB) near(word string) string {
	if len(word) > 64 {
		return "" // not a typing error, and the search is quadratic
	}
	best, limit := "", max(1, len(word)/3)
	for _, name := range d.All() {
		if n := distance(word, name, limit); n >= 0 {
			best, limit = name, n-1 // the next one must be nearer
		}
	}
	return best
}

// distance returns how many letters have to be inserted, removed, changed, or
// swapped with the next one to turn a into b, or -1 if there are more than limit.
func distance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return -1
	}
	var before []int // the row of i-2, for swaps
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next := make([]int, len(b)+1)
		next[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			next[j] = min(row[j]+1, next[j-1]+1, row[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row = row, next
	}
	if row[len(b)] > limit {
		return -1
	}
	return row[len(b)]
}

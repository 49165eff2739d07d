package rttables

import (
	"iter"
	"slices"
	"strings"
)

// A File is an rt_tables file, or a file of rt_tables.d, in memory. It keeps every
// byte that is not changed: comments, blanks, both kinds of line ends, and a
// missing line end at the end. The zero File is empty. A File is not safe for
// concurrent use.
type File struct {
	lines  []line
	err    *SyntaxError // nil if the file is sound
	bad    int          // the index of the first bad line, if err is set
	forced bool

	path   string // for errors; empty if it was not read from disk
	absent bool   // Edit: there was no file
	remove bool   // Edit: remove the file
}

type line struct {
	raw   string // with its line end
	entry Entry  // without Line, which changes
	ok    bool   // there is an entry
}

// ParseFile reads a file. If iproute2 cannot read one of its lines, the error is a
// [*SyntaxError] for the first such line. The File then has all bytes of the file, and
// the entries before that line, which are those that iproute2 reads. Such a File
// refuses changes: see [File.Force].
func ParseFile(b []byte) (*File, error) {
	f := new(File)
	for raw := range strings.Lines(string(b)) {
		l := line{raw: raw}
		if f.err == nil {
			var reason string
			if l.entry, l.ok, reason = parseLine(raw); reason != "" {
				f.bad = len(f.lines)
				f.err = &SyntaxError{Line: f.bad + 1, Text: strings.TrimRight(raw, "\r\n"), Reason: reason}
			}
		}
		f.lines = append(f.lines, l)
	}
	if f.err != nil {
		return f, f.err
	}
	return f, nil
}

// Err returns the [*SyntaxError] that [ParseFile] found, or nil.
func (f *File) Err() error {
	if f.err == nil {
		return nil
	}
	return f.err
}

// Bytes returns the contents of the file.
func (f *File) Bytes() []byte {
	var b []byte
	for _, l := range f.lines {
		b = append(b, l.raw...)
	}
	return b
}

// Entries returns the entries in the order of the file. It leaves out entries that
// iproute2 does not read: those with an ID of 2^31 or more, and those after a bad
// line.
func (f *File) Entries() []Entry { return slices.Collect(f.entries()) }

func (f *File) entries() iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		for i, l := range f.lines {
			l.entry.Line = i + 1
			if l.ok && !yield(l.entry) {
				return
			}
		}
	}
}

// Name returns the name that the file gives to id, and false if there is none. If
// several lines have the ID, it returns the last name, as ip(8) does.
func (f *File) Name(id ID) (name string, ok bool) {
	for e := range f.entries() {
		if e.ID == id {
			name, ok = e.Name, true
		}
	}
	return name, ok
}

// Lookup returns the ID that has the name in the file, and false if there is none. If
// several lines have the name, it returns the ID that ip(8) uses.
func (f *File) Lookup(name string) (id ID, ok bool) {
	for e := range f.entries() {
		if e.Name == name && (!ok || hides(uint32(e.ID), uint32(id))) {
			id, ok = e.ID, true
		}
	}
	return id, ok
}

// NextFree returns the lowest ID, starting at from, that has no name in the file, is
// not reserved, and can be in a file. It returns false if there is none. The ID 0 is
// reserved, so from 0 means the same as 1.
//
// A table without a name can be in use as well; only the kernel knows. NextFree does
// not ask it.
func (f *File) NextFree(from ID) (ID, bool) {
	used := make(map[ID]bool)
	for e := range f.entries() {
		used[e.ID] = true
		// A name made of digits hides the table of that number from ip(8).
		if v, ok := parseNumber(e.Name, 0); ok && v <= uint64(maxFileID) {
			used[ID(v)] = true
		}
	}
	for id := from; id <= maxFileID; id++ {
		if !used[id] && !id.reserved() {
			return id, true
		}
	}
	return 0, false
}

package rttables

import (
	"iter"
	"slices"
	"strings"
)

// A File is an rt_tables file, or one of rt_tables.d, in memory. It keeps every
// byte that it is not told to change: comments, blanks, either kind of line end,
// a missing one at the end. The zero File is an empty one. A File is not safe for
// concurrent use.
type File struct {
	lines  []line
	err    *SyntaxError // nil: sound
	bad    int          // index of the first bad line, if err is set
	forced bool

	path   string // for errors; empty: not from disk
	absent bool   // Edit: there was no file
	remove bool   // Edit: remove the file
}

type line struct {
	raw   string // its end included
	entry Entry  // without Line, which changes
	ok    bool   // there is an entry
}

// ParseFile reads a file. If iproute2 cannot read one of its lines the error is a
// [*SyntaxError] for the first of these; the File still has all bytes, and the
// entries up to that line, which are those that iproute2 has. Such a File refuses
// changes: see [File.Force].
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

// Bytes returns the file as it stands.
func (f *File) Bytes() []byte {
	var b []byte
	for _, l := range f.lines {
		b = append(b, l.raw...)
	}
	return b
}

// Entries returns the entries in the order of the file. It leaves out what
// iproute2 does not read: IDs from 2^31 up, and all that follows a bad line.
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

// Name returns the name that the file gives to id, and false if it gives none. Of
// several it is the last, which is the one that ip(8) shows.
func (f *File) Name(id ID) (name string, ok bool) {
	for e := range f.entries() {
		if e.ID == id {
			name, ok = e.Name, true
		}
	}
	return name, ok
}

// Lookup returns the ID that the file gives to the name, and false if it gives
// none. Of several it is the one that ip(8) takes.
func (f *File) Lookup(name string) (id ID, ok bool) {
	for e := range f.entries() {
		if e.Name == name && (!ok || hides(uint32(e.ID), uint32(id))) {
			id, ok = e.ID, true
		}
	}
	return id, ok
}

// NextFree returns the lowest ID, not below from, that has no name in the file, is
// not reserved, and can stand in a file. It returns false if there is none. From
// zero counts from 1.
//
// The file says nothing about tables in use without a name: ask the kernel.
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

package rttables

import (
	"errors"
	"fmt"
	"io/fs"
)

// What is wrong with an entry, for errors.Is on an [*EntryError].
var (
	// ErrName is a name that cannot stand in the file: empty, with a blank, a
	// control character or a #, too long, or one that ip(8) takes for a number.
	ErrName = errors.New("bad name")
	// ErrComment is a comment with a control character, or too long.
	ErrComment = errors.New("bad comment")
	// ErrRange is an ID from 2^31 up: valid in the kernel and on ip's command
	// line, but skipped by iproute2 when it stands in a file.
	ErrRange = errors.New("ID out of range: iproute2 reads none from 2^31 up from a file")
	// ErrReserved is an ID or a name that already has a meaning for the kernel
	// or for ip(8).
	ErrReserved = errors.New("reserved")
)

// An EntryError says why an entry cannot stand in a file. Err is, or wraps, one
// of [ErrName], [ErrComment], [ErrRange] and [ErrReserved].
type EntryError struct {
	ID   ID
	Name string
	Err  error
}

// Error names the entry and says what is wrong with it.
func (e *EntryError) Error() string {
	return fmt.Sprintf("rt_tables entry %d %q: %v", uint32(e.ID), e.Name, e.Err)
}

// Unwrap returns e.Err.
func (e *EntryError) Unwrap() error { return e.Err }

// A ConflictError says that an entry was not added, because its ID or its name
// is in use. It is [fs.ErrExist] for errors.Is.
type ConflictError struct {
	ID       ID     // the entry that was to be added
	Name     string //
	HaveID   ID     // the entry in its way: the same ID or the same name
	HaveName string //
	File     string // where that stands; empty: a file that was not read from disk
	Line     int    // counted from 1
}

// Error says which entry is in the way, and in which file and line.
func (e *ConflictError) Error() string {
	what := fmt.Sprintf("the ID bears the name %q", e.HaveName)
	if e.HaveName == e.Name {
		what = fmt.Sprintf("the name means table %d", uint32(e.HaveID))
	}
	return fmt.Sprintf("rt_tables entry %d %q: %s%s", uint32(e.ID), e.Name, position(e.File, e.Line), what)
}

// Is reports whether target is [fs.ErrExist].
func (e *ConflictError) Is(target error) bool { return target == fs.ErrExist }

// A SyntaxError is the first line of a file that iproute2 cannot read. It reads
// nothing of the file from there on.
type SyntaxError struct {
	File   string // empty: not read from disk
	Line   int    // counted from 1
	Text   string // the line, without its end
	Reason string
}

// Error says file, line, reason and, as far as it is short, the line itself.
func (e *SyntaxError) Error() string {
	text := e.Text
	if len(text) > 60 {
		text = text[:60] + "..."
	}
	return fmt.Sprintf("%s%s: %q", position(e.File, e.Line), e.Reason, text)
}

// position is how errors begin that have a place.
func position(file string, line int) string {
	if file == "" {
		return fmt.Sprintf("line %d: ", line)
	}
	return fmt.Sprintf("%s:%d: ", file, line)
}

// An UnknownError is a word that is neither a known name nor a number in range.
type UnknownError struct {
	What string // what the word should have named: "table", "protocol", ...
	Word string
	Near string // a known name that resembles it; empty: none does
}

// Error names the word, and the name that may have been meant.
func (e *UnknownError) Error() string {
	if e.Near != "" {
		return fmt.Sprintf("unknown %s %q (did you mean %q?)", e.What, e.Word, e.Near)
	}
	return fmt.Sprintf("unknown %s %q", e.What, e.Word)
}

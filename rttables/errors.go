package rttables

import (
	"errors"
	"fmt"
	"io/fs"
)

// The causes of an [*EntryError], for errors.Is.
var (
	// ErrName: the name cannot be in a file. It is empty, contains a blank, a control
	// character or a #, is too long, or looks like a number to ip(8).
	ErrName = errors.New("bad name")
	// ErrComment: the comment has a control character, or is too long.
	ErrComment = errors.New("bad comment")
	// ErrRange: the ID is 2^31 or more. Such an ID is valid in the kernel and on
	// the command line of ip, but iproute2 ignores it in a file.
	ErrRange = errors.New("ID out of range: iproute2 ignores IDs of 2^31 and more in files")
	// ErrReserved: the ID or the name already has a meaning for the kernel or for
	// ip(8).
	ErrReserved = errors.New("reserved")
)

// An EntryError says why an entry cannot be in a file. Err is, or wraps, one of
// [ErrName], [ErrComment], [ErrRange] and [ErrReserved].
type EntryError struct {
	ID   ID
	Name string
	Err  error
}

// Error returns the entry and the reason.
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
	File     string // the file of the entry in its way; empty if it was not read from disk
	Line     int    // the line of that entry, from 1
}

// Error returns which entry is in the way, and its file and line.
func (e *ConflictError) Error() string {
	what := fmt.Sprintf("ID %d is already named %q", uint32(e.HaveID), e.HaveName)
	if e.HaveName == e.Name {
		what = fmt.Sprintf("%q already names table %d", e.HaveName, uint32(e.HaveID))
	}
	return fmt.Sprintf("rt_tables entry %d %q: %s%s", uint32(e.ID), e.Name, position(e.File, e.Line), what)
}

// Is reports whether target is [fs.ErrExist].
func (e *ConflictError) Is(target error) bool { return target == fs.ErrExist }

// A SyntaxError reports the first line of a file that iproute2 cannot read. iproute2
// ignores the file from that line on.
type SyntaxError struct {
	File   string // empty if it was not read from disk
	Line   int    // from 1
	Text   string // the line, without its end
	Reason string
}

// Error returns file, line and reason, and the line itself or its first 60 bytes.
func (e *SyntaxError) Error() string {
	text := e.Text
	if len(text) > 60 {
		text = text[:60] + "..."
	}
	return fmt.Sprintf("%s%s: %q", position(e.File, e.Line), e.Reason, text)
}

// position returns the beginning of an error with a file and a line.
func position(file string, line int) string {
	if file == "" {
		return fmt.Sprintf("line %d: ", line)
	}
	return fmt.Sprintf("%s:%d: ", file, line)
}

// An UnknownError reports a word that is neither a known name nor a number in range.
type UnknownError struct {
	What string // what the word should have named: "table", "protocol", ...
	Word string
	Near string // a known name that resembles the word; empty if none does
}

// Error returns the word, and the name that may have been meant.
func (e *UnknownError) Error() string {
	if e.Near != "" {
		return fmt.Sprintf("unknown %s %q (did you mean %q?)", e.What, e.Word, e.Near)
	}
	return fmt.Sprintf("unknown %s %q", e.What, e.Word)
}

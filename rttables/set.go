package rttables

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Set adds the line that gives the name to id, with the comment after a # unless
// the comment is empty. If the file already has a line with this ID and this name,
// with any comment, nothing changes.
//
// The error is an [*EntryError] if the entry cannot be in a file, a
// [*ConflictError] if another line has the ID or the name, and a [*SyntaxError] if
// the file is damaged and [File.Force] was not called. The file then does not
// change.
func (f *File) Set(id ID, name, comment string) error {
	for e := range f.entries() {
		if e.ID == id && e.Name == name {
			return nil
		}
	}
	if err := checkEntry(id, name, comment); err != nil {
		return err
	}
	if err := f.writable(); err != nil {
		return err
	}
	for e := range f.entries() {
		if e.ID == id || e.Name == name {
			return &ConflictError{
				ID: id, Name: name, HaveID: e.ID, HaveName: e.Name, File: f.path, Line: e.Line,
			}
		}
	}
	return f.insert(formatEntry(id, name, comment), Entry{ID: id, Name: name, Comment: strings.TrimSpace(comment)})
}

// Delete removes every line that gives the name to an ID, and reports whether
// there was one. It changes nothing in a damaged file, unless [File.Force] was
// called.
func (f *File) Delete(name string) bool {
	return f.writable() == nil && f.deleteIf(func(e Entry) bool { return e.Name == name })
}

// Force allows changes to a damaged file. Set then adds a line before the first bad
// line, because iproute2 does not read lines after it. The entries after the bad line
// are not known: when someone repairs the file, they can contradict the new entry.
// Force has no effect on a file without bad lines.
func (f *File) Force() { f.forced = true }

// writable returns why the file must not be changed, or nil.
func (f *File) writable() error {
	if f.err == nil || f.forced {
		return nil
	}
	return fmt.Errorf("the file is damaged, so it was not changed: %w", f.err)
}

// insert adds a line at the end of the lines that iproute2 reads. If the file has
// no line end at its end, it has none afterwards, so that deleteIf restores the
// same bytes.
func (f *File) insert(text string, e Entry) error {
	at := len(f.lines)
	if f.err != nil {
		at = f.bad
	}
	end := f.lineEnd(at)
	l := line{raw: text + end, entry: e, ok: true}
	if at > 0 && !strings.HasSuffix(f.lines[at-1].raw, "\n") {
		last := &f.lines[at-1]
		if !soundWith(last.raw, end) {
			end = "\n" // a blank line must not have a carriage return
		}
		if !soundWith(last.raw, end) {
			return &SyntaxError{File: f.path, Line: at, Text: last.raw, Reason: "no line can follow this one"}
		}
		last.raw += end
		l.raw = text
	}
	if f.err != nil {
		f.bad++
	}
	f.lines = slices.Insert(f.lines, at, l)
	return nil
}

// soundWith reports whether a last line without a line end stays sound with one,
// and is the same after deleteIf has removed the line end.
func soundWith(raw, end string) bool {
	_, _, reason := parseLine(raw + end)
	return reason == "" && cutLineEnd(raw+end) == raw
}

// cutLineEnd removes one line end.
func cutLineEnd(raw string) string {
	return strings.TrimSuffix(strings.TrimSuffix(raw, "\n"), "\r")
}

// lineEnd returns the line end that lines use before index at, or right at it.
func (f *File) lineEnd(at int) string {
	for i := min(at, len(f.lines)-1); i >= 0; i-- {
		raw := f.lines[i].raw
		// A carriage return at the end of the file would become a part of the
		// line end if only a line feed were added.
		if strings.HasSuffix(raw, "\r\n") || strings.HasSuffix(raw, "\r") {
			return "\r\n"
		}
		if strings.HasSuffix(raw, "\n") {
			return "\n"
		}
	}
	return "\n"
}

// deleteIf removes the lines of the entries that match, and reports whether there
// were any.
func (f *File) deleteIf(match func(Entry) bool) bool {
	var kept []line
	for _, l := range f.lines {
		if !l.ok || !match(l.entry) {
			kept = append(kept, l)
			continue
		}
		if !strings.HasSuffix(l.raw, "\n") && len(kept) > 0 {
			last := &kept[len(kept)-1]
			last.raw = cutLineEnd(last.raw)
		}
	}
	if len(kept) == len(f.lines) {
		return false
	}
	if f.err == nil {
		f.lines = kept
		return true
	}
	// The bad line may have been deleted. The lines after it are then read for
	// the first time.
	f.lines = kept
	again, _ := ParseFile(f.Bytes())
	f.lines, f.err, f.bad = again.lines, again.err, again.bad
	if f.err != nil {
		f.err.File = f.path
	}
	return true
}

// formatEntry returns the line for an entry, without a line end.
func formatEntry(id ID, name, comment string) string {
	s := strconv.FormatUint(uint64(id), 10) + "\t" + name
	if comment = strings.TrimSpace(comment); comment != "" {
		s += " # " + comment
	}
	return s
}

// checkEntry returns an *EntryError if iproute2 would not read the entry as it is,
// or if the entry would change the meaning of another word.
func checkEntry(id ID, name, comment string) error {
	err := checkName(name)
	switch {
	case err != nil:
	case id > maxFileID:
		err = ErrRange
	case id.reserved():
		err = fmt.Errorf("%w ID", ErrReserved)
	case reservedName(name):
		err = fmt.Errorf("%w name", ErrReserved)
	case strings.ContainsFunc(comment, unicode.IsControl):
		err = fmt.Errorf("%w: it contains a control character", ErrComment)
	case len(formatEntry(id, name, ""))+len("\r\n") > maxLine:
		err = fmt.Errorf("%w: the line is longer than the %d bytes that iproute2 reads", ErrName, maxLine)
	case len(formatEntry(id, name, comment))+len("\r\n") > maxLine:
		err = fmt.Errorf("%w: the line is longer than the %d bytes that iproute2 reads", ErrComment, maxLine)
	}
	if err != nil {
		return &EntryError{ID: id, Name: name, Err: err}
	}
	return nil
}

// checkName returns why a word cannot be a name.
func checkName(name string) error {
	isBlank := func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }
	isInvisible := func(r rune) bool { return !unicode.IsPrint(r) }
	switch {
	case name == "":
		return fmt.Errorf("%w: it is empty", ErrName)
	case !utf8.ValidString(name):
		return fmt.Errorf("%w: it is not UTF-8", ErrName)
	case strings.ContainsFunc(name, isBlank):
		return fmt.Errorf("%w: it contains a blank or a control character", ErrName)
	case strings.ContainsFunc(name, isInvisible):
		r := []rune(name)[slices.IndexFunc([]rune(name), isInvisible)]
		return fmt.Errorf("%w: it contains the invisible character %U", ErrName, r)
	case strings.Contains(name, "#"):
		return fmt.Errorf("%w: it contains a #, which begins a comment", ErrName)
	case looksNumeric(name):
		return fmt.Errorf("%w: it is a number, and would hide the table with that number from ip(8)", ErrName)
	}
	return nil
}

// reservedName reports whether the name has a meaning without any file (main,
// local, default), in the file that iproute2 ships (unspec), or as a word of ip
// route show table (all, cache).
func reservedName(name string) bool {
	switch name {
	case "main", "local", "default", "unspec", "all", "cache":
		return true
	}
	return false
}

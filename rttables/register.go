package rttables

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Mark is the comment of a line that [Register] wrote. [Unregister] removes no other
// line.
const Mark = "policyroute"

// defaultEtc is the administrator's directory; see defaultDirs.
const defaultEtc = "/etc/iproute2"

// Register gives table id the name, in a file of the directory etc; the default is
// /etc/iproute2. If ip(8) already finds the table by that name, Register writes
// nothing. Otherwise it adds a line with the comment policyroute, which marks the
// line as its own, to the file that [RegisterFile] returns. It creates the file and
// the directories that are missing, for everyone to read.
//
// The error is a [*ConflictError] if the name or the ID is already in use, an
// [*EntryError] if they cannot be in a file, a [*SyntaxError] if the file is
// damaged, and otherwise as for [Edit]. On an error nothing is written.
func Register(etc string, id ID, name string) error {
	return newRegistry(etc).register(id, name)
}

// RegisterAll is [Register] for several entries. It reads the files and writes the
// file once. Only the ID and the name of an entry count. RegisterAll returns an error
// for each entry, nil for those that are registered. The other entries are written
// also if one is refused.
func RegisterAll(etc string, entries ...Entry) []error {
	return newRegistry(etc).registerAll(entries)
}

// RegisterFile returns the file of the directory etc that [Register] adds lines to:
// etc/rt_tables if that file exists, and otherwise etc/rt_tables.d/policyroute.conf.
// Register creates no rt_tables, because in /etc/iproute2 it would hide the one that
// the distribution has in another directory.
func RegisterFile(etc string) string {
	main, conf := newRegistry(etc).files()
	if _, err := os.Stat(main); errors.Is(err, fs.ErrNotExist) {
		return conf
	}
	return main
}

// Refusal returns the error that [Register] would return because of what the files say
// now, and nil if they have nothing against the entry. It writes nothing, and so does not
// find out whether Register can write.
func Refusal(etc string, id ID, name string) error {
	r, e := newRegistry(etc), Entry{ID: id, Name: name}
	errs := make([]error, 1)
	if todo := r.unknown([]Entry{e}, errs); len(todo) == 0 {
		return errs[0]
	}
	if err := checkEntry(id, name, Mark); err != nil {
		return err
	}
	path := RegisterFile(r.etc)
	b, err := readFile(path)
	if err == nil {
		f, _ := ParseFile(b) // a copy: the file stays as it is
		if f.path = path; f.err != nil {
			f.err.File = path
		}
		err = f.Set(id, name, Mark)
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return registerError(e, path, err)
}

// Unregister undoes [Register]: it removes the line with this ID and this name that
// Register wrote. It then removes the file and the directories that Register created,
// if nothing else is in them; where several processes do so at once, an empty directory
// can stay. It changes no other line. If there is no such line,
// Unregister writes nothing and returns nil. The error is a [*SyntaxError] if the
// line is in a damaged file, and otherwise as for [Edit].
func Unregister(etc string, id ID, name string) error {
	return newRegistry(etc).unregister(id, name)
}

// UnregisterAll is [Unregister] for several entries. It writes each file once. Only
// the ID and the name of an entry count. UnregisterAll returns an error for each
// entry, nil for those of which no line is left.
func UnregisterAll(etc string, entries ...Entry) []error {
	return newRegistry(etc).unregisterAll(entries)
}

// Registered reports whether there is a line that [Unregister] would remove.
func Registered(etc string, id ID, name string) bool {
	return RegisteredFile(etc, id, name) != ""
}

// RegisteredFile returns the file with the line that [Unregister] would remove, and
// an empty string if there is no such line.
func RegisteredFile(etc string, id ID, name string) string {
	main, conf := newRegistry(etc).files()
	for _, path := range []string{main, conf} {
		if b, err := readFile(path); err == nil && hasLine(b, ourEntry(id, name)) {
			return path
		}
	}
	return ""
}

// ourEntry returns the entry that Register writes.
func ourEntry(id ID, name string) Entry { return Entry{ID: id, Name: name, Comment: Mark} }

// A registry is a directory to register names in, and the directories of the
// distribution that iproute2 reads with it.
type registry struct {
	etc     string
	vendors []string
}

func newRegistry(etc string) registry {
	if etc == "" {
		etc = defaultEtc
	}
	r := registry{etc: filepath.Clean(etc)}
	if r.etc == filepath.Clean(defaultEtc) {
		for _, dir := range defaultDirs[1:] {
			r.vendors = append(r.vendors, "/"+dir)
		}
	}
	return r
}

// files returns the files that Register can write.
func (r registry) files() (main, conf string) {
	file := specs[tables].file
	return filepath.Join(r.etc, file), filepath.Join(r.etc, file+".d", Mark+".conf")
}

package rttables

import (
	"context"
	"path/filepath"

	"github.com/policyroute/policyroute/internal/files"
)

// Mark is the comment of a line that [Register] wrote. [Unregister] removes no other
// line.
const Mark = "policyroute"

// defaultEtc is the administrator's directory; see defaultDirs.
const defaultEtc = "/etc/iproute2"

// Register gives table id the name, in a file of the directory etc; the default is
// /etc/iproute2. If ip(8) already finds the table by that name, Register writes nothing.
// Otherwise it adds a line with the comment policyroute, which marks the line as its own,
// to the file that [Files.RegisterFile] returns. It creates the file and missing
// directories, readable for everyone.
//
// The error is a [*ConflictError] if the name or the ID is already in use, an
// [*EntryError] if they cannot be in a file, and a [*SyntaxError] if the file is
// damaged. Other errors are those of [Edit]. After an error, nothing has been written.
//
// When ctx ends, Register no longer waits for the lock. Nothing can interrupt a file system
// that does not answer.
func Register(ctx context.Context, etc string, id ID, name string) error {
	return RegisterAll(ctx, etc, Entry{ID: id, Name: name})[0]
}

// RegisterAll is [Register] for several entries. It reads the files once, and writes
// the file once. It uses only the ID and the name of an entry. RegisterAll returns an
// error for each entry, which is nil if the entry is registered. If one entry is
// refused, the others are written all the same.
func RegisterAll(ctx context.Context, etc string, entries ...Entry) []error {
	return newRegistry(etc).registerAll(ctx, entries)
}

// Unregister undoes [Register]: it removes the line with this ID and this name that
// Register wrote. It then removes the file and the directories that Register created,
// if nothing else is in them. If several processes do this at the same time, an empty
// directory can be left. It changes no other line. If there is no such line, Unregister
// writes nothing and returns nil. The error is a [*SyntaxError] if the line is in a
// damaged file. Other errors are those of [Edit].
func Unregister(ctx context.Context, etc string, id ID, name string) error {
	return UnregisterAll(ctx, etc, Entry{ID: id, Name: name})[0]
}

// UnregisterAll is [Unregister] for several entries. It writes each file once. It uses
// only the ID and the name of an entry. UnregisterAll returns an error for each entry,
// which is nil if no such line is left.
func UnregisterAll(ctx context.Context, etc string, entries ...Entry) []error {
	return newRegistry(etc).unregisterAll(ctx, entries)
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

// sources returns the directories that iproute2 reads.
func (r registry) sources() []source {
	var all []source
	for _, dir := range append([]string{r.etc}, r.vendors...) {
		all = append(all, source{fsys: files.Dir(dir), dir: ".", label: dir})
	}
	return all
}

// scanTables reads the files of tables.
func (r registry) scanTables() scanner {
	s := scanner{sources: r.sources()}
	s.scan(&specs[tables])
	return s
}

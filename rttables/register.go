package rttables

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// mark is the comment of a line that Register wrote. Unregister removes no other
// line.
const mark = "policyroute"

// The first line of a file that Register created, alone or with its directory.
const (
	headerFile = "# Made by policyroute, which removes this file with the last name in it."
	headerDir  = "# Made by policyroute, which removes this file and its directory with the last name in it."
)

// defaultEtc is the administrator's directory; see defaultDirs.
const defaultEtc = "/etc/iproute2"

// Register gives table id the name, in a file of the directory etc; the default is
// /etc/iproute2. If ip(8) already finds the table by that name, Register writes
// nothing. Otherwise it adds a line with the comment policyroute, which marks the
// line as its own:
//
//   - to etc/rt_tables, if that file exists;
//   - for /etc/iproute2, if the distribution has an rt_tables in another directory,
//     to rt_tables.d/policyroute.conf, because a file in etc would hide that one;
//   - else to a new etc/rt_tables.
//
// The error is a [*ConflictError] if the name or the ID is already in use, an
// [*EntryError] if they cannot be in a file, a [*SyntaxError] if the file is
// damaged, and otherwise as for [Edit]: [fs.ErrNotExist] if the directory is
// missing. On an error nothing is written.
func Register(etc string, id ID, name string) error {
	return newRegistry(etc).register(id, name)
}

// Unregister undoes [Register]: it removes the line with this ID and this name that
// Register wrote. It then removes the file, if Register created it and it has no
// other line. It changes no other line. If there is no such line, Unregister
// writes nothing and returns nil. The error is a [*SyntaxError] if the line is in
// a damaged file, and otherwise as for [Edit].
func Unregister(etc string, id ID, name string) error {
	return newRegistry(etc).unregister(id, name)
}

// Registered reports whether there is a line that [Unregister] would remove.
func Registered(etc string, id ID, name string) bool {
	main, conf := newRegistry(etc).files()
	for _, path := range []string{main, conf} {
		if b, err := os.ReadFile(path); err == nil && hasLine(b, ourEntry(id, name)) {
			return true
		}
	}
	return false
}

// ourEntry returns the entry that Register writes.
func ourEntry(id ID, name string) Entry { return Entry{ID: id, Name: name, Comment: mark} }

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
	return filepath.Join(r.etc, file), filepath.Join(r.etc, file+".d", mark+".conf")
}

func (r registry) register(id ID, name string) error {
	// The first check is without the lock, which takes time and a permission.
	if known, err := r.known(id, name); known || err != nil {
		return err
	}
	if err := checkEntry(id, name, mark); err != nil {
		return err
	}
	lock, err := lockDir(r.etc)
	if err != nil {
		return fmt.Errorf("rttables: register %d %q: %w", uint32(id), name, err)
	}
	defer lock.unlock()
	if known, err := r.known(id, name); known || err != nil {
		return err
	}
	path, madeDir, err := r.makePlace()
	if err == nil {
		err = edit(path, lock, func(f *File) error {
			return f.setOurs(id, name, madeDir)
		})
	}
	if err != nil {
		if madeDir {
			os.Remove(filepath.Dir(path)) // fails if another process already uses it
		}
		return fmt.Errorf("rttables: register %d %q in %s: %w", uint32(id), name, path, err)
	}
	return nil
}

// setOurs adds a marked entry, after a header if the file is new.
func (f *File) setOurs(id ID, name string, madeDir bool) error {
	if f.absent {
		header := headerFile
		if madeDir {
			header = headerDir
		}
		f.lines = append(f.lines, line{raw: header + "\n"})
	}
	return f.Set(id, name, mark)
}

// known returns whether ip finds table id by name. The error is a *ConflictError if
// the ID or the name is in use otherwise, or the error of a file that cannot be
// read. The entries of a damaged file count if iproute2 reads them.
func (r registry) known(id ID, name string) (bool, error) {
	var s scanner
	for _, dir := range append([]string{r.etc}, r.vendors...) {
		s.sources = append(s.sources, source{fsys: os.DirFS(dir), dir: ".", label: dir})
	}
	s.scan(&specs[tables])
	for _, err := range s.errs {
		if _, damaged := err.(*SyntaxError); !damaged {
			return false, fmt.Errorf("rttables: register %d %q: %w", uint32(id), name, err)
		}
	}
	db := specs[tables].db(s.entries)
	found, taken := db.Lookup(name)
	exact := taken && ID(found) == id
	for i, e := range s.entries {
		inUse := e.Name == name && e.ID == ID(found) || !taken && e.ID == id
		if inUse && !exact {
			return false, &ConflictError{
				ID: id, Name: name, HaveID: e.ID, HaveName: e.Name, File: s.files[i], Line: e.Line,
			}
		}
	}
	return exact, nil
}

// makePlace returns the file to write to. If the file needs a directory, makePlace
// makes it.
func (r registry) makePlace() (path string, madeDir bool, err error) {
	path, conf := r.files()
	exists := func(p string) bool {
		_, err := os.Stat(p)
		return !errors.Is(err, fs.ErrNotExist)
	}
	vendor := slices.ContainsFunc(r.vendors, func(dir string) bool {
		return exists(filepath.Join(dir, specs[tables].file))
	})
	if exists(path) || !vendor {
		return path, false, nil
	}
	err = os.Mkdir(filepath.Dir(conf), 0o755)
	if errors.Is(err, fs.ErrExist) {
		return conf, false, nil
	}
	if err != nil {
		return conf, false, err
	}
	return conf, true, syncDir(r.etc)
}

func (r registry) unregister(id ID, name string) error {
	main, conf := r.files()
	var errs []error
	for _, path := range []string{main, conf} {
		if err := r.removeFrom(path, id, name); err != nil {
			errs = append(errs, fmt.Errorf("rttables: unregister %d %q in %s: %w", uint32(id), name, path, err))
		}
	}
	return errors.Join(errs...)
}

// removeFrom removes the line that Register wrote from one file, and the file and
// its directory if Register created them and they are not in use.
func (r registry) removeFrom(path string, id ID, name string) error {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	ours := ourEntry(id, name)
	if err != nil || !hasLine(b, ours) {
		return err
	}
	lock, err := lockDir(r.etc)
	if err != nil {
		return err
	}
	defer lock.unlock()
	var madeDir bool
	err = edit(path, lock, func(f *File) error {
		if err := f.writable(); err != nil {
			return err
		}
		deleted := f.deleteIf(func(e Entry) bool { return e == ours })
		rest := strings.TrimSpace(string(f.Bytes()))
		f.remove = deleted && (rest == headerFile || rest == headerDir)
		madeDir = f.remove && rest == headerDir
		return nil
	})
	if err == nil && madeDir {
		if os.Remove(filepath.Dir(path)) == nil { // else another process uses it
			err = syncDir(r.etc)
		}
	}
	return err
}

// hasLine reports whether a file has the entry. It also finds an entry after a bad
// line, which a File does not have.
func hasLine(b []byte, want Entry) bool {
	for raw := range strings.Lines(string(b)) {
		if e, ok, _ := parseLine(raw); ok && e == want {
			return true
		}
	}
	return false
}

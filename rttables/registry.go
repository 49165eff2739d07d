package rttables

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/policyroute/policyroute/internal/files"
)

// registerAll registers entries. The errors are parallel to the entries.
func (r registry) registerAll(ctx context.Context, entries []Entry) []error {
	errs := make([]error, len(entries))
	// The first look is without the lock, which takes time and a permission.
	scan := r.scanTables()
	todo := scan.unknown(entries, errs)
	for k, i := range todo {
		if err := checkEntry(entries[i].ID, entries[i].Name, Mark); err != nil {
			errs[i], todo[k] = err, -1
		}
	}
	if todo = without(todo, -1); len(todo) == 0 {
		return errs
	}
	fail := func(err error, path string) {
		for _, i := range todo {
			if errs[i] == nil {
				errs[i] = registerError(entries[i], path, err)
			}
		}
	}
	lock, made, err := r.lockMade(ctx)
	if err != nil {
		fail(err, "")
		return errs
	}
	defer lock.unlock()
	var wanted []Entry
	for _, i := range todo {
		wanted = append(wanted, entries[i])
	}
	again := make([]error, len(wanted))
	places := todo
	todo = nil
	scan = r.scanTables()
	for _, k := range scan.unknown(wanted, again) {
		todo = append(todo, places[k])
	}
	for k, i := range places {
		errs[i] = again[k]
	}
	path := r.registerFile()
	more, err := makeDirs(filepath.Dir(path))
	made += more
	if err == nil && len(todo) > 0 {
		err = edit(ctx, path, lock, func(f *File) error {
			for _, i := range todo {
				errs[i] = nil
				if err := f.setOurs(entries[i], made); err != nil {
					errs[i] = registerError(entries[i], path, err)
				}
			}
			return nil
		})
	}
	if err != nil {
		fail(err, path)
	}
	if _, statErr := os.Stat(path); statErr != nil {
		lock.removeDirs(filepath.Dir(path), made)
	}
	return errs
}

func registerError(e Entry, path string, err error) error {
	if path == "" {
		return fmt.Errorf("rttables: register %d %q: %w", uint32(e.ID), e.Name, err)
	}
	return fmt.Errorf("rttables: register %d %q in %s: %w", uint32(e.ID), e.Name, path, err)
}

func without(all []int, x int) []int {
	var kept []int
	for _, v := range all {
		if v != x {
			kept = append(kept, v)
		}
	}
	return kept
}

// setOurs adds a marked entry, after a header if the file is new. made is how many
// directories were made for the file.
func (f *File) setOurs(e Entry, made int) error {
	if !f.absent || len(f.lines) > 0 {
		return f.Set(e.ID, e.Name, Mark)
	}
	f.lines = append(f.lines, line{raw: header(made) + "\n"})
	err := f.Set(e.ID, e.Name, Mark)
	if err != nil {
		f.lines = nil
	}
	return err
}

// The first line of a file that Register created: alone, with its directory, or with
// more directories.
const (
	headerFile = "# Made by policyroute, which removes this file with the last name in it."
	headerDir  = "# Made by policyroute, which removes this file and its directory with the last name in it."
	headerDirs = "# Made by policyroute, which removes this file and the %d directories above it with the last name in it."
)

// header returns the first line of a file for which some directories were made.
func header(made int) string {
	switch made {
	case 0:
		return headerFile
	case 1:
		return headerDir
	}
	return fmt.Sprintf(headerDirs, made)
}

// parseHeader returns how many directories were made for a file, and whether its text
// is nothing but a header.
func parseHeader(text string) (made int, ok bool) {
	if _, err := fmt.Sscanf(text, headerDirs, &made); err != nil || made > 1000 {
		made = 1
	}
	for _, n := range []int{0, made} {
		if text == header(n) {
			return n, true
		}
	}
	return 0, false
}

// unknown returns the indexes of the entries that ip does not know, in ascending
// order. It sets an error for each entry whose ID or name is in use otherwise, and for
// all if a file cannot be read. The entries of a damaged file count if iproute2 reads
// them.
func (s *scanner) unknown(entries []Entry, errs []error) []int {
	if err := s.unreadable(); err != nil {
		for i, e := range entries {
			errs[i] = registerError(e, "", err)
		}
		return nil
	}
	db := specs[tables].db(s.entries)
	type key struct {
		id   ID
		name string
	}
	byKey, byID := make(map[key]int), make(map[ID]int) // the first line of each
	for i, e := range s.entries {
		if _, ok := byKey[key{e.ID, e.Name}]; !ok {
			byKey[key{e.ID, e.Name}] = i
		}
		if _, ok := byID[e.ID]; !ok {
			byID[e.ID] = i
		}
	}
	var todo []int
	for i, e := range entries {
		found, taken := db.Lookup(e.Name)
		if taken && ID(found) == e.ID {
			continue
		}
		at, inUse := byID[e.ID]
		if taken {
			at, inUse = byKey[key{ID(found), e.Name}]
		}
		if !inUse {
			todo = append(todo, i)
			continue
		}
		have := s.entries[at]
		errs[i] = &ConflictError{
			ID: e.ID, Name: e.Name, HaveID: have.ID, HaveName: have.Name, File: s.files[at], Line: have.Line,
		}
	}
	return todo
}

// lockMade makes the directory etc if it is missing, and locks it. It returns how many
// directories it made.
func (r registry) lockMade(ctx context.Context) (lock *dirLock, made int, err error) {
	for range manyTimes { // another process can remove what it made
		if made, err = makeDirs(r.etc); err == nil {
			lock, err = lockDir(ctx, r.etc)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err != nil {
		removeDirs(r.etc, made)
		return nil, 0, err
	}
	return lock, made, nil
}

// manyTimes is how often others may make an attempt fail.
const manyTimes = 1000

// makeDirs makes a directory and those above it that are missing, with mode 0755
// whatever the umask: every user has to be able to read the names. It returns how many
// it made. After an error it has removed them.
func makeDirs(dir string) (made int, err error) {
	err = os.Mkdir(dir, 0o755)
	if errors.Is(err, fs.ErrNotExist) && filepath.Dir(dir) != dir {
		if made, err = makeDirs(filepath.Dir(dir)); err != nil {
			return 0, err
		}
		err = os.Mkdir(dir, 0o755)
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return made, nil // what is there may not be a directory, which the next step says
	case err == nil:
		made++
		if err = os.Chmod(dir, 0o755); err == nil {
			err = syncDir(filepath.Dir(dir))
		}
		if err != nil {
			removeDirs(dir, made)
			return 0, err
		}
		return made, nil
	}
	// A file system that cannot be written to says so also of a directory that is there.
	if info, statErr := os.Stat(dir); statErr == nil && info.IsDir() {
		return made, nil
	}
	removeDirs(filepath.Dir(dir), made)
	return 0, err
}

// removeDirs removes a directory and those above it, n in all, as long as they are
// empty.
func removeDirs(dir string, n int) {
	for ; n > 0 && os.Remove(dir) == nil; n-- {
		dir = filepath.Dir(dir)
		_ = syncDir(dir)
	}
}

// removeDirs is removeDirs for a caller that has the lock of one of the directories, which
// is a file in it.
func (l *dirLock) removeDirs(dir string, n int) {
	for ; n > 0; n-- {
		if isSameDir(dir, l.dir) {
			l.unlock()
		}
		if os.Remove(dir) != nil {
			return
		}
		dir = filepath.Dir(dir)
		_ = syncDir(dir)
	}
}

// unregisterAll removes entries. The errors are parallel to the entries.
func (r registry) unregisterAll(ctx context.Context, entries []Entry) []error {
	main, conf := r.files()
	errs := make([]error, len(entries))
	for _, path := range []string{main, conf} {
		present, err := r.removeFrom(ctx, path, entries)
		for i, e := range entries {
			if err != nil && (present == nil || present[i]) {
				err := fmt.Errorf("rttables: unregister %d %q in %s: %w", uint32(e.ID), e.Name, path, err)
				errs[i] = errors.Join(errs[i], err)
			}
		}
	}
	return errs
}

// removeFrom removes the lines that Register wrote for entries from one file, and the
// file and its directories if Register created them and they are not in use. It returns
// which entries the file had; nil if it cannot be read.
func (r registry) removeFrom(ctx context.Context, path string, entries []Entry) (present []bool, err error) {
	b, err := files.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	ours := make(map[Entry]bool)
	for raw := range strings.Lines(string(b)) {
		// An entry after a bad line counts as well, which a File does not have.
		if e, ok, _ := parseLine(raw); ok {
			ours[e] = true
		}
	}
	delete := make(map[Entry]bool)
	for _, e := range entries {
		e = ourEntry(e.ID, e.Name)
		present = append(present, ours[e])
		if ours[e] {
			delete[e] = true
		}
	}
	if len(delete) == 0 {
		return present, nil
	}
	lock, err := lockDir(ctx, r.etc)
	if errors.Is(err, fs.ErrNotExist) {
		return present, nil // another process has removed the directory
	}
	if err != nil {
		return present, err
	}
	defer lock.unlock()
	made := 0
	err = edit(ctx, path, lock, func(f *File) error {
		if err := f.writable(); err != nil {
			return err
		}
		deleted := f.deleteIf(func(e Entry) bool { return delete[e] })
		var only bool
		made, only = parseHeader(strings.TrimSpace(string(f.Bytes())))
		f.remove = deleted && only
		if !f.remove {
			made = 0
		}
		return nil
	})
	switch {
	case errors.Is(err, fs.ErrNotExist): // another process has removed the file's directory
		return present, nil
	case err == nil:
		lock.removeDirs(filepath.Dir(path), made)
	}
	return present, err
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

package rttables

import (
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
)

// defaultDirs is where iproute2 looks: what the administrator wrote, then what the
// distribution ships, in either of two places.
var defaultDirs = [...]string{"etc/iproute2", "usr/share/iproute2", "usr/lib/iproute2"}

// Load reads the names from a file system rooted at /, such as os.DirFS("/"), in
// the order in which iproute2 does. Without dirs these are etc/iproute2,
// usr/share/iproute2 and usr/lib/iproute2: the first is the administrator's, the
// others are the distribution's. Each database is read from
//
//   - its main file, in the first directory that has it: so a file of the
//     administrator's replaces the distribution's as a whole;
//   - for rt_tables and rt_protos, then every NAME.d/*.conf of the distribution's
//     directories, unless the administrator's NAME.d has a file of the same name;
//   - then every NAME.d/*.conf of the administrator's.
//
// Of a NAME.d, the files are read in the order of their names. iproute2 takes
// them as the directory lists them, which matters only if two contradict.
//
// A missing file or directory is no error. On any other, the *Names is usable,
// and has all that iproute2 has: a damaged file counts up to its first bad line.
// The error then joins one [*SyntaxError] for each damaged file, and the error of
// each file that could not be read.
func Load(fsys fs.FS, dirs ...string) (*Names, error) {
	if len(dirs) == 0 {
		dirs = defaultDirs[:]
	}
	sources := make([]source, len(dirs))
	for i, dir := range dirs {
		sources[i] = source{fsys: fsys, dir: dir, label: dir}
	}
	var errs []error
	for _, dir := range dirs {
		if !fs.ValidPath(dir) { // an fs.FS may call it missing, which would hide the mistake
			errs = append(errs, &fs.PathError{Op: "open", Path: dir, Err: fs.ErrInvalid})
		}
	}
	n := new(Names)
	for k := range specs {
		s := scanner{sources: sources}
		s.scan(&specs[k])
		n.dbs[k] = specs[k].db(s.entries)
		errs = append(errs, s.errs...)
	}
	return n, errors.Join(errs...)
}

// A source is one directory of name files.
type source struct {
	fsys  fs.FS
	dir   string // in fsys
	label string // of dir, for errors
}

// path returns the name of a file as the caller knows it.
func (s source) path(name string) string {
	return filepath.ToSlash(filepath.Join(s.label, name))
}

// atPath gives an error of a file system the path that the caller knows.
func atPath(err error, path string) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return &fs.PathError{Op: pe.Op, Path: path, Err: pe.Err}
	}
	return &fs.PathError{Op: "read", Path: path, Err: err}
}

// A scanner collects the entries of one database from all the files it is in.
type scanner struct {
	sources []source
	entries []Entry
	files   []string // parallel to entries: where each stands
	errs    []error
}

func (s *scanner) scan(spec *spec) {
	for _, src := range s.sources {
		if s.read(src, spec.file) {
			break
		}
	}
	if !spec.confDir || len(s.sources) == 0 {
		return
	}
	admin, seen := s.sources[0], make(map[string]bool)
	own := s.list(admin, spec.file+".d", seen)
	for _, src := range s.sources[1:] {
		for _, name := range s.list(src, spec.file+".d", seen) {
			s.read(src, name)
		}
	}
	for _, name := range own {
		s.read(admin, name)
	}
}

// list returns the files of a NAME.d that iproute2 reads and that are not yet
// seen, and marks them as seen.
func (s *scanner) list(src source, dir string, seen map[string]bool) []string {
	found, err := fs.ReadDir(src.fsys, path.Join(src.dir, dir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.errs = append(s.errs, atPath(err, src.path(dir)))
	}
	var names []string
	for _, f := range found {
		base := f.Name()
		if !strings.HasSuffix(base, ".conf") || base[0] == '.' || seen[base] {
			continue
		}
		seen[base] = true
		names = append(names, path.Join(dir, base))
	}
	return names
}

// read adds the entries of a file, and reports whether the file is there, be it
// unreadable: iproute2 falls back only on one that is missing.
func (s *scanner) read(src source, name string) bool {
	b, err := fs.ReadFile(src.fsys, path.Join(src.dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	label := src.path(name)
	if err != nil {
		s.errs = append(s.errs, atPath(err, label))
		return true
	}
	f, err := ParseFile(b)
	if err != nil {
		f.err.File = label
		s.errs = append(s.errs, f.err)
	}
	for _, e := range f.Entries() {
		s.entries = append(s.entries, e)
		s.files = append(s.files, label)
	}
	return true
}

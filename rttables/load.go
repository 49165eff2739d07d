package rttables

import (
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"github.com/policyroute/policyroute/internal/files"
)

// defaultDirs are the directories that iproute2 reads: first that of the
// administrator, then the two possible ones of the distribution.
var defaultDirs = [...]string{"etc/iproute2", "usr/share/iproute2", "usr/lib/iproute2"}

// Load reads the names from a file system rooted at /, such as os.DirFS("/"), in
// the order in which iproute2 does. The default for dirs is etc/iproute2,
// usr/share/iproute2 and usr/lib/iproute2. The first directory is that of the
// administrator, the others are those of the distribution. Each database is read
// from
//
//   - its main file, in the first directory that has one: a file of the
//     administrator replaces the whole file of the distribution;
//   - then, for rt_tables and rt_protos, every NAME.d/*.conf in the directories of
//     the distribution, unless the administrator's NAME.d has a file of the same
//     name;
//   - then every NAME.d/*.conf in the directory of the administrator.
//
// Load reads the files of a NAME.d in the order of their names. iproute2 reads them
// in the order of the directory, which matters only if two files contradict each
// other.
//
// A missing file or directory is not an error. A file of another kind than a regular file
// is an error, and is not opened; so is a file of more than 1 MiB. A link to /dev/null is
// an empty file. The *Names is usable even if there is an error, and has the names that
// iproute2 has: of a damaged file, Load uses the entries before the first bad line. The
// error joins a [*SyntaxError] for each damaged file, and the error of each file that
// could not be read.
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
		if !fs.ValidPath(dir) { // an fs.FS may report it as missing, which would hide the mistake
			errs = append(errs, &fs.PathError{Op: "open", Path: dir, Err: fs.ErrInvalid})
		}
	}
	n, scans := loadSources(sources)
	for _, s := range scans {
		errs = append(errs, s.errs...)
	}
	return n, errors.Join(errs...)
}

// loadSources reads all databases. The result scans has what was found for each.
func loadSources(sources []source) (n *Names, scans [len(specs)]scanner) {
	n = new(Names)
	for k := range specs {
		s := scanner{sources: sources}
		s.scan(&specs[k])
		n.dbs[k] = specs[k].db(s.entries)
		scans[k] = s
	}
	return n, scans
}

// A source is one directory of name files.
type source struct {
	fsys  fs.FS
	dir   string // in fsys
	label string // the name of dir, for errors
}

// path returns the name of a file for errors.
func (s source) path(name string) string {
	return filepath.ToSlash(filepath.Join(s.label, name))
}

// atPath returns an error of a file system with another path.
func atPath(err error, path string) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return &fs.PathError{Op: pe.Op, Path: path, Err: pe.Err}
	}
	return &fs.PathError{Op: "read", Path: path, Err: err}
}

// A scanner collects the entries of one database from all its files.
type scanner struct {
	sources []source
	entries []Entry
	files   []string // parallel to entries: the file of each
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

// list returns the files of a NAME.d that iproute2 reads, except those in seen, and
// adds them to seen.
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

// read adds the entries of a file. It returns whether the file exists, even if it
// cannot be read: iproute2 reads the next one only if this one is missing.
func (s *scanner) read(src source, name string) bool {
	b, err := files.ReadFS(src.fsys, path.Join(src.dir, name))
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

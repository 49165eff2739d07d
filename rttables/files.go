package rttables

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/policyroute/policyroute/internal/files"
)

// Files are the files of a directory, as they were when [ReadFiles] read them. They do not
// change afterwards, and are safe for concurrent use. Nil Files have no names.
type Files struct {
	registry registry
	names    *Names
	tables   scanner
	hasMain  bool
	// lines are the files that Register can write, by their paths. An error: the file
	// cannot be read.
	lines map[string]fileLines
}

type fileLines struct {
	text []byte
	err  error
}

// ReadFiles reads the files of the directory etc; the default is /etc/iproute2 with the
// directories of the distribution. [Load] describes what it reads and its errors. The
// *Files is usable even if there is an error.
func ReadFiles(etc string) (*Files, error) {
	r := newRegistry(etc)
	n, scans := loadSources(r.sources())
	f := &Files{registry: r, names: n, tables: scans[tables], lines: make(map[string]fileLines)}
	main, conf := r.files()
	for _, path := range []string{main, conf} {
		text, err := files.Read(path)
		f.lines[path] = fileLines{text, err}
	}
	f.hasMain = !errors.Is(f.lines[main].err, fs.ErrNotExist)
	var errs []error
	for _, s := range scans {
		errs = append(errs, s.errs...)
	}
	return f, errors.Join(errs...)
}

// Names returns the names that the files give.
func (f *Files) Names() *Names {
	if f == nil {
		return nil
	}
	return f.names
}

// Err returns the reason if [Files.Registered] may have missed a line: the errors of
// existing files that Register writes and that could not be read. A damaged file is not
// an error here.
func (f *Files) Err() error {
	if f == nil {
		return nil
	}
	main, conf := f.registry.files()
	var all error
	for _, path := range []string{main, conf} {
		if err := f.lines[path].err; !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
			all = errors.Join(all, err)
		}
	}
	return all
}

// unreadable returns the error of the first file that could not be read.
func (s *scanner) unreadable() error {
	for _, err := range s.errs {
		if _, damaged := err.(*SyntaxError); !damaged {
			return err
		}
	}
	return nil
}

// RegisterFile returns the file that [Register] adds lines to: etc/rt_tables if that file
// exists, and otherwise etc/rt_tables.d/policyroute.conf. Register creates no rt_tables,
// because in /etc/iproute2 it would hide the one that the distribution has in another
// directory.
func (f *Files) RegisterFile() string {
	if f == nil {
		f = &Files{registry: newRegistry(""), hasMain: true}
	}
	main, conf := f.registry.files()
	if !f.hasMain {
		return conf
	}
	return main
}

// registerFile is RegisterFile for the files as they are now.
func (r registry) registerFile() string {
	main, conf := r.files()
	if _, err := os.Stat(main); errors.Is(err, fs.ErrNotExist) {
		return conf
	}
	return main
}

// RegisteredFile returns the file with the line that [Unregister] would remove, and an
// empty string if there is no such line.
func (f *Files) RegisteredFile(id ID, name string) string {
	if f == nil {
		return ""
	}
	main, conf := f.registry.files()
	for _, path := range []string{main, conf} {
		if l := f.lines[path]; l.err == nil && hasLine(l.text, ourEntry(id, name)) {
			return path
		}
	}
	return ""
}

// Registered reports whether there is a line that [Unregister] would remove.
func (f *Files) Registered(id ID, name string) bool { return f.RegisteredFile(id, name) != "" }

// Refusal returns the error that [Register] would return because of the contents of the
// files, or nil if the files do not prevent the entry. It does not check whether
// Register can write the file.
func (f *Files) Refusal(id ID, name string) error {
	if f == nil {
		f = new(Files)
	}
	e := Entry{ID: id, Name: name}
	errs := make([]error, 1)
	if todo := f.tables.unknown([]Entry{e}, errs); len(todo) == 0 {
		return errs[0]
	}
	if err := checkEntry(id, name, Mark); err != nil {
		return err
	}
	path := f.RegisterFile()
	l := f.lines[path]
	err := l.err
	if err == nil {
		file, _ := ParseFile(l.text) // a copy: the file stays as it is
		if file.path = path; file.err != nil {
			file.err.File = path
		}
		err = file.Set(id, name, Mark)
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return registerError(e, path, err)
}

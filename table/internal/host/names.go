package host

import (
	"cmp"
	"path/filepath"
	"sync"
	"time"

	"github.com/policyroute/policyroute/internal/files"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

// Names are the names that errors and plans use. Names of interfaces are known from the
// start. Files are read when they are first needed, which may be never, because an
// uplink's table can be a number. A nil *Names has no names.
type Names struct {
	etc   string
	links func() *route.Links // nil: they are known
	known route.Names
	disk  *disk // nil: files are not read

	onceAll, onceFiles, onceOfCommands sync.Once

	ofCommands route.Names
	// registered reports whether the name of a table is ours. Nil: the files decide.
	registered func(rttables.ID, string) bool
}

// NewNames returns the names of interfaces, and of the files in the directory etc, or of
// /etc/iproute2 and its fallbacks if etc is empty. [ReadFiles] reads the files.
func NewNames(etc string, links *route.Links) *Names {
	return NewNamesBy(func() (*rttables.Files, error) { return ReadFiles(etc) }, etc, links)
}

// readWithin is how long the files of names may take to be read. Uplinks work without names.
const readWithin = 2 * time.Second

// ReadFiles is [rttables.ReadFiles], but does not wait for a file system that does not answer:
// the error is then a [*files.SilentError].
func ReadFiles(etc string) (*rttables.Files, error) {
	return files.Within(readWithin, cmp.Or(etc, "/etc/iproute2"), func() (*rttables.Files, error) { return rttables.ReadFiles(etc) })
}

// NewNamesBy is NewNames for files that a function reads.
func NewNamesBy(read func() (*rttables.Files, error), etc string, links *route.Links) *Names {
	return &Names{etc: etc, known: route.Names{Links: links}, disk: &disk{read: read}}
}

// A disk is the files of names, which are read once, and only when they are needed.
type disk struct {
	read  func() (*rttables.Files, error)
	once  sync.Once
	files *rttables.Files
	err   error
}

// all returns the files; nil if they could not be read.
func (d *disk) all() *rttables.Files {
	if d == nil {
		return nil
	}
	d.once.Do(func() { d.files, d.err = d.read() })
	return d.files
}

// Unreadable returns why Registered may miss a name: a file could not be read.
func (n *Names) Unreadable() error {
	if n == nil || n.disk == nil {
		return nil
	}
	if n.disk.all() == nil {
		return n.disk.err
	}
	return n.disk.files.Err()
}

// MakeNames returns names that are not read from files. Those of tables that
// registered returns true for are ours.
func MakeNames(links *route.Links, files *rttables.Names, registered func(rttables.ID, string) bool) *Names {
	if files == nil {
		files = new(rttables.Names)
	}
	return &Names{known: route.Names{Links: links, Files: files}, registered: registered}
}

// LazyNames is NewNames for interfaces that are read when a name is first needed.
func LazyNames(etc string, links func() *route.Links) *Names {
	n := NewNames(etc, nil)
	n.links = links
	return n
}

// All returns all names.
func (n *Names) All() *route.Names {
	if n == nil {
		return nil
	}
	n.onceAll.Do(func() {
		n.Files()
		if n.links != nil {
			n.known.Links = n.links()
		}
	})
	return &n.known
}

// OfCommands returns the names for commands of ip(8), which reads the names of tables
// only in its own directory.
func (n *Names) OfCommands() *route.Names {
	all := n.All()
	if n == nil || n.registered != nil || isDefault(n.etc) {
		return all
	}
	n.onceOfCommands.Do(func() {
		names, _ := ReadFiles("")
		n.ofCommands = route.Names{Links: all.Links, Files: names.Names()}
	})
	return &n.ofCommands
}

// File returns the file with the name of a table, or the one that the name is to be
// written to.
func (n *Names) File(id rttables.ID, name string) string {
	if n == nil || n.registered != nil {
		return "/etc/iproute2/rt_tables"
	}
	if file := n.disk.all().RegisteredFile(id, name); file != "" {
		return file
	}
	return n.disk.all().RegisterFile()
}

// Files returns the names of tables and protocols.
func (n *Names) Files() *rttables.Names {
	if n == nil {
		return nil
	}
	n.onceFiles.Do(func() {
		if n.known.Files == nil {
			n.known.Files = n.disk.all().Names()
		}
	})
	return n.known.Files
}

// Table returns the name of a table, or its number.
func (n *Names) Table(id rttables.ID) string { return n.Files().Name(id) }

// With returns n with other names of tables and protocols.
func (n *Names) With(files *rttables.Names) *Names {
	return &Names{
		etc: n.etc, links: n.links, known: route.Names{Links: n.known.Links, Files: files}, disk: n.disk, registered: n.registered,
	}
}

// Registered reports whether a line of ours gives a table its name.
func (n *Names) Registered(id rttables.ID, name string) bool {
	if n.registered != nil {
		return n.registered(id, name)
	}
	return n.disk.all().Registered(id, name)
}

// Etc returns the directory of the files, empty for the default.
func (n *Names) Etc() string {
	if n == nil {
		return ""
	}
	return n.etc
}

// isDefault reports whether a directory is the one that ip(8) reads.
func isDefault(etc string) bool { return etc == "" || filepath.Clean(etc) == "/etc/iproute2" }

package maintain

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/policyroute/policyroute/internal/files"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/plan"
)

const (
	// namesWithin is how long a look waits for another process that writes names. Uplinks
	// work without names. A file system that takes longer to read them counts as slow.
	namesWithin = 100 * time.Millisecond
	// firstReadWithin, readWithin and writeWithin are how long a look waits for a file
	// system. The first read may take longer, because names decide which table an uplink
	// has.
	firstReadWithin = 2 * time.Second
	readWithin      = 500 * time.Millisecond
	writeWithin     = time.Second
	// namesAgain is the time after which names that had to wait longer are tried again.
	namesAgain = 10 * time.Second
)

// NameFiles are the files of the names of tables. Their file system can be slow, or not
// answer any more. That must not delay repairs.
type nameFiles struct {
	// readFiles is rttables.ReadFiles.
	readFiles func(etc string) (*rttables.Files, error)

	mu    sync.Mutex
	reads map[string]*nameRead // by directory
	// writing says that names are being written.
	writing bool

	// canRetry says that names which could not be written are tried again in this look.
	canRetry bool
	// until is when names that could not be written in time are tried again. Zero: there
	// are none. Held is why no name is written before that. Nil: other names may be
	// written.
	until time.Time
	held  error
}

// A nameRead is the last reading of the files of a directory.
type nameRead struct {
	files *rttables.Files
	err   error
	// pending is closed when a reading that has begun ends. Nil: none has.
	pending chan struct{}
	slow    bool // the last reading took long
}

// read returns the files of a directory as they are. If the file system is slow or does not
// answer, it returns them as they were, or an error if they were never read.
func (n *nameFiles) read(etc string) (*rttables.Files, error) {
	x, done, within := n.beginRead(etc)
	t := time.NewTimer(within)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if x.files == nil {
		return nil, errSilent(etc)
	}
	return x.files, x.err
}

// beginRead begins to read a directory, unless an earlier reading has not ended yet. It
// returns how long to wait for the end.
func (n *nameFiles) beginRead(etc string) (x *nameRead, done <-chan struct{}, within time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if x = n.reads[etc]; x == nil {
		x = new(nameRead)
		n.reads[etc] = x
		within = firstReadWithin
	} else if x.pending == nil && !x.slow {
		within = readWithin
	}
	if x.pending != nil {
		return x, x.pending, 0
	}
	end := make(chan struct{})
	x.pending = end
	go func() {
		begin := time.Now()
		files, err := n.readFiles(etc)
		n.mu.Lock()
		defer n.mu.Unlock()
		x.files, x.err, x.pending, x.slow = files, err, nil, time.Since(begin) > namesWithin
		close(end)
	}()
	return x, end, within
}

func newNameFiles() nameFiles {
	return nameFiles{readFiles: rttables.ReadFiles, reads: make(map[string]*nameRead)}
}

// isSilent reports whether the file system of a directory does not answer: an operation
// that has begun there has not ended.
func (n *nameFiles) isSilent(etc string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	x := n.reads[etc]
	return n.writing || x != nil && x.pending != nil
}

// beginWrite notes that names are being written, until the function that it returns is
// called.
func (n *nameFiles) beginWrite() (end func()) {
	set := func(writing bool) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.writing = writing
		for _, x := range n.reads {
			x.slow = false // the next reading has to see what was written
		}
	}
	set(true)
	return func() { set(false) }
}

func errSilent(etc string) error { return &files.SilentError{Dir: cmp.Or(etc, "/etc/iproute2")} }

// begin begins a look that has causes.
func (n *nameFiles) begin(causes cause) {
	n.canRetry = causes&(causesOwn|causeTime) != 0
	if causes&causesOwn != 0 || !time.Now().Before(n.until) {
		n.held, n.until = nil, time.Time{}
	}
}

// retryIn returns when to look again because of names. Zero: that is not needed.
func (n *nameFiles) retryIn() time.Duration {
	if n.until.IsZero() {
		return 0
	}
	return max(time.Until(n.until), time.Millisecond)
}

// namesOf returns the names of a reading.
func (m *maintainer) namesOf(r *reading, etc string) *host.Names {
	return host.NewNamesBy(func() (*rttables.Files, error) { return m.names.read(etc) }, etc, r.now.Links)
}

// applyNames writes the names of a plan, which has only names. After it had to wait too
// long, no name is written in the same look, and for a while after that.
func (m *maintainer) applyNames(ctx context.Context, names plan.Plan, etc string) error {
	if names.Empty() {
		return nil
	}
	err, refused := m.writeNames(ctx, etc, func(ctx context.Context) error { return names.WriteNames(ctx) })
	if refused {
		return names.Refused(err)
	}
	return err
}

// writeNames calls write, and returns its error. If nothing can be written, or write does
// not return in time, it returns the reason, and true. In the second case write can still
// have an effect.
func (m *maintainer) writeNames(ctx context.Context, etc string, write func(context.Context) error) (err error, refused bool) {
	switch {
	case m.names.held != nil:
		return m.names.held, true
	case m.names.isSilent(etc):
		m.names.until = time.Now().Add(namesAgain)
		return errSilent(etc), true
	}
	within, cancel := context.WithTimeout(ctx, namesWithin)
	defer cancel()
	done := make(chan error, 1)
	ended := m.names.beginWrite()
	go func() {
		err := write(within)
		ended()
		done <- err
	}()
	t := time.NewTimer(writeWithin)
	defer t.Stop()
	select {
	case err = <-done:
	case <-t.C:
		m.names.until = time.Now().Add(namesAgain)
		return errSilent(etc), true
	}
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		m.names.held, m.names.until = heldReason(err, etc), time.Now().Add(namesAgain)
	}
	return err, false
}

// heldReason returns the reason of an error that consists of errors about single names,
// without the names.
func heldReason(err error, etc string) error {
	var file *fs.PathError
	if errors.As(err, &file) {
		return file
	}
	return fmt.Errorf("names in %s take too long to write", cmp.Or(etc, "/etc/iproute2"))
}

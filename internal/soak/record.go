package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// A record is the log of a run: what was done, and what the daemon said. It keeps the
// beginning and the end.
type record struct {
	mu      sync.Mutex
	path    string
	file    *os.File
	size    int
	stderr  io.Writer
	verbose bool
}

// recordSize is how large the log becomes before the part that is older is dropped.
const recordSize = 16 << 20

func newRecord(path string, stderr io.Writer, verbose bool) (*record, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return &record{path: path, file: f, stderr: stderr, verbose: verbose}, nil
}

// print adds a line.
func (r *record) print(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.size > recordSize {
		// One older part is kept.
		if r.file.Close() != nil || os.Rename(r.path, r.path+".old") != nil {
			return
		}
		f, err := os.Create(r.path)
		if err != nil {
			return
		}
		r.file, r.size = f, 0
	}
	n, _ := fmt.Fprintln(r.file, time.Now().Format("15:04:05.000"), line)
	r.size += n
}

// say adds a line, and prints it if -v is set.
func (r *record) say(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	r.print(text)
	if r.verbose {
		fmt.Fprintln(r.stderr, text)
	}
}

// keep copies the log to a file, and returns its name.
func (r *record) keep(to string, seed uint64) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out *os.File
	var err error
	if to != "" {
		out, err = os.Create(to)
	} else {
		out, err = os.CreateTemp("", fmt.Sprintf("policyroute-soak-seed%d-*.log", seed))
	}
	if err != nil {
		return "", err
	}
	for _, part := range []string{r.path + ".old", r.path} {
		in, e := os.Open(part)
		if errors.Is(e, os.ErrNotExist) {
			continue
		}
		if e != nil {
			return "", errors.Join(e, out.Close())
		}
		_, e = io.Copy(out, in)
		err = errors.Join(err, e, in.Close())
	}
	return out.Name(), errors.Join(err, out.Close())
}

func (r *record) close() { r.file.Close() }

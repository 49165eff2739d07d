package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"
)

// A logger writes the log of run: lines of text for people, or of JSON for programs.
type logger struct {
	json    *slog.Logger // nil: text
	out     *queue
	journal bool // standard error is the journal of systemd
}

func newLogger(o options, journal bool, stdout, stderr io.Writer) *logger {
	l := &logger{journal: journal, out: &queue{lines: make(chan []byte, queueSize), done: make(chan struct{})}}
	w := stderr
	if o.json {
		w = stdout
		l.json = slog.New(slog.NewJSONHandler(l.out, nil))
	}
	go l.out.run(w)
	return l
}

// close waits for a limited time until all lines are written.
func (l *logger) close() { l.out.close() }

// write writes a line of the log.
func (l *logger) write(level slog.Level, text string) {
	if n := l.out.takeDropped(); n > 0 {
		l.writeLine(slog.LevelWarn, plural(n, "line")+" of the log were left out: whoever reads it was too slow")
	}
	l.writeLine(level, text)
}

// writeLine writes a line with its level and time. The journal adds the time itself, and
// takes the level as a prefix, see sd-daemon(3).
func (l *logger) writeLine(level slog.Level, text string) {
	if l.json != nil {
		l.json.Log(context.Background(), level, text)
		return
	}
	var prefix string
	switch {
	case !l.journal:
		prefix = time.Now().Format(time.RFC3339) + " "
		if level > slog.LevelInfo {
			prefix += map[slog.Level]string{slog.LevelWarn: "warning: ", slog.LevelError: "error: "}[level]
		}
	case level >= slog.LevelError:
		prefix = "<3>"
	case level >= slog.LevelWarn:
		prefix = "<4>"
	}
	fmt.Fprintln(l.out, prefix+text)
}

// A queue writes lines in a goroutine of its own, so that a slow reader of the log does not
// block run. Lines that do not fit into the queue are dropped.
type queue struct {
	lines chan []byte
	done  chan struct{}

	mu      sync.Mutex
	dropped int
}

// queueSize is the number of lines that a queue can hold, and queuePatience is how long
// close waits.
const (
	queueSize     = 1000
	queuePatience = time.Second
)

func (q *queue) run(w io.Writer) {
	defer close(q.done)
	for line := range q.lines {
		_, _ = w.Write(line) // there is no other place to report it
	}
}

// Write adds a line to the queue.
func (q *queue) Write(line []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.lines) == queueSize { // only Write adds lines
		q.dropped++
	} else {
		q.lines <- bytes.Clone(line)
	}
	return len(line), nil
}

// takeDropped returns the number of lines that were dropped since the last call. It returns
// zero while the queue is so full that a line about it might be dropped too.
func (q *queue) takeDropped() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.lines) > queueSize/2 {
		return 0
	}
	n := q.dropped
	q.dropped = 0
	return n
}

// close waits until the lines of the queue are written, at most queuePatience.
func (q *queue) close() {
	close(q.lines)
	select {
	case <-q.done:
	case <-time.After(queuePatience):
	}
}

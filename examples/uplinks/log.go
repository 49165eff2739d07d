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

// A logger writes the log of a service for an administrator, in lines of plain words,
// or for programs, in lines of JSON.
type logger struct {
	json    *slog.Logger // nil: words
	out     *queue
	journal bool // it is that of systemd
}

func newLogger(o options, journal bool, stdout, stderr io.Writer) *logger {
	l := &logger{journal: journal, out: &queue{lines: make(chan []byte, queueLines), done: make(chan struct{})}}
	w := stderr
	if o.json {
		w = stdout
		l.json = slog.New(slog.NewJSONHandler(l.out, nil))
	}
	go l.out.run(w)
	return l
}

// close waits for what is written still, a while.
func (l *logger) close() { l.out.close() }

// say writes a line of the log.
func (l *logger) say(level slog.Level, text string) {
	if n := l.out.left(); n > 0 {
		l.line(slog.LevelWarn, plural(n, "line")+" of the log were left out: whoever reads it was too slow")
	}
	l.line(level, text)
}

// line writes a line. The journal has the time already, and wants the level
// in front, as sd-daemon(3) has it.
func (l *logger) line(level slog.Level, text string) {
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

// A queue writes lines in its own time. Who reads a log, and stops reading, does not
// keep the uplinks from being kept: lines for which there is no room are left out.
type queue struct {
	lines chan []byte
	done  chan struct{}

	mu   sync.Mutex
	lost int
}

// queueLines is how many lines may wait, and queuePatience how long for, at the end.
const (
	queueLines    = 1000
	queuePatience = time.Second
)

func (q *queue) run(w io.Writer) {
	defer close(q.done)
	for line := range q.lines {
		_, _ = w.Write(line) // there is nobody else to tell
	}
}

// Write takes a line.
func (q *queue) Write(line []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.lines) == queueLines { // only this function adds to it
		q.lost++
	} else {
		q.lines <- bytes.Clone(line)
	}
	return len(line), nil
}

// left is how many lines were left out since it was last asked. It says zero as long as
// there is no room for a line that tells it.
func (q *queue) left() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.lines) > queueLines/2 {
		return 0
	}
	n := q.lost
	q.lost = 0
	return n
}

// close waits for what is to be written still.
func (q *queue) close() {
	close(q.lines)
	select {
	case <-q.done:
	case <-time.After(queuePatience):
	}
}

package main

import (
	"bytes"
	"context"
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
	l := &logger{journal: journal}
	l.out = newQueue(l.lost)
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

// lost returns the line about lines that were dropped.
func (l *logger) lost(n int) []byte {
	text := plural(n, "line") + " of the log were dropped, because their reader was too slow"
	if l.json == nil {
		return []byte(l.line(slog.LevelWarn, text))
	}
	var b bytes.Buffer
	slog.New(slog.NewJSONHandler(&b, nil)).Log(context.Background(), slog.LevelWarn, text)
	return b.Bytes()
}

// write writes a line of the log.
func (l *logger) write(level slog.Level, text string) {
	if l.json != nil {
		l.json.Log(context.Background(), level, text)
		return
	}
	_, _ = io.WriteString(l.out, l.line(level, text)) // a queue returns no error
}

// line returns a line with its level and time. The journal adds the time itself, and takes
// the level as a prefix, see sd-daemon(3).
func (l *logger) line(level slog.Level, text string) string {
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
	return prefix + oneLine(text) + "\n"
}

// A queue writes lines in a goroutine of its own, so that a slow reader of the log does not
// block run. It drops lines that do not fit, and counts them. As soon as there is room
// again, it writes a line with their number.
type queue struct {
	// lost returns the line about lines that were dropped.
	lost func(n int) []byte
	done chan struct{}

	mu      sync.Mutex
	more    *sync.Cond // there are lines, or the queue is closed
	lines   [][]byte
	bytes   int // of the lines
	dropped int
	closed  bool
}

// queueLines and queueBytes are how much a queue can hold.
const (
	queueLines = 1000
	queueBytes = 4 << 20
)

func newQueue(lost func(n int) []byte) *queue {
	q := &queue{lost: lost, done: make(chan struct{})}
	q.more = sync.NewCond(&q.mu)
	return q
}

// run writes lines until the queue is closed and empty.
func (q *queue) run(w io.Writer) {
	defer close(q.done)
	for {
		line := q.take()
		if line == nil {
			return
		}
		_, _ = w.Write(line) // there is no other place to report it
	}
}

// take waits for a line and takes it. It returns nil at the end.
func (q *queue) take() []byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.lines) == 0 && q.dropped == 0 && !q.closed {
		q.more.Wait()
	}
	if len(q.lines) == 0 {
		q.addLost()
	}
	if len(q.lines) == 0 {
		return nil
	}
	line := q.lines[0]
	q.lines[0] = nil
	q.lines, q.bytes = q.lines[1:], q.bytes-len(line)
	return line
}

// addLost adds the line about lines that were dropped, if there are any. The caller has the
// lock.
func (q *queue) addLost() {
	if q.dropped > 0 {
		q.add(q.lost(q.dropped))
		q.dropped = 0
	}
}

// add adds a line. The caller has the lock.
func (q *queue) add(line []byte) {
	q.lines, q.bytes = append(q.lines, line), q.bytes+len(line)
	q.more.Signal()
}

// Write adds a line to the queue. After lines were dropped it drops more until half of the
// queue is free, so that not every second line is about dropped lines.
func (q *queue) Write(line []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	most := 1
	if q.dropped > 0 {
		most = 2
	}
	isFull := len(q.lines) >= queueLines/most || len(q.lines) > 0 && q.bytes+len(line) > queueBytes/most
	switch {
	case q.closed:
	case isFull:
		q.dropped++
	default:
		q.addLost()
		q.add(bytes.Clone(line))
	}
	return len(line), nil
}

// close waits until the lines of the queue are written, at most writePatience.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.more.Signal()
	q.mu.Unlock()
	select {
	case <-q.done:
	case <-time.After(writePatience):
	}
}

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestLogger(t *testing.T) {
	for _, c := range []struct {
		o       options
		journal bool
		want    string
	}{
		{options{}, false, "TIME it is up\nTIME warning: it is down\nTIME error: it is broken\n"},
		{options{}, true, "it is up\n<4>it is down\n<3>it is broken\n"},
		{options{json: true}, true, `{"time":"TIME","level":"INFO","msg":"it is up"}
{"time":"TIME","level":"WARN","msg":"it is down"}
{"time":"TIME","level":"ERROR","msg":"it is broken"}
`},
	} {
		var stdout, stderr bytes.Buffer
		l := newLogger(c.o, c.journal, &stdout, &stderr)
		l.write(slog.LevelInfo, "it is up")
		l.write(slog.LevelWarn, "it is down")
		l.write(slog.LevelError, "it is broken")
		l.close()
		got := regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+(Z|[+-]\d\d:\d\d)`).ReplaceAllString(stdout.String()+stderr.String(), "TIME")
		if got != c.want || c.o.json == (stderr.Len() > 0) {
			t.Errorf("%+v, journal %v:\n%s\nwant\n%s", c.o, c.journal, got, c.want)
		}
	}
}

// A slow reader of the log blocks nobody, and learns how many lines were dropped: before the
// next line, or as soon as it has read the others.
func TestLoggerSlow(t *testing.T) {
	for _, more := range []bool{true, false} {
		for _, o := range []options{{}, {json: true}} {
			testLoggerSlow(t, o, more)
		}
	}
}

func testLoggerSlow(t *testing.T, o options, more bool) {
	r, w := io.Pipe()
	l := newLogger(o, true, w, w)
	const dropped = 50
	l.write(slog.LevelInfo, "line 0")
	for isTaken := false; !isTaken; time.Sleep(time.Millisecond) { // it is being written, for as long as nobody reads
		l.out.mu.Lock()
		isTaken = len(l.out.lines) == 0
		l.out.mu.Unlock()
	}
	for i := range queueLines + dropped {
		l.write(slog.LevelInfo, fmt.Sprint("line ", i+1))
	}
	lines := bufio.NewScanner(r)
	next := func() string {
		t.Helper()
		if !lines.Scan() {
			t.Fatalf("the log ends: %v", lines.Err())
		}
		if !o.json {
			return lines.Text()
		}
		var line struct{ Msg string }
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		return line.Msg
	}
	for i := range queueLines + 1 {
		if got, want := next(), fmt.Sprint("line ", i); got != want {
			t.Fatalf("line %d is %s", i, got)
		}
		if more && i == queueLines*3/4 {
			l.write(slog.LevelInfo, "more")
		}
	}
	want := "50 lines of the log were dropped, because their reader was too slow"
	if !o.json {
		want = "<4>" + want
	}
	if got := next(); got != want {
		t.Errorf("the log goes on with %s, want %s", got, want)
	}
	if more {
		if got := next(); got != "more" {
			t.Errorf("the log ends with %s, want more", got)
		}
	}
	l.close()
	w.Close()
	if lines.Scan() {
		t.Errorf("the log goes on with %s", lines.Text())
	}
}

// Long lines are limited as well: a log that nobody reads does not take all memory.
func TestLoggerLong(t *testing.T) {
	r, w := io.Pipe()
	defer r.Close()
	l := newLogger(options{}, true, nil, w)
	text := strings.Repeat("x", queueBytes/10)
	for range 20 {
		l.write(slog.LevelInfo, text)
	}
	l.out.mu.Lock()
	defer l.out.mu.Unlock()
	if l.out.bytes > queueBytes || l.out.dropped < 9 {
		t.Errorf("%d bytes wait, and %d lines were dropped", l.out.bytes, l.out.dropped)
	}
}

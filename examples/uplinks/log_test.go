package main

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"testing"
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

// A slow reader of the log blocks nobody, and learns how many lines were dropped.
func TestLoggerSlow(t *testing.T) {
	r, w := io.Pipe()
	l := newLogger(options{}, true, nil, w)
	const more = 50
	for i := range queueSize + more + 1 { // one line is being written
		l.write(slog.LevelInfo, fmt.Sprint("line ", i))
	}
	read := make(chan string)
	go func() {
		b, _ := io.ReadAll(r)
		read <- string(b)
	}()
	for len(l.out.lines) > 0 {
	}
	l.write(slog.LevelInfo, "the last line")
	l.close()
	w.Close()
	got := <-read
	// The first line may or may not have left the queue before the others arrived.
	if !regexp.MustCompile(`\n<4>5[01] lines of the log were left out: whoever reads it was too slow\nthe last line\n$`).MatchString(got) ||
		!strings.HasPrefix(got, "line 0\nline 1\n") {
		t.Errorf("%d bytes, which end with %s", len(got), got[max(0, len(got)-200):])
	}
}

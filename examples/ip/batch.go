package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"strings"
)

var errNoContinuation error = &failure{text: "Missing continuation line"}

// runBatch executes the commands in a file, one a line, until one fails; with
// -force, all of them.
func (p *program) runBatch() error {
	in := p.in
	if p.batch != "-" {
		f, err := os.Open(p.batch)
		if err != nil {
			return fail(statusFailed, `Cannot open file "%s" for reading: %s`, p.batch, errnoText(err))
		}
		defer f.Close()
		in = f
	}
	if err := p.dial(); err != nil {
		return err
	}
	status := 0
	lines := &batchLines{r: bufio.NewReader(in)}
	p.in = lines.r // what "restore" reads
	for {
		args, err := lines.next()
		if err == errNoContinuation {
			p.report(err)
		}
		if err == errNoContinuation || err == io.EOF {
			break // the former is no failure to ip(8)
		}
		if err == nil && len(args) == 0 {
			continue
		}
		if err == nil {
			err = p.command(&words{args: args})
		}
		p.flushOut()
		if err == nil {
			continue
		}
		status = statusFailed
		p.report(err)
		var f *failure
		if errors.As(err, &f) && f.ends {
			return fail(f.status, "")
		}
		p.warn("Command failed %s:%d", p.batch, lines.number)
		if !p.force {
			break
		}
	}
	if status != 0 {
		return fail(status, "")
	}
	return nil
}

// flushOut writes what a command has printed before the next one says something
// on standard error.
func (p *program) flushOut() {
	if w, ok := p.out.(*bufio.Writer); ok {
		w.Flush()
	}
}

// batchLines reads lines of a batch.
type batchLines struct {
	r      *bufio.Reader
	number int // of the last line that was read
}

// next returns the words of the next line, with which those after a backslash
// at its end count as one. The error is io.EOF after the last.
func (l *batchLines) next() ([]string, error) {
	line, err := l.line()
	for err == nil && strings.HasSuffix(line, "\\\n") {
		var more string
		if more, err = l.line(); err == io.EOF {
			return nil, errNoContinuation
		}
		line = strings.TrimSuffix(line, "\\\n") + more
	}
	if err != nil {
		return nil, err
	}
	return splitWords(line)
}

// line reads a line, and takes the comment off.
func (l *batchLines) line() (string, error) {
	line, err := l.r.ReadString('\n')
	if err == io.EOF && line != "" {
		err = nil
	}
	if err != nil {
		return "", err
	}
	l.number++
	line, _, _ = strings.Cut(line, "#")
	return line, nil
}

// splitWords splits a line at blanks. A word in quotes has blanks; a quote
// within a word is one of its letters.
func splitWords(line string) (words []string, err error) {
	const blanks = " \t\r\n"
	for {
		line = strings.TrimLeft(line, blanks)
		if line == "" {
			return words, nil
		}
		end := strings.IndexAny(line, blanks)
		if quote := line[0]; quote == '\'' || quote == '"' {
			line = line[1:]
			if end = strings.IndexByte(line, quote); end < 0 {
				return nil, fatal(statusFailed, "Unterminated quoted string")
			}
		}
		if end < 0 {
			end = len(line)
		}
		words = append(words, line[:end])
		line = line[min(end+1, len(line)):]
	}
}

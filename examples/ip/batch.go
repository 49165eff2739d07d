package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"strings"
)

var errNoContinuation error = &failure{text: "Missing continuation line"}

// runBatch executes the commands of a file, one a line. Without -force it ends with the
// first command that fails.
func (p *program) runBatch() error {
	in := p.in
	if p.batch != "-" {
		f, err := os.Open(p.batch)
		if err != nil {
			return failf(statusFailed, `Cannot open file "%s" for reading: %s`, p.batch, errnoText(err))
		}
		defer f.Close()
		in = f
	}
	if err := p.dial(); err != nil {
		return err
	}
	status := 0
	lines := &lineReader{r: bufio.NewReader(in)}
	p.in = lines.r // restore reads the rest of the batch file
	for {
		args, err := lines.next()
		if err == errNoContinuation {
			p.report(err)
		}
		if err == errNoContinuation || err == io.EOF {
			break // ip(8) exits with success after a missing continuation line
		}
		if err == nil && len(args) == 0 {
			continue
		}
		if err == nil {
			err = p.command(&words{args: args})
		}
		p.flush()
		if err == nil {
			continue
		}
		status = statusFailed
		p.report(err)
		var f *failure
		if errors.As(err, &f) && f.fatal {
			return failf(f.status, "")
		}
		p.warnf("Command failed %s:%d", p.batch, lines.number)
		if !p.force {
			break
		}
	}
	if status != 0 {
		return failf(status, "")
	}
	return nil
}

// flush writes the buffered output of a command before the next output to standard error.
func (p *program) flush() {
	if w, ok := p.out.(*bufio.Writer); ok {
		w.Flush()
	}
}

// A lineReader reads the lines of a batch file.
type lineReader struct {
	r      *bufio.Reader
	number int // of the last line that next returned
}

// next returns the words of the next line. A line that ends with a backslash continues in
// the line after it. After the last line the error is io.EOF.
func (l *lineReader) next() ([]string, error) {
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

// line reads a line, and removes the comment.
func (l *lineReader) line() (string, error) {
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

// splitWords splits a line at blanks. A word in quotes can contain blanks. A quote inside a
// word is an ordinary character.
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
				return nil, fatalf(statusFailed, "Unterminated quoted string")
			}
		}
		if end < 0 {
			end = len(line)
		}
		words = append(words, line[:end])
		line = line[min(end+1, len(line)):]
	}
}

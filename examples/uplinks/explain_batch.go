package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/policyroute/policyroute/table/explain"
)

const (
	// maxPacketLine is the length of the longest line of a batch.
	maxPacketLine = 4096
	// batchChunk is how much output of a batch is written at once.
	batchChunk = 1 << 16
)

// A badLine is the JSON of a line of a batch that is not a packet.
type badLine struct {
	Packet string `json:"packet"`
	Error  string `json:"error"`
}

// batch explains the packets of a file, one a line, as one JSON object a line. A line that is
// not a packet has an object with the error. The exit status is that of the worst line.
func (x *explainer) batch(name string, stdout, stderr io.Writer) int {
	f, err := openInput(name)
	if err != nil {
		fmt.Fprintln(stderr, "uplinks:", err)
		return exitUsage
	}
	defer f.Close()
	bad, err := x.lines(bufio.NewReaderSize(f, batchChunk), stdout)
	switch {
	case err != nil:
		fmt.Fprintln(stderr, "uplinks:", err)
		return exitFailure
	case bad > 0:
		fmt.Fprintf(stderr, "uplinks: %s: %s could not be explained\n", inputName(name), plural(bad, "line"))
		return exitUsage
	}
	return exitOK
}

// lines explains lines up to the end, and returns how many are not packets. What is written
// at once is whole lines. If no more input is there, nothing is held back.
func (x *explainer) lines(r *bufio.Reader, w io.Writer) (bad int, err error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	for {
		line, readErr := readLine(r)
		if line != "" || readErr == nil {
			ok, err := x.line(enc, line)
			if err != nil {
				return bad, err
			}
			if !ok {
				bad++
			}
		}
		if out.Len() >= batchChunk || r.Buffered() == 0 || readErr != nil {
			if _, err := w.Write(out.Bytes()); err != nil {
				return bad, err
			}
			out.Reset()
		}
		switch {
		case readErr == io.EOF:
			return bad, nil
		case readErr != nil:
			return bad, readErr
		}
	}
}

// readLine reads a line, of which it returns no more than a packet can have.
func readLine(r *bufio.Reader) (string, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part[:min(len(part), maxPacketLine+1-min(len(line), maxPacketLine+1))]...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return string(bytes.TrimRight(line, "\r\n")), err
		}
	}
}

// line explains a line. It returns false if the line is not a packet. A line that is empty or
// a comment has no object.
func (x *explainer) line(enc *json.Encoder, line string) (ok bool, err error) {
	text, _, _ := strings.Cut(line, "#")
	if strings.TrimSpace(text) == "" {
		return true, nil
	}
	var all []explain.Packet
	p, fault := explain.ParsePacket(text)
	switch {
	case len(line) > maxPacketLine:
		line, fault = line[:64], fmt.Errorf("longer than %d bytes", maxPacketLine)
	case !utf8.ValidString(line):
		fault = errors.New("not in UTF-8")
	}
	if fault == nil {
		all, fault = x.incoming(p)
	}
	if fault != nil {
		return false, enc.Encode(badLine{strings.ToValidUTF8(line, "\ufffd"), withoutPackage(fault)})
	}
	for _, p := range all {
		if err := enc.Encode(x.fib.Explain(p)); err != nil {
			return true, err
		}
	}
	return true, nil
}

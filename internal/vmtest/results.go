package main

import "strings"

// mark precedes each line that the testing package writes about tests with
// -test.v=test2json. Other lines of a test do not have it.
const mark = "\x16"

// results has the results of the tests of a package, read from their output.
type results struct {
	tests map[string]*result
	order []string
	rest  strings.Builder // output outside of tests

	complete bool   // the output has PASS or FAIL for the package
	current  string // the test that the output belongs to
	line     string // the last line, which has not ended
}

// A result is the result of a test.
type result struct {
	status string // PASS, FAIL or SKIP; empty if the test has not ended
	line   string // the line with the status
	output strings.Builder
}

func newResults() *results { return &results{tests: map[string]*result{}} }

// Write takes the next piece of output.
func (r *results) Write(b []byte) (int, error) {
	r.line += string(b)
	for {
		line, rest, ok := strings.Cut(r.line, "\n")
		if !ok {
			return len(b), nil
		}
		r.take(line)
		r.line = rest
	}
}

// flush takes a last line that does not end with a newline.
func (r *results) flush() {
	if r.line != "" {
		r.take(r.line)
		r.line = ""
	}
}

// take takes a line. If a test has printed a part of a line, the mark is in the middle.
func (r *results) take(line string) {
	text, marked, ok := strings.Cut(line, mark)
	if text != "" || !ok {
		r.add(text)
	}
	if ok {
		r.takeMarked(strings.ReplaceAll(marked, mark, ""))
	}
}

func (r *results) add(text string) {
	out := &r.rest
	if t := r.tests[r.current]; t != nil {
		out = &t.output
	}
	out.WriteString(text + "\n")
}

// takeMarked takes a line of the testing package:
//
//	=== RUN   TestA/b
//	    --- PASS: TestA/b (0.00s)
//	PASS
func (r *results) takeMarked(line string) {
	f := strings.Fields(line)
	switch {
	case len(f) == 2 && f[0] == "===": // === NAME without a name: output outside of tests
		r.current = ""
	case len(f) >= 3 && f[0] == "===":
		r.current = f[2]
		r.test(f[2])
	case len(f) >= 3 && f[0] == "---" && f[1] != "BENCH:":
		r.current = f[2]
		t := r.test(f[2])
		t.status, t.line = strings.TrimSuffix(f[1], ":"), strings.TrimSpace(line)
	default: // a line about the whole package
		r.complete = r.complete || line == "PASS" || line == "FAIL"
		r.current = ""
		r.add(line)
	}
}

func (r *results) test(name string) *result {
	t := r.tests[name]
	if t == nil {
		t = &result{}
		r.tests[name] = t
		r.order = append(r.order, name)
	}
	return t
}

// names returns the tests with a status, in the order in which they began.
func (r *results) names(status string) []string {
	var names []string
	for _, name := range r.order {
		if r.tests[name].status == status {
			names = append(names, name)
		}
	}
	return names
}

// failure returns the output of a package that failed: of the tests that failed, of the tests
// that did not end, and outside of tests.
func (r *results) failure() string {
	var b strings.Builder
	for _, name := range r.order {
		t := r.tests[name]
		switch t.status {
		case "FAIL":
			b.WriteString(t.line + "\n")
		case "":
			b.WriteString("--- unfinished: " + name + "\n")
		default:
			continue
		}
		b.WriteString(t.output.String())
	}
	b.WriteString(r.rest.String())
	return b.String()
}

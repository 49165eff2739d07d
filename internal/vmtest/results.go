package main

import "strings"

// mark precedes each line that the testing package writes about tests, when
// asked for -test.v=test2json, and nothing else that a test could print.
const mark = "\x16"

// results are those of one package's tests, read from their output.
type results struct {
	tests map[string]*result
	order []string
	rest  strings.Builder // what belongs to no test

	complete bool   // the package has said PASS or FAIL
	current  string // the test that the output belongs to
	line     string // unfinished
}

// result is one test's.
type result struct {
	status string // PASS, FAIL, SKIP; none: it has not ended
	line   string // that says so
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

// flush takes a last line without its end.
func (r *results) flush() {
	if r.line != "" {
		r.take(r.line)
		r.line = ""
	}
}

// take takes a line. A test that printed something without ending the line has
// a mark in the middle.
func (r *results) take(line string) {
	text, marked, ok := strings.Cut(line, mark)
	if text != "" || !ok {
		r.add(text)
	}
	if ok {
		r.marked(strings.ReplaceAll(marked, mark, ""))
	}
}

func (r *results) add(text string) {
	out := &r.rest
	if t := r.tests[r.current]; t != nil {
		out = &t.output
	}
	out.WriteString(text + "\n")
}

// marked takes a line of the testing package:
//
//	=== RUN   TestA/b
//	    --- PASS: TestA/b (0.00s)
//	PASS
func (r *results) marked(line string) {
	f := strings.Fields(line)
	switch {
	case len(f) == 2 && f[0] == "===": // === NAME, back to none
		r.current = ""
	case len(f) >= 3 && f[0] == "===":
		r.current = f[2]
		r.test(f[2])
	case len(f) >= 3 && f[0] == "---" && f[1] != "BENCH:":
		r.current = f[2]
		t := r.test(f[2])
		t.status, t.line = strings.TrimSuffix(f[1], ":"), strings.TrimSpace(line)
	default: // of the whole package
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

// names returns the tests of a status, in the order in which they began.
func (r *results) names(status string) []string {
	var names []string
	for _, name := range r.order {
		if r.tests[name].status == status {
			names = append(names, name)
		}
	}
	return names
}

// failure returns what a person needs to see of a package that failed: the
// tests that did, those that never ended, and what no test printed.
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

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKernelBatch(t *testing.T) {
	h := newHost(t)
	file := filepath.Join(t.TempDir(), "batch")
	for _, tt := range []struct {
		name  string
		batch string
		args  []string
		want  result
	}{
		{"all lines", "rule add from 192.0.2.1 table 5 pref 5\n\n# none\n" +
			"rule add \\\n from 'all' pref 6 \"table\" 6 # six\nrule show table 6", nil, result{out: "6:\tfrom all lookup 6\n"}},
		{"up to the first that fails", "rule del pref 7\nrule show table 6\n", nil,
			result{1, "", "RTNETLINK answers: No such file or directory\nCommand failed FILE:1\n"}},
		{"with -force all", "rule del pref 7\n\nrule del \\\npref 8\nroute add\\\n 10.0.0.0/8 dev nosuch\n" +
			"rule show table 6\nrule del pref 5",
			[]string{"-force"}, result{1, "6:\tfrom all lookup 6\n", "" +
				"RTNETLINK answers: No such file or directory\nCommand failed FILE:1\n" +
				"RTNETLINK answers: No such file or directory\nCommand failed FILE:4\n" +
				"Cannot find device \"nosuch\"\nCommand failed FILE:6\n"}},
		{"wrong words end it in any case", "rule show table 6\nrule bogus\nrule show\n", []string{"-force"},
			result{255, "6:\tfrom all lookup 6\n", "Command \"bogus\" is unknown, try \"ip rule help\".\n"}},
		{"help ends it", "rule help\nrule show\n", []string{"-force"}, result{255, "", helpRule}},
		{"an unknown object does not", "nosuch\nrule show table 6", []string{"-force"},
			result{1, "6:\tfrom all lookup 6\n", "Object \"nosuch\" is unknown, try \"ip help\".\nCommand failed FILE:1\n"}},
		{"a continuation that is missing", "rule show \\\n", nil,
			result{0, "", "Missing continuation line\n"}},
		{"a table that is not there", "route show table 4711\n", nil, result{}},
		{"restore reads on", "rule restore\nrule", nil, result{255, "", "Magic mismatch (1 elems, 656c7572 magic)\n"}},
		{"a quote that is not closed", "rule show 'table 6\n", nil, result{1, "", "Unterminated quoted string\n"}},
		{"the family of the options", "rule show table main", []string{"-6"}, result{out: "32766:\tfrom all lookup main\n"}},
		{"nothing", "\n# only this\n", nil, result{}},
	} {
		if err := os.WriteFile(file, []byte(tt.batch), 0o600); err != nil {
			t.Fatal(err)
		}
		got := h.ip(append(tt.args, "-batch", file)...)
		want := tt.want
		want.stderr = replaceFile(want.stderr, file)
		if got != want {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, want)
		}
	}
	if got, want := h.ipIn(h.ns, "rule show pref 6\n", "-b", "-"), "6:\tfrom all lookup 6\n"; got.out != want {
		t.Errorf("standard input: %+v", got)
	}
}

func replaceFile(s, file string) string { return strings.ReplaceAll(s, "FILE", file) }

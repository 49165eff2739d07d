package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/uapi"
)

// A sequence of commands has the same results as with the ip(8) of iproute2 6.1.0 on Linux
// 6.18. In testdata/recorded.txt a command comes after a dollar sign, its exit status after
// =, and its standard error after exclamation marks. Of a help text there is only the
// beginning. Empty lines are left out, as in later versions.
func TestKernelRecorded(t *testing.T) {
	needs(t, uapi.Version{Major: 6, Minor: 12})
	h := newHost(t)
	b, err := os.ReadFile("testdata/recorded.txt")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, want := range strings.Split(strings.TrimSuffix(string(b), "\n"), "\n$ ") {
		n++
		want = strings.TrimPrefix(want, "$ ")
		command, _, _ := strings.Cut(want, "\n")
		args := strings.Fields(command)[1:]
		got := fmt.Sprintf("%s\n%s", command, h.record(args))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-ip +got):\n%s", command, diff)
		}
	}
	if n < 300 {
		t.Errorf("%d commands", n)
	}
}

var usageLine = regexp.MustCompile(`(?s)! Usage: (ip( \w+)?).*`)

// record returns the result of a command in the format of the file.
func (h *host) record(args []string) string {
	got := h.ip(args...)
	if len(args) > 0 && args[0] == "-n" {
		got = runProgram("", args...) // without the -n of the host, so that this one counts
	}
	var s strings.Builder
	fmt.Fprintf(&s, "= %d\n%s", got.status, got.out)
	for line := range strings.Lines(got.stderr) {
		s.WriteString("! " + line)
	}
	text := alike(s.String())
	return strings.TrimSuffix(usageLine.ReplaceAllString(text, "! Usage: $1"), "\n")
}

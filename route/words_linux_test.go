//go:build linux

package route

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/testrun"
)

// commands returns the commands of ip(8) in testdata/commands.txt.
func commands(t *testing.T) (lines []string) {
	t.Helper()
	b, err := os.ReadFile("testdata/commands.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if !strings.HasPrefix(line, "#") {
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	return lines
}

// TestKernelWords gives the words of the commands to ip(8) and to this package,
// which make the same of them.
func TestKernelWords(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("ip(8), to compare with, is not installed")
	}
	ours, c := kernel(t)
	theirs, d := kernel(t)
	n := 0
	for _, command := range commands(t) {
		_, theirErr := theirs.Run("", "ip", strings.Fields(command)...)
		family, words, ok := strings.Cut(command, "route add ")
		if !ok {
			if _, err := ours.Run("", "ip", strings.Fields(command)...); (err == nil) != (theirErr == nil) {
				t.Fatal(err)
			}
			continue
		}
		links, err := ListLinks(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Parse(family+words, &Names{Links: links})
		if err != nil {
			report.Errorf("%s: %v", command, err)
			continue
		}
		n++
		if err := Add(t.Context(), c, r); (err == nil) != (theirErr == nil) {
			report.Errorf("%s: %v; ip: %v", command, err, theirErr)
		}
	}
	ofUser := func(c Conn) []string { // the kernel's own are of random addresses
		return slices.DeleteFunc(list(t, c, Filter{}), func(s string) bool { return strings.Contains(s, "proto kernel") })
	}
	if diff := cmp.Diff(ofUser(d), ofUser(c)); diff != "" {
		report.Errorf("in the kernel (-ip +this):\n%s", diff)
	}
	t.Logf("%d routes", n)
}

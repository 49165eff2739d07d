package manual

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The first screen has room on a terminal of 80 by 24.
func TestScreen(t *testing.T) {
	if n := strings.Count(Screen(), "\n"); n > 23 {
		t.Errorf("%d lines, want 23 at most", n)
	}
	for line := range strings.Lines(Screen()) {
		if len(line) > width+1 {
			t.Errorf("%d columns: %s", len(line)-1, line)
		}
	}
}

// Each command, topic and code has a help of its own, in lines that fit.
func TestTopics(t *testing.T) {
	names := Names()
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			t.Errorf("%s is explained twice", name)
		}
		text, ok := Topic(name)
		if !ok || !strings.HasSuffix(text, "\n") || strings.Contains(text, "\n\n\n") || strings.Contains(text, "`") {
			t.Errorf("help %s:\n%s", name, text)
		}
		for line := range strings.Lines(text) {
			isCode := strings.HasPrefix(line, "        ")
			if len([]rune(line)) > width+1 && !isCode {
				t.Errorf("help %s: %d columns: %s", name, len(line)-1, line)
			}
		}
	}
	if text, ok := Topic("x"); ok || text != "" {
		t.Errorf("help x: %s", text)
	}
}

// Each option of a command is one of those that the manual explains.
func TestOptions(t *testing.T) {
	for _, c := range commands {
		var names []string
		for _, o := range c.optionsOf() {
			names = append(names, o.name)
		}
		if !slices.Equal(names, c.options) {
			t.Errorf("%s has the options %q, and of these the manual explains %q", c.name, c.options, names)
		}
	}
}

// The codes are those of package check, in its order, and one of the program.
func TestCodes(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), filepath.FromSlash("../../../table/check/finding.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 || !strings.HasPrefix(spec.Names[0].Name, "Code") {
			return true
		}
		if lit, ok := spec.Values[0].(*ast.BasicLit); ok {
			code, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Error(err)
			}
			want = append(want, code)
		}
		return true
	})
	want = append(want, codeExpectation)
	for _, f := range findings {
		got = append(got, f.code)
	}
	if !slices.Equal(got, want) || len(want) < 30 {
		t.Errorf("the codes are\n%s\nand the manual has\n%s", strings.Join(want, "\n"), strings.Join(got, "\n"))
	}
}

// man(1) renders the pages without a warning, and they have every command and word.
func TestPages(t *testing.T) {
	man, err := exec.LookPath("man")
	for _, p := range []struct {
		name, text string
		has        []string
	}{
		{"uplinks.8", Page8(), append(Commands(), "rp-filter", "SIGHUP", "EXIT STATUS")},
		{"uplinks.conf.5", Page5(), []string{"learn FAMILY", "withdraw [all]", "multihome udp PORT...", "EXAMPLES"}},
	} {
		file := filepath.Join(t.TempDir(), p.name)
		if err := os.WriteFile(file, []byte(p.text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err != nil {
			t.Logf("%s is not rendered: there is no man(1)", p.name)
			continue
		}
		cmd := exec.Command(man, "--warnings=w", "-P", "cat", "-l", file)
		cmd.Env = append(os.Environ(), "MANWIDTH=80", "MAN_KEEP_FORMATTING=", "LC_ALL=C.UTF-8")
		var stdout, stderr strings.Builder
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Run(); err != nil && stdout.Len() == 0 {
			t.Logf("%s is not rendered: %v %s", p.name, err, &stderr)
			continue
		}
		if stderr.Len() > 0 {
			t.Errorf("%s:\n%s", p.name, &stderr)
		}
		for _, want := range p.has {
			if !strings.Contains(stdout.String(), want) {
				t.Errorf("%s does not have %q:\n%s", p.name, want, &stdout)
			}
		}
	}
}

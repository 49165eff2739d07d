package explain_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/table/explain"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

var update = flag.Bool("update", false, "write the explanations in testdata anew")

// packetMark begins a line of testdata/*.txt with a packet.
const packetMark = "#> "

// The explanations of packets in the worlds of testdata are those of the files beside
// them.
func TestGolden(t *testing.T) {
	names, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(names) == 0 {
		t.Fatalf("no worlds: %v", err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		got := explanations(t, string(b))
		golden := strings.TrimSuffix(name, ".txt") + ".golden"
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		tabletest.WantText(t, golden, string(want), got)
	}
}

// explanations returns the explanation of each packet of a text, short and long.
func explanations(t *testing.T, text string) string {
	t.Helper()
	w := parse(t, text)
	if back := parse(t, w.String()); !back.Equal(w) {
		t.Errorf("the text\n%s\nis read as\n%s", w, back)
	}
	f := explain.NewFIB(w)
	var b strings.Builder
	for line := range strings.Lines(text) {
		if words, ok := strings.CutPrefix(line, packetMark); ok {
			e := f.Explain(packet(t, words))
			fmt.Fprintf(&b, "%s%s\n", packetMark, strings.TrimSpace(words))
			fmt.Fprintf(&b, "%s\n", e)
		}
	}
	return b.String()
}

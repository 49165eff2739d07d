package rttables

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/policyroute/policyroute/internal/testrun"
)

func refusal(t *testing.T, etc string, id ID, name string) error {
	f, _ := ReadFiles(etc)
	return f.Refusal(id, name)
}

// Refusal returns what Register returns, and writes nothing.
func TestRefusal(t *testing.T) {
	for name, c := range map[string]struct {
		text    string // of rt_tables; empty: there is none
		refused bool
	}{
		"none":         {"", false},
		"others":       {"255 local\n7 lan7\n", false},
		"written":      {"20 lan2\n", false},
		"number":       {"20 other\n", true},
		"name":         {"99 lan2\n", true},
		"damaged":      {"255 local\nrubbish\n", true},
		"damaged late": {"20 lan2\nrubbish\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			etc := t.TempDir()
			path := filepath.Join(etc, "rt_tables")
			if c.text != "" {
				if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			err := refusal(t, etc, 20, "lan2")
			if b, _ := os.ReadFile(path); string(b) != c.text {
				t.Errorf("Refusal wrote %q", b)
			}
			if (err != nil) != c.refused {
				t.Errorf("Refusal: %v", err)
			}
			if want := Register(t.Context(), etc, 20, "lan2"); testrun.Error(err) != testrun.Error(want) {
				t.Errorf("Refusal: %v\nRegister: %v", err, want)
			}
		})
	}
	if err := refusal(t, t.TempDir(), 20, "a b"); err == nil {
		t.Error("a name with a blank is not refused")
	}
}

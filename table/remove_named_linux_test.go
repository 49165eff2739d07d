package table_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// An uplink that has the number of its table is removed whatever its name means in
// rt_tables, which is left alone.
func TestRemoveDespiteName(t *testing.T) {
	n := tabletest.NewNetwork(t)
	before := n.Snapshot()
	u := n.Uplink2(tabletest.IPv4)
	file := filepath.Join(n.Etc, "rt_tables")
	original, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	restore := func() {
		t.Helper()
		if err := os.WriteFile(file, original, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	rename := func() string {
		t.Helper()
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var kept []string
		for line := range strings.Lines(string(b)) {
			if !strings.Contains(line, u.Name) {
				kept = append(kept, line)
			}
		}
		text := strings.Join(kept, "") + "77\t" + u.Name + "\n"
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return text
	}
	rename()
	if err := table.Remove(t.Context(), n.Conn, u); err != nil {
		t.Errorf("absent: %v", err)
	}
	if err := u.Install(t.Context(), n.Conn); err == nil {
		t.Error("it is installed with a name that means another table")
	}
	restore()
	n.Install(u)
	text := rename()
	if err := table.Remove(t.Context(), n.Conn, u); err != nil {
		t.Errorf("installed: %v", err)
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != text {
		t.Errorf("rt_tables is %q, %v, want %q", b, err, text)
	}
	restore()
	n.WantSnapshot("removed", before)
}

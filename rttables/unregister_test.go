package rttables

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/testrun"
)

func TestUnregisterLeavesOthers(t *testing.T) {
	const mine = "20\tlan2 # policyroute\n"
	tests := []struct {
		name  string
		files []string
		path  string
		after string
	}{
		{"no mark", []string{"etc/rt_tables", "20 lan2\n"}, "etc/rt_tables", "20 lan2\n"},
		{"another mark", []string{"etc/rt_tables", "20 lan2 # policyroute of old\n"}, "etc/rt_tables", "20 lan2 # policyroute of old\n"},
		{"another ID", []string{"etc/rt_tables", "21 lan2 # policyroute\n"}, "etc/rt_tables", "21 lan2 # policyroute\n"},
		{"another name", []string{"etc/rt_tables", "20 lan3 # policyroute\n"}, "etc/rt_tables", "20 lan3 # policyroute\n"},
		{"an ID that ends alike", []string{"etc/rt_tables", "1" + mine}, "etc/rt_tables", "1" + mine},
		{"both", []string{"etc/rt_tables", "20 lan2\n" + mine}, "etc/rt_tables", "20 lan2\n"},
		{"written otherwise", []string{"etc/rt_tables", "1 a\n0x14   lan2   #policyroute\n"}, "etc/rt_tables", "1 a\n"},
		{"conf file of others", []string{"etc/rt_tables.d/x.conf", mine}, "etc/rt_tables.d/x.conf", mine},
		{
			"a comment in our file", []string{"etc/rt_tables", headerFile + "\n# note\n" + mine},
			"etc/rt_tables", headerFile + "\n# note\n",
		},
		{
			"another entry in our file", []string{"etc/rt_tables", headerFile + "\n" + mine + "21 b\n"},
			"etc/rt_tables", headerFile + "\n21 b\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, root := newTestRegistry(t, tt.files...)
			if err := r.unregister(t, 20, "lan2"); err != nil {
				t.Fatal(err)
			}
			if b, err := os.ReadFile(filepath.Join(root, tt.path)); string(b) != tt.after {
				t.Errorf("%q, %v, want %q", b, err, tt.after)
			}
		})
	}
}

func TestUnregisterKeepsDirectoryInUse(t *testing.T) {
	r, root := newTestRegistry(t, "usr/rt_tables", stock)
	if err := r.register(t, 20, "lan2"); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(root, "etc/rt_tables.d/theirs.conf"), "30 b\n")
	if err := r.unregister(t, 20, "lan2"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("-rw-r--r-- theirs.conf \"30 b\\n\"\n", dump(t, filepath.Join(root, "etc/rt_tables.d"))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestUnregisterDamaged(t *testing.T) {
	report := testrun.Limit(t)
	for _, content := range []string{
		"20\tlan2 # policyroute\ngarbage\n",
		"garbage\n20\tlan2 # policyroute\n",
	} {
		r, root := newTestRegistry(t, "etc/rt_tables", content)
		before := dump(t, root)
		var se *SyntaxError
		if err := r.unregister(t, 20, "lan2"); !errors.As(err, &se) || se.File != filepath.Join(r.etc, "rt_tables") {
			report.Errorf("%q: %v, want a *SyntaxError", content, err)
		}
		if diff := cmp.Diff(before, dump(t, root)); diff != "" {
			report.Errorf("(-before +after):\n%s", diff)
		}
	}
	r, _ := newTestRegistry(t, "etc/rt_tables", "garbage\n")
	if err := r.unregister(t, 20, "lan2"); err != nil {
		report.Errorf("damaged, but without our line: %v", err)
	}
}

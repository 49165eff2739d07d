package rttables

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/testrun"
)

// newTestRegistry makes directories etc and usr below a temporary one, and puts
// the files there. A registry over them stands for the default one.
func newTestRegistry(t *testing.T, pairs ...string) (r registry, root string) {
	t.Helper()
	root = t.TempDir()
	for i := 0; i < len(pairs); i += 2 {
		path := filepath.Join(root, pairs[i])
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, path, pairs[i+1])
	}
	if err := os.MkdirAll(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	return registry{
		etc:     filepath.Join(root, "etc"),
		vendors: []string{filepath.Join(root, "usr"), filepath.Join(root, "usrlib")},
	}, root
}

func (r registry) register(t *testing.T, id ID, name string) error {
	return r.registerAll(t.Context(), []Entry{{ID: id, Name: name}})[0]
}

func (r registry) unregister(t *testing.T, id ID, name string) error {
	return r.unregisterAll(t.Context(), []Entry{{ID: id, Name: name}})[0]
}

func registered(t *testing.T, etc string, id ID, name string) bool {
	f, _ := ReadFiles(etc)
	return f.Registered(id, name)
}

const ourLine = "20\tlan2 # policyroute"

var registerTests = []struct {
	name        string
	files       []string
	path, after string // the file that is written, and what is in it then; empty: none
}{

	{name: "in rt_tables", files: []string{"etc/rt_tables", stock}, path: "etc/rt_tables", after: stock + ourLine + "\n"},
	{name: "no final line end", files: []string{"etc/rt_tables", "1 a"}, path: "etc/rt_tables", after: "1 a\n" + ourLine},
	{name: "CRLF", files: []string{"etc/rt_tables", "1 a\r\n"}, path: "etc/rt_tables", after: "1 a\r\n" + ourLine + "\r\n"},
	{name: "empty", files: []string{"etc/rt_tables", ""}, path: "etc/rt_tables", after: ourLine + "\n"},
	{name: "nothing there", path: "etc/rt_tables.d/policyroute.conf", after: headerDir + "\n" + ourLine + "\n"},
	{
		name:  "beside the distribution's",
		files: []string{"usr/rt_tables", stock},
		path:  "etc/rt_tables.d/policyroute.conf", after: headerDir + "\n" + ourLine + "\n",
	}, {
		name:  "beside the distribution's, in a directory that is there",
		files: []string{"usrlib/rt_tables", stock, "etc/rt_tables.d/README", "x"},
		path:  "etc/rt_tables.d/policyroute.conf", after: headerFile + "\n" + ourLine + "\n",
	}, {
		name:  "the administrator's policyroute.conf",
		files: []string{"usr/rt_tables", stock, "etc/rt_tables.d/policyroute.conf", "# mine\n"},
		path:  "etc/rt_tables.d/policyroute.conf", after: "# mine\n" + ourLine + "\n",
	},
	{name: "known", files: []string{"etc/rt_tables", "20 lan2\n"}},
	{name: "known in a conf file", files: []string{"etc/rt_tables", stock, "etc/rt_tables.d/x.conf", "0x14 lan2"}},
	{name: "known to the distribution", files: []string{"usr/rt_tables", "20 lan2\n"}},
	{name: "known in the distribution's conf file", files: []string{"etc/rt_tables", "", "usr/rt_tables.d/x.conf", "20 lan2\n"}},
	{name: "known in a damaged file", files: []string{"etc/rt_tables", "20 lan2\ngarbage\n"}},
	{name: "known though shown otherwise", files: []string{"etc/rt_tables", "20 lan2\n20 b\n"}},
	{
		name:  "a damaged file elsewhere",
		files: []string{"etc/rt_tables", stock, "etc/rt_tables.d/x.conf", "garbage\n"},
		path:  "etc/rt_tables", after: stock + ourLine + "\n",
	},
}

func TestRegister(t *testing.T) {
	for _, tt := range registerTests {
		t.Run(tt.name, func(t *testing.T) {
			r, root := newTestRegistry(t, tt.files...)
			before := dump(t, root)
			for range 2 { // the second time it is known
				if err := r.register(t, 20, "lan2"); err != nil {
					t.Fatal(err)
				}
			}
			if tt.path == "" {
				if diff := cmp.Diff(before, dump(t, root)); diff != "" {
					t.Errorf("Register wrote (-before +after):\n%s", diff)
				}
			} else if b, err := os.ReadFile(filepath.Join(root, tt.path)); string(b) != tt.after {
				t.Errorf("%s: %q, %v, want %q", tt.path, b, err, tt.after)
			}
			for range 2 {
				if err := r.unregister(t, 20, "lan2"); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(before, dump(t, root)); diff != "" {
				t.Errorf("after Unregister (-before +after):\n%s", diff)
			}
		})
	}
}

// Registered finds exactly the lines that Unregister would remove.
func TestRegistered(t *testing.T) {
	report := testrun.Limit(t)
	etc := t.TempDir()
	if registered(t, etc, 20, "lan2") {
		report.Error("registered in an empty directory")
	}
	write(t, filepath.Join(etc, "rt_tables"), "21 lan3\n")
	if err := Register(t.Context(), etc, 20, "lan2"); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		id   ID
		name string
		want bool
	}{{20, "lan2", true}, {20, "lan3", false}, {21, "lan2", false}, {21, "lan3", false}} {
		if got := registered(t, etc, tt.id, tt.name); got != tt.want {
			report.Errorf("registered(t, %d, %s) = %v", uint32(tt.id), tt.name, got)
		}
	}
	if err := Unregister(t.Context(), etc, 20, "lan2"); err != nil || registered(t, etc, 20, "lan2") {
		report.Errorf("still registered, %v", err)
	}
}

func TestRegisterSeveral(t *testing.T) {
	r, root := newTestRegistry(t, "usr/rt_tables", stock)
	before := dump(t, root)
	names := map[ID]string{20: "lan2", 21: "lan3", 22: "lan4"}
	for id, name := range names {
		if err := r.register(t, id, name); err != nil {
			t.Fatal(err)
		}
	}
	n, err := Load(os.DirFS(root), "etc", "usr")
	if err != nil {
		t.Fatal(err)
	}
	if want := "0 unspec\n20 lan2\n21 lan3\n22 lan4\n" + reservedListing; listing(n) != want {
		t.Errorf("got\n%s", listing(n))
	}
	for id, name := range names {
		if err := r.unregister(t, id, name); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(before, dump(t, root)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

func TestRegisterRefused(t *testing.T) {
	tests := []struct {
		name  string
		files []string
		id    ID
		as    string
		want  string // the error; R/ is the root
	}{
		{
			"the name in use", []string{"etc/rt_tables", stock + "30 lan2\n"}, 20, "lan2",
			`rt_tables entry 20 "lan2": R/etc/rt_tables:12: "lan2" already names table 30`,
		}, {
			"the ID in use", []string{"etc/rt_tables", "", "usr/rt_tables.d/x.conf", "20 office\n"}, 20, "lan2",
			`rt_tables entry 20 "lan2": R/usr/rt_tables.d/x.conf:1: ID 20 is already named "office"`,
		}, {
			"the name of two", []string{"etc/rt_tables", "20 lan2\n19 lan2\n"}, 20, "lan2",
			`rt_tables entry 20 "lan2": R/etc/rt_tables:2: "lan2" already names table 19`,
		}, {
			"damaged", []string{"etc/rt_tables", "1 a\ngarbage\n"}, 20, "lan2",
			`rttables: register 20 "lan2" in R/etc/rt_tables: the file is damaged, so it was not changed: ` +
				`R/etc/rt_tables:2: the line does not begin with a number: "garbage"`,
		}, {
			"reserved name", []string{"etc/rt_tables", ""}, 20, "main",
			`rt_tables entry 20 "main": reserved name`,
		}, {
			"reserved ID", []string{"etc/rt_tables", ""}, 254, "lan2",
			`rt_tables entry 254 "lan2": reserved ID`,
		}, {
			"a number", []string{"etc/rt_tables", ""}, 20, "21",
			`rt_tables entry 20 "21": bad name: it is a number, and would hide the table with that number from ip(8)`,
		}, {
			"out of range", []string{"etc/rt_tables", ""}, 1 << 31, "lan2",
			`rt_tables entry 2147483648 "lan2": ID out of range: iproute2 ignores IDs of 2^31 and more in files`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, root := newTestRegistry(t, tt.files...)
			before := dump(t, root)
			err := r.register(t, tt.id, tt.as)
			if err == nil {
				t.Fatal("no error")
			}
			got := strings.ReplaceAll(err.Error(), root+string(filepath.Separator), "R/")
			if got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
			if diff := cmp.Diff(before, dump(t, root)); diff != "" {
				t.Errorf("(-before +after):\n%s", diff)
			}
		})
	}
}

func TestRegisterBuiltin(t *testing.T) {
	r, root := newTestRegistry(t)
	if err := r.register(t, Main, "main"); err != nil { // ip knows it without a file
		t.Error(err)
	}
	if got := dump(t, r.etc); got != "" {
		t.Errorf("written below %s:\n%s", root, got)
	}
}

// A directory that cannot be made is an error, which names it and leaves nothing.
func TestRegisterNoDirectory(t *testing.T) {
	report := testrun.Limit(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	write(t, file, "")
	for _, etc := range []string{file, filepath.Join(file, "etc"), filepath.Join(file, "a", "etc")} {
		if err := Register(t.Context(), etc, 20, "lan2"); err == nil || !strings.Contains(err.Error(), file) {
			report.Errorf("%s: error %v", etc, err)
		}
	}
	if err := Unregister(t.Context(), filepath.Join(dir, "missing"), 20, "lan2"); err != nil {
		report.Error(err)
	}
	// A refused entry leaves no directory either.
	if err := Register(t.Context(), filepath.Join(dir, "new"), 20, "main"); !errors.Is(err, ErrReserved) {
		report.Errorf("error %v", err)
	}
	if got, want := dump(t, dir), "-rw-r--r-- file \"\"\n"; got != want {
		report.Errorf("got %s, want %s", got, want)
	}
}

// Several entries are written in one edit, without those that are refused, and are
// removed in one.
func TestRegisterAll(t *testing.T) {
	report := testrun.Limit(t)
	r, root := newTestRegistry(t, "etc/rt_tables", stock+"30 taken\n")
	before := dump(t, root)
	entries := []Entry{{ID: 20, Name: "lan2"}, {ID: 30, Name: "lan3"}, {ID: 21, Name: "all"}, {ID: 22, Name: "lan2"}, {ID: 20, Name: "lan2"}, {ID: 23, Name: "lan5"}}
	for range 2 {
		errs := r.registerAll(t.Context(), entries)
		for i, want := range []string{
			"", `ID 30 is already named "taken"`, "reserved name", `"lan2" already names table 20`, "", "",
		} {
			if (want == "") != (errs[i] == nil) || !strings.Contains(testrun.Error(errs[i]), want) {
				report.Errorf("%d %s: %v, want %q", uint32(entries[i].ID), entries[i].Name, errs[i], want)
			}
		}
	}
	want := stock + "30 taken\n" + ourLine + "\n23\tlan5 # policyroute\n"
	if b, err := os.ReadFile(filepath.Join(root, "etc/rt_tables")); string(b) != want {
		report.Errorf("got %q, %v, want %q", b, err, want)
	}
	for i, err := range r.unregisterAll(t.Context(), entries) {
		if err != nil {
			report.Errorf("%v: %v", entries[i], err)
		}
	}
	if diff := cmp.Diff(before, dump(t, root)); diff != "" {
		report.Errorf("after unregisterAll (-before +after):\n%s", diff)
	}
	if errs := r.registerAll(t.Context(), nil); len(errs) != 0 {
		report.Errorf("no entries: %v", errs)
	}
}

// Names that come and go at once, in one process and in several, leave what was
// there before, in an existing file and in one of ours.
func TestRegisterConcurrent(t *testing.T) {
	report := testrun.Limit(t)
	for _, files := range [][]string{{"etc/rt_tables", stock}, {}, nil} {
		r, root := newTestRegistry(t, files...)
		before := dump(t, root)
		if files == nil { // the directory comes and goes as well
			r.etc = filepath.Join(root, "a", "etc")
		}
		var cmds []*exec.Cmd
		for range 2 {
			cmd, _ := startChild(t, "register", r.etc)
			cmds = append(cmds, cmd)
		}
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				id := ID(100 + i)
				for range 20 {
					if err := Register(t.Context(), r.etc, id, "t"+id.String()); err != nil {
						report.Error(err)
					}
					if err := Unregister(t.Context(), r.etc, id, "t"+id.String()); err != nil {
						report.Error(err)
					}
				}
			})
		}
		wg.Wait()
		for _, cmd := range cmds {
			if err := cmd.Wait(); err != nil {
				report.Errorf("child: %v", err)
			}
		}
		after := dump(t, root)
		if files == nil { // the one who makes a directory may not be the one who makes the file
			after = strings.TrimPrefix(strings.TrimPrefix(after, "drwxr-xr-x a\n"), "drwxr-xr-x a/etc\n")
		}
		if diff := cmp.Diff(before, after); diff != "" {
			report.Errorf("(-before +after):\n%s", diff)
		}
	}
}

func TestNewRegistry(t *testing.T) {
	report := testrun.Limit(t)
	vendors := []string{"/usr/share/iproute2", "/usr/lib/iproute2"}
	for etc, want := range map[string]registry{
		"":                {filepath.Clean(defaultEtc), vendors},
		"/etc/iproute2/":  {filepath.Clean(defaultEtc), vendors},
		"/etc/./iproute2": {filepath.Clean(defaultEtc), vendors},
		"/opt/iproute2":   {filepath.Clean("/opt/iproute2"), nil},
	} {
		if diff := cmp.Diff(want, newRegistry(etc), cmp.AllowUnexported(registry{})); diff != "" {
			report.Errorf("newRegistry(%q) (-want +got):\n%s", etc, diff)
		}
	}
}

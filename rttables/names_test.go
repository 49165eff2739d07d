package rttables

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/testrun"
)

// tree makes a file system of pairs of path and content.
func tree(pairs ...string) fstest.MapFS {
	m := make(fstest.MapFS)
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return m
}

// listing is every table that has a name, one a line.
func listing(n *Names) string {
	var b strings.Builder
	for id, name := range n.All() {
		fmt.Fprintf(&b, "%d %s\n", uint32(id), name)
	}
	return b.String()
}

const reservedListing = "253 default\n254 main\n255 local\n"

func TestNamesWithoutFiles(t *testing.T) {
	report := testrun.Limit(t)
	loaded, err := Load(fstest.MapFS{})
	if err != nil {
		t.Fatal(err)
	}
	for what, n := range map[string]*Names{"nil": nil, "zero": new(Names), "empty": loaded} {
		if got := listing(n); got != reservedListing {
			report.Errorf("%s: All:\n%s", what, got)
		}
		if got := n.Name(Main); got != "main" {
			report.Errorf("%s: Name(Main) = %q", what, got)
		}
		if got := n.Name(20); got != "20" {
			report.Errorf("%s: Name(20) = %q", what, got)
		}
		if id, ok := n.Lookup("local"); !ok || id != Local {
			report.Errorf("%s: Lookup(local) = %v, %v", what, id, ok)
		}
		if id, ok := n.Lookup("20"); ok || id != 0 {
			report.Errorf("%s: Lookup(20) = %v, %v", what, id, ok)
		}
		got := []string{
			n.Protos().Name(4), n.Protos().Name(210), n.Scopes().Name(253), n.Realms().Name(0),
			n.DSFields().Name(0x28), n.Groups().Name(0), n.Groups().Name(7),
		}
		want := []string{"static", "210", "link", "unknown", "0x28", "default", "7"}
		if diff := testrun.Cut(cmp.Diff(want, got)); diff != "" {
			report.Errorf("%s: other databases (-want +got):\n%s", what, diff)
		}
		if v, ok := n.Protos().Lookup("kernel"); !ok || v != 2 {
			report.Errorf("%s: Protos().Lookup(kernel) = %d, %v", what, v, ok)
		}
	}
}

// With adds a name and changes nothing else, also not the Names that it is called
// on.
func TestNamesWith(t *testing.T) {
	report := testrun.Limit(t)
	loaded, err := Load(tree("etc/iproute2/rt_tables", "20 lan2\n", "etc/iproute2/group", "9 g\n"))
	if err != nil {
		t.Fatal(err)
	}
	for what, n := range map[string]*Names{"nil": nil, "zero": new(Names), "loaded": loaded} {
		before := listing(n)
		with := n.With(30, "lan3").With(20, "other")
		if got, want := listing(with), "20 other\n30 lan3\n"+reservedListing; got != want {
			report.Errorf("%s: All:\n%s", what, got)
		}
		for _, name := range []string{"lan3", "other", "main"} {
			if _, ok := with.Lookup(name); !ok {
				report.Errorf("%s: %s is not found", what, name)
			}
		}
		if id, ok := with.Lookup("lan2"); ok != (n == loaded) || ok && id != 20 {
			report.Errorf("%s: Lookup(lan2) = %v, %v", what, id, ok)
		}
		if got, want := with.Groups().Name(9), n.Groups().Name(9); got != want {
			report.Errorf("%s: group 9 is %s, want %s", what, got, want)
		}
		if after := listing(n); after != before {
			report.Errorf("%s: With changed its receiver:\n%s", what, after)
		}
	}
}

func TestZeroDB(t *testing.T) {
	report := testrun.Limit(t)
	var d DB
	if got := d.Name(7); got != "7" {
		report.Errorf("Name = %q", got)
	}
	if v, ok := d.Lookup("x"); ok {
		report.Errorf("Lookup = %d", v)
	}
	if v, err := d.Parse("7"); err != nil || v != 7 {
		report.Errorf("Parse = %d, %v", v, err)
	}
	if _, err := d.Parse("x"); err == nil {
		report.Error("Parse(x) succeeded")
	}
	for id, name := range d.All() {
		report.Errorf("All yields %d %q", id, name)
	}
}

// The expected values were confirmed with ip of iproute2 6.1.0.
func TestNamesParse(t *testing.T) {
	report := testrun.Limit(t)
	n, err := Load(tree("etc/iproute2/rt_tables",
		"20 lan2\n21 22\n30 first\n30 second\n40 main\n257 dup\n2 dup\n258 dup\n5 old\n261 old\n0 unspec\n"))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		word string
		want ID
	}{
		{"lan2", 20},
		{"22", 21}, // the name hides the number
		{"23", 23},
		{"first", 30},
		{"second", 30},
		{"main", 40},
		{"dup", 257}, // chain 1 comes before chain 2
		{"old", 261}, // one chain: the later line
		{"unspec", 0},
		{"010", 8},
		{"0x10", 16},
		{"+10", 10},
		{"0", 0},
		{"4294967295", 1<<32 - 1},
	}
	for _, tt := range tests {
		if got, err := n.Parse(tt.word); err != nil || got != tt.want {
			report.Errorf("Parse(%q) = %d, %v, want %d", tt.word, uint32(got), err, uint32(tt.want))
		}
	}
	if got := n.Name(30); got != "second" {
		report.Errorf("Name(30) = %q, want the last", got)
	}
	if got := n.Name(254); got != "main" {
		report.Errorf("Name(254) = %q", got)
	}
}

func TestNamesParseErrors(t *testing.T) {
	report := testrun.Limit(t)
	n, err := Load(tree("etc/iproute2/rt_tables", "20 lan2\n21 uplink\n"))
	if err != nil {
		t.Fatal(err)
	}
	for word, near := range map[string]string{
		"lna2": "lan2", "lan": "lan2", "lan3": "lan2", "upplink": "uplink", "mian": "main", "xyz": "",
		"": "", "4294967296": "", "-1": "", "08": "", "lan2 ": "lan2", strings.Repeat("a", 100): "",
	} {
		_, err := n.Parse(word)
		var ue *UnknownError
		if !errors.As(err, &ue) || ue.Word != word || ue.Near != near {
			report.Errorf("Parse(%q): %v, want near %q", word, err, near)
		}
	}
	_, err = n.Parse("lna2")
	if want := `unknown table "lna2" (did you mean "lan2"?)`; testrun.Error(err) != want {
		report.Errorf("got %q, want %q", err, want)
	}
}

func TestOtherDatabases(t *testing.T) {
	report := testrun.Limit(t)
	n, err := Load(tree(
		"etc/iproute2/rt_protos", "4 fixed\n99 openr\n98 openr\n256 far\n",
		"etc/iproute2/rt_protos.d/x.conf", "210 policyroute\n",
		"usr/share/iproute2/rt_scopes", "100 mine\n",
		"etc/iproute2/rt_scopes.d/x.conf", "101 unread\n",
		"etc/iproute2/rt_realms", "0 cosmos\n3 guests\n",
		"etc/iproute2/rt_dsfield", "0x0 default\n0xB8 EF\n",
		"etc/iproute2/group", "0x10 lan\n16 lan0\n",
	))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		db   DB
		word string
		want uint32
	}{
		{n.Protos(), "fixed", 4},
		{n.Protos(), "policyroute", 210},
		{n.Protos(), "openr", 98},
		{n.Scopes(), "mine", 100},
		{n.Scopes(), "link", 253},
		{n.Realms(), "guests", 3},
		{n.DSFields(), "EF", 0xb8},
		{n.DSFields(), "10", 0x10}, // hexadecimal in any case
		{n.DSFields(), "0x2e", 0x2e},
		{n.Groups(), "lan", 16},
		{n.Groups(), "2147483647", 1<<31 - 1},
	}
	for _, tt := range tests {
		if got, err := tt.db.Parse(tt.word); err != nil || got != tt.want {
			report.Errorf("Parse(%q) = %d, %v, want %d", tt.word, got, err, tt.want)
		}
	}
	// In an array the later name takes the place of the earlier one.
	for _, tt := range []struct {
		db   DB
		word string
	}{
		{n.Protos(), "static"}, {n.Protos(), "far"}, {n.Protos(), "256"}, {n.Scopes(), "unread"},
		{n.Realms(), "unknown"}, {n.Realms(), "256"}, {n.DSFields(), "g"}, {n.Groups(), "2147483648"},
	} {
		if got, err := tt.db.Parse(tt.word); err == nil {
			report.Errorf("Parse(%q) = %d, want an error", tt.word, got)
		}
	}
	if got := n.Groups().Name(16); got != "lan0" {
		report.Errorf("Groups().Name(16) = %q, want the last", got)
	}
}

var loadOrderTests = []struct {
	name  string
	files fstest.MapFS
	dirs  []string
	want  string // without the reserved names
}{
	{
		name:  "the administrator's file replaces the distribution's",
		files: tree("etc/iproute2/rt_tables", "20 a\n", "usr/share/iproute2/rt_tables", "21 b\n"),
		want:  "20 a\n",
	}, {
		name:  "share before lib",
		files: tree("usr/lib/iproute2/rt_tables", "20 a\n", "usr/share/iproute2/rt_tables", "21 b\n"),
		want:  "21 b\n",
	}, {
		name:  "lib",
		files: tree("usr/lib/iproute2/rt_tables", "20 a\n"),
		want:  "20 a\n",
	}, {
		name: "conf files of both",
		files: tree("etc/iproute2/rt_tables", "20 a\n",
			"etc/iproute2/rt_tables.d/x.conf", "21 etc\n",
			"usr/share/iproute2/rt_tables.d/y.conf", "22 share\n",
			"usr/lib/iproute2/rt_tables.d/z.conf", "23 lib\n"),
		want: "20 a\n21 etc\n22 share\n23 lib\n",
	}, {
		name: "a conf file of the same name hides the distribution's, even empty",
		files: tree("etc/iproute2/rt_tables.d/x.conf", "",
			"usr/share/iproute2/rt_tables.d/x.conf", "22 share\n",
			"usr/share/iproute2/rt_tables.d/y.conf", "23 y\n"),
		want: "23 y\n",
	}, {
		name: "the administrator's conf files come last",
		files: tree("etc/iproute2/rt_tables.d/a.conf", "20 etc\n",
			"usr/share/iproute2/rt_tables.d/b.conf", "20 share\n"),
		want: "20 etc\n",
	}, {
		name: "only *.conf, not hidden",
		files: tree("etc/iproute2/rt_tables.d/README", "20 a\n", "etc/iproute2/rt_tables.d/.x.conf", "21 b\n",
			"etc/iproute2/rt_tables.d/.conf", "22 c\n", "etc/iproute2/rt_tables.d/x.conf~", "23 d\n",
			"etc/iproute2/rt_tables.d/x.conf", "24 e\n"),
		want: "24 e\n",
	}, {
		name:  "other directories",
		files: tree("opt/a/rt_tables.d/x.conf", "20 a\n", "opt/b/rt_tables", "21 b\n", "etc/iproute2/rt_tables", "22 c\n"),
		dirs:  []string{"opt/a", "opt/b"},
		want:  "20 a\n21 b\n",
	},
}

func TestLoadOrder(t *testing.T) {
	for _, tt := range loadOrderTests {
		t.Run(tt.name, func(t *testing.T) {
			n, err := Load(tt.files, tt.dirs...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := testrun.Cut(cmp.Diff(tt.want+reservedListing, listing(n))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoadDamaged(t *testing.T) {
	n, err := Load(tree(
		"etc/iproute2/rt_tables", "20 a\ngarbage\n21 b\n",
		"etc/iproute2/rt_tables.d/x.conf", "22 c\n23\n",
		"etc/iproute2/rt_tables.d/y.conf", "24 d\n",
	))
	if diff := testrun.Cut(cmp.Diff("20 a\n22 c\n24 d\n"+reservedListing, listing(n))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want := "etc/iproute2/rt_tables:2: the line does not begin with a number: \"garbage\"\n" +
		"etc/iproute2/rt_tables.d/x.conf:2: no name after the number: \"23\""
	if err == nil || err.Error() != want {
		t.Errorf("got error\n%v\nwant\n%s", err, want)
	}
	var se *SyntaxError
	if !errors.As(err, &se) || se.Line != 2 || se.Text != "garbage" {
		t.Errorf("got %+v", se)
	}
}

// An unreadableFS fails for one file as a disk or a missing right does.
type unreadableFS struct {
	fs.FS
	name string
}

func (u unreadableFS) Open(name string) (fs.File, error) {
	if name == u.name {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return u.FS.Open(name)
}

func TestLoadUnreadable(t *testing.T) {
	files := tree("etc/iproute2/rt_tables", "20 a\n", "usr/share/iproute2/rt_tables", "21 b\n", "etc/iproute2/group", "9 g\n")
	n, err := Load(unreadableFS{files, "etc/iproute2/rt_tables"})
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "etc/iproute2/rt_tables") {
		t.Errorf("error %v", err)
	}
	if got := listing(n); got != reservedListing { // no fallback: iproute2 has none here
		t.Errorf("All:\n%s", got)
	}
	if got := n.Groups().Name(9); got != "g" {
		t.Errorf("Groups().Name(9) = %q", got)
	}
	if _, err := Load(files, "/etc/iproute2"); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("a rooted directory: %v, want fs.ErrInvalid", err)
	}
}

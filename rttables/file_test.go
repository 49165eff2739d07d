package rttables

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/testrun"
)

// stock is the file as iproute2 ships it.
const stock = "#\n# reserved values\n#\n255\tlocal\n254\tmain\n253\tdefault\n0\tunspec\n#\n# local\n#\n#1\tinr.ruhep\n"

func mustParse(t *testing.T, s string) *File {
	t.Helper()
	f, err := ParseFile([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFileEntries(t *testing.T) {
	f := mustParse(t, "# head\n\n20 a # one\n  0x15\tb  \r\n2147483648 skipped\n20 c")
	want := []Entry{{20, "a", "one", 3}, {21, "b", "", 4}, {20, "c", "", 6}}
	if diff := cmp.Diff(want, f.Entries()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if name, ok := f.Name(20); !ok || name != "c" {
		t.Errorf("Name(20) = %q, %v", name, ok)
	}
	if name, ok := f.Name(22); ok {
		t.Errorf("Name(22) = %q", name)
	}
	if id, ok := f.Lookup("a"); !ok || id != 20 {
		t.Errorf("Lookup(a) = %v, %v", id, ok)
	}
	if id, ok := f.Lookup("main"); ok { // a File has only what is in the file
		t.Errorf("Lookup(main) = %v", id)
	}
}

func TestFileSet(t *testing.T) {
	long := strings.Repeat("x", 511)
	tests := []struct{ name, in, comment, want string }{
		{"empty", "", "", "20\tlan2\n"},
		{"stock", stock, "", stock + "20\tlan2\n"},
		{"comment", "1 a\n", " second uplink ", "1 a\n20\tlan2 # second uplink\n"},
		{"no final line end", "1 a", "c", "1 a\n20\tlan2 # c"},
		{"CRLF", "1 a\r\n", "c", "1 a\r\n20\tlan2 # c\r\n"},
		{"CRLF, no final line end", "1 a\r\n2 b", "", "1 a\r\n2 b\r\n20\tlan2"},
		{"a final CR alone", "1 a\r", "", "1 a\r\r\n20\tlan2"},
		{"CRLF, then a blank without end", "1 a\r\n  ", "", "1 a\r\n  \n20\tlan2"},
		{"a full line without end", "#" + long[1:], "", "#" + long[1:] + "\n20\tlan2"},
		{"there already", "20 lan2 # mine\n", "other", "20 lan2 # mine\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := mustParse(t, tt.in)
			if err := f.Set(20, "lan2", tt.comment); err != nil {
				t.Fatal(err)
			}
			if got := string(f.Bytes()); got != tt.want {
				t.Fatalf("got %q, want %q", got, tt.want)
			}
			again := mustParse(t, tt.want)
			if diff := cmp.Diff(f.Entries(), again.Entries()); diff != "" {
				t.Errorf("in memory and read again (-memory +again):\n%s", diff)
			}
			if tt.want == tt.in {
				return
			}
			for what, f := range map[string]*File{"in memory": f, "read again": again} {
				if !f.Delete("lan2") {
					t.Errorf("%s: nothing deleted", what)
				}
				if got := string(f.Bytes()); got != tt.in {
					t.Errorf("%s: after Delete %q, want %q", what, got, tt.in)
				}
			}
		})
	}
}

var refusedEntries = []struct {
	id            ID
	name, comment string
	want          error
}{
	{30, "", "", ErrName},
	{30, "30", "", ErrName},
	{30, "0x1e", "", ErrName},
	{30, "036", "", ErrName},
	{30, "-1", "", ErrName},
	{30, "lan 3", "", ErrName},
	{30, "lan\t3", "", ErrName},
	{30, "lan\n3", "", ErrName},
	{30, "lan\u00a03", "", ErrName},
	{30, "lan\x003", "", ErrName},
	{30, "lan\x7f", "", ErrName},
	{30, "lan\xff", "", ErrName},
	{30, "\ufefflan3", "", ErrName},
	{30, "lan\u200b3", "", ErrName},
	{30, "lan#3", "", ErrName},
	{30, "#", "", ErrName},
	{30, strings.Repeat("x", 507), "", ErrName},
	{30, "lan3", strings.Repeat("x", 500), ErrComment},
	{30, "lan3", "a\nb", ErrComment},
	{30, "lan3", "a\x00b", ErrComment},
	{1 << 31, "lan3", "", ErrRange},
	{1<<32 - 1, "lan3", "", ErrRange},
	{Unspec, "lan3", "", ErrReserved},
	{Compat, "lan3", "", ErrReserved},
	{Default, "lan3", "", ErrReserved},
	{Main, "lan3", "", ErrReserved},
	{Local, "lan3", "", ErrReserved},
	{30, "main", "", ErrReserved},
	{30, "unspec", "", ErrReserved},
	{30, "all", "", ErrReserved},
	{30, "cache", "", ErrReserved},
	{30, "lan2", "", fs.ErrExist},
	{20, "lan3", "", fs.ErrExist},
}

func TestFileSetRefused(t *testing.T) {
	report := testrun.Limit(t)
	in := "20 lan2\n21 22\n"
	for _, tt := range refusedEntries {
		f := mustParse(t, in)
		err := f.Set(tt.id, tt.name, tt.comment)
		if !errors.Is(err, tt.want) {
			report.Errorf("Set(%d, %.20q, %.20q): %v, want %v", uint32(tt.id), tt.name, tt.comment, err, tt.want)
		}
		var entry *EntryError
		var conflict *ConflictError
		if !errors.As(err, &entry) && !errors.As(err, &conflict) {
			report.Errorf("Set(%d, %.20q): %T", uint32(tt.id), tt.name, err)
		}
		if got := string(f.Bytes()); got != in {
			report.Errorf("Set(%d, %.20q) changed the file: %q", uint32(tt.id), tt.name, got)
		}
	}
	err := mustParse(t, in).Set(30, "lan2", "")
	if want := `rt_tables entry 30 "lan2": line 1: "lan2" already names table 20`; testrun.Error(err) != want {
		report.Errorf("got %q, want %q", err, want)
	}
	err = mustParse(t, in).Set(20, "lan3", "")
	if want := `rt_tables entry 20 "lan3": line 1: ID 20 is already named "lan2"`; testrun.Error(err) != want {
		report.Errorf("got %q, want %q", err, want)
	}
	if err := mustParse(t, stock).Set(Main, "main", ""); err != nil {
		report.Errorf("what is there already: %v", err)
	}
	if err := new(File).Set(maxFileID, strings.Repeat("x", 498), ""); err != nil {
		report.Errorf("the longest line: %v", err)
	}
	if err := new(File).Set(maxFileID, strings.Repeat("x", 499), ""); err == nil {
		report.Error("a line one byte too long was set")
	}
}

func TestFileDelete(t *testing.T) {
	report := testrun.Limit(t)
	tests := []struct{ in, name, want string }{
		{"1 a\n2 b\n3 c\n", "b", "1 a\n3 c\n"},
		{"1 a\n2 b # c\n# d", "b", "1 a\n# d"},
		{"1 a", "a", ""},
		{"1 a\n2 b", "b", "1 a"},
		{"1 a\n2 b\n3 b", "b", "1 a"},
		{"1 a\n2 b\n1 a\n", "a", "2 b\n"},
	}
	for _, tt := range tests {
		f := mustParse(t, tt.in)
		if !f.Delete(tt.name) || string(f.Bytes()) != tt.want {
			report.Errorf("Delete(%q) of %q gives %q, want %q", tt.name, tt.in, f.Bytes(), tt.want)
		}
		if f.Delete(tt.name) || string(f.Bytes()) != tt.want {
			report.Errorf("a second Delete(%q) of %q did something", tt.name, tt.in)
		}
	}
}

func TestFileDamaged(t *testing.T) {
	const in = "1 a\nlan2 20\n3 c\n"
	f, err := ParseFile([]byte(in))
	var se *SyntaxError
	if !errors.As(err, &se) || se.Line != 2 || se.Text != "lan2 20" || !errors.Is(f.Err(), err) {
		t.Fatalf("ParseFile: %v, Err: %v", err, f.Err())
	}
	if diff := cmp.Diff([]Entry{{1, "a", "", 1}}, f.Entries()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := f.Set(1, "a", ""); err != nil {
		t.Errorf("what is there already: %v", err)
	}
	if err := f.Set(20, "lan2", ""); !errors.As(err, &se) {
		t.Errorf("Set: %v, want a *SyntaxError", err)
	}
	if f.Delete("a") || string(f.Bytes()) != in {
		t.Errorf("changed: %q", f.Bytes())
	}

	f.Force()
	if err := f.Set(20, "lan2", "here"); err != nil {
		t.Fatal(err)
	}
	if got, want := string(f.Bytes()), "1 a\n20\tlan2 # here\nlan2 20\n3 c\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !f.Delete("lan2") || string(f.Bytes()) != in {
		t.Errorf("after Delete: %q", f.Bytes())
	}
	if f.Err() == nil {
		t.Error("no longer damaged")
	}
}

// Where the bad line is the rest of a good one that is too long, it goes with it,
// and the File then has what followed.
func TestFileDeleteMends(t *testing.T) {
	f, err := ParseFile([]byte("1 a\n2 b #" + strings.Repeat("x", 600) + "\n3 c\n"))
	if err == nil {
		t.Fatal("no error")
	}
	f.Force()
	if !f.Delete("b") || f.Err() != nil {
		t.Errorf("Err: %v", f.Err())
	}
	if diff := cmp.Diff([]Entry{{1, "a", "", 1}, {3, "c", "", 2}}, f.Entries()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFileNextFree(t *testing.T) {
	report := testrun.Limit(t)
	f := mustParse(t, stock+"1 a\n2 b\n0x5 c\n4 6\n2147483647 z\n")
	for from, want := range map[ID]ID{0: 3, 1: 3, 2: 3, 4: 7, 5: 7, 252: 256, 300: 300, 2147483646: 2147483646} {
		if got, ok := f.NextFree(from); !ok || got != want {
			report.Errorf("NextFree(%d) = %d, %v, want %d", uint32(from), uint32(got), ok, uint32(want))
		}
	}
	for _, from := range []ID{2147483647, 1 << 31, 1<<32 - 1} {
		if got, ok := f.NextFree(from); ok {
			report.Errorf("NextFree(%d) = %d", uint32(from), uint32(got))
		}
	}
}

func FuzzParseFile(f *testing.F) {
	for _, s := range []string{
		"", "\n", "\r", "\r\n", stock, "20 a", "20 a\r\n21 b", "20 a\r", "garbage", "20 a\ngarbage\n21 b\n",
		"0x14 a # c\n", "# \x00\n20 a", "2147483648 a\n", "1 a\r\n  ", "20 free # x",
		"20 a #" + strings.Repeat("x", 600), strings.Repeat("#", 511), "1 a\r\n#" + strings.Repeat("x", 510),
	} {
		f.Add([]byte(s), uint32(20), "lan2", "c")
	}
	var seeds testrun.Seeds
	f.Fuzz(func(t *testing.T, b []byte, id uint32, name, comment string) {
		seeds.Next(t)
		file, err := ParseFile(b)
		if string(file.Bytes()) != string(b) {
			t.Fatalf("Bytes() = %q, want %q", file.Bytes(), b)
		}
		if (err != nil) != (file.Err() != nil) {
			t.Fatalf("ParseFile: %v, Err: %v", err, file.Err())
		}
		if _, found := file.Lookup(name); found {
			return
		}
		if free, ok := file.NextFree(ID(id)); ok {
			id = uint32(free)
		}
		file.Force()
		if file.Set(ID(id), name, comment) != nil {
			if string(file.Bytes()) != string(b) {
				t.Fatalf("a refused Set made %q of %q", file.Bytes(), b)
			}
			return
		}
		set := file.Bytes()
		again, err2 := ParseFile(set)
		if (err != nil) != (err2 != nil) {
			t.Fatalf("Set made %q, error %v, of %q, error %v", set, err2, b, err)
		}
		if diff := cmp.Diff(file.Entries(), again.Entries()); diff != "" {
			t.Fatalf("%q in memory and read again (-memory +again):\n%s", set, diff)
		}
		if got, ok := again.Lookup(name); !ok || got != ID(id) {
			t.Fatalf("Lookup(%q) in %q = %v, %v", name, set, got, ok)
		}
		again.Force()
		for _, f := range []*File{file, again} {
			if !f.Delete(name) || string(f.Bytes()) != string(b) {
				t.Fatalf("Set and Delete of %q made %q of %q", name, f.Bytes(), b)
			}
		}
	})
}

package main

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A cpioEntry has the values of an entry that the tests compare.
type cpioEntry struct {
	name         string
	mode         uint64
	major, minor uint64
	content      string
}

func (e cpioEntry) String() string {
	return fmt.Sprintf("%06o %s %d:%d %q", e.mode, e.name, e.major, e.minor, e.content)
}

// readCpio reads an archive. It was written from cpio(5), independently of the writer.
func readCpio(t *testing.T, b []byte) []cpioEntry {
	t.Helper()
	var entries []cpioEntry
	inodes := map[uint64]string{}
	pos := 0
	for {
		field := func(i int) uint64 {
			at := pos + 6 + 8*i
			v, err := strconv.ParseUint(string(b[at:at+8]), 16, 32)
			if err != nil {
				t.Fatalf("at %d: %v", at, err)
			}
			return v
		}
		if len(b) < pos+110 || string(b[pos:pos+6]) != "070701" {
			t.Fatalf("no header at %d of %d", pos, len(b))
		}
		nameAt := pos + 110
		contentAt := (nameAt + int(field(11)) + 3) &^ 3
		e := cpioEntry{
			name: strings.TrimSuffix(string(b[nameAt:nameAt+int(field(11))]), "\x00"),
			mode: field(1), major: field(9), minor: field(10),
			content: string(b[contentAt : contentAt+int(field(6))]),
		}
		if e.name == "TRAILER!!!" {
			return entries
		}
		if other, ok := inodes[field(0)]; ok {
			t.Errorf("%s has the inode of %s", e.name, other)
		}
		inodes[field(0)] = e.name
		entries = append(entries, e)
		pos = (contentAt + int(field(6)) + 3) &^ 3
	}
}

// busybox 1.35 wrote the same entries for the same tree:
//
//	mkdir sub; printf hello >sub/a; chmod 755 sub/a; ln -s sub/a link
//	find . | sort | busybox cpio -o -H newc -R 0:0
func TestArchive(t *testing.T) {
	golden, err := os.ReadFile("testdata/busybox.cpio")
	if err != nil {
		t.Fatal(err)
	}
	want := slices.DeleteFunc(readCpio(t, golden), func(e cpioEntry) bool {
		return e.name == "." // the root exists already
	})

	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "sub", "a"), []byte("hello"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "sub", "hidden"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("sub/a", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	got := written(t, func(a *archive) {
		a.tree("/", dir, func(rel string, _ fs.DirEntry) bool { return rel != "sub/hidden" })
	})
	if !slices.Equal(got, want) {
		t.Errorf("got\n%v\nwant\n%v", got, want)
	}
}

func written(t *testing.T, add func(a *archive)) []cpioEntry {
	t.Helper()
	var b bytes.Buffer
	a := newArchive(&b)
	add(a)
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	return readCpio(t, b.Bytes())
}

// A directory comes before its entries, and only once.
func TestArchiveDirectories(t *testing.T) {
	got := written(t, func(a *archive) {
		a.device("/dev/console", 5, 1)
		a.data("/a/b/c", []byte("1"))
		a.data("a/b/d", []byte("22222"))
		a.dir("/dev")
	})
	want := []cpioEntry{
		{name: "dev", mode: 0o40755},
		{name: "dev/console", mode: 0o20600, major: 5, minor: 1},
		{name: "a", mode: 0o40755},
		{name: "a/b", mode: 0o40755},
		{name: "a/b/c", mode: 0o100644, content: "1"},
		{name: "a/b/d", mode: 0o100644, content: "22222"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%v\nwant\n%v", got, want)
	}
}

// close returns the first error.
func TestArchiveError(t *testing.T) {
	a := newArchive(io.Discard)
	a.file("/x", "testdata/missing")
	a.data("/y", []byte("y"))
	if err := a.close(); !os.IsNotExist(err) {
		t.Errorf("got %v", err)
	}
	a = newArchive(io.Discard)
	a.entry("short", cpioFile, 10, strings.NewReader("123"))
	if err := a.close(); err == nil || !strings.Contains(err.Error(), "short") {
		t.Errorf("a file that shrinks: %v", err)
	}
}

package main

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// The files of a tar file are in the archive with their modes, a hard link as a symbolic one,
// and no device.
func TestTar(t *testing.T) {
	path := filepath.Join(t.TempDir(), "root.tar")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(f)
	for _, h := range []tar.Header{
		{Name: "./", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "./bin", Typeflag: tar.TypeSymlink, Linkname: "usr/bin"},
		{Name: "./tmp/", Typeflag: tar.TypeDir, Mode: 0o1777},
		{Name: "./dev/null", Typeflag: tar.TypeChar, Mode: 0o666},
		{Name: "./usr/bin/perl", Typeflag: tar.TypeReg, Mode: 0o755, Size: 5},
		{Name: "./usr/bin/perl5", Typeflag: tar.TypeLink, Linkname: "./usr/bin/perl"},
	} {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		w.Write([]byte("hello")[:h.Size])
	}
	w.Close()
	f.Close()

	var b bytes.Buffer
	a := newArchive(&b)
	names := a.tar(path)
	a.data("/bin/more", nil) // by the symbolic link
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	if want := []string{"", "bin", "tmp", "dev/null", "usr/bin/perl", "usr/bin/perl5"}; !reflect.DeepEqual(names, want) {
		t.Errorf("names %q, want %q", names, want)
	}
	for _, want := range []string{"000041ED", "000043FF", "000081ED", "0000A1FF"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no mode %s", want)
		}
	}
	for text, want := range map[string]bool{"hello": true, "/usr/bin/perl\x00": true, "dev/null": false} {
		if strings.Contains(b.String(), text) != want {
			t.Errorf("%q is in the archive: %t", text, !want)
		}
	}
	if err := newArchive(&b).close(); err != nil {
		t.Error(err)
	}
	missing := newArchive(&b)
	missing.tar("/nowhere")
	if missing.close() == nil {
		t.Error("a tar file that does not exist is no error")
	}
}

func TestSystemdArgs(t *testing.T) {
	o, err := parseSystemdArgs([]string{"-release", "bookworm,trixie", "-unit", "uplinks.service", "-run", "reload"})
	if err != nil || len(o.releases) != 2 || o.releases[1].series != "6.12" || len(o.units) != 1 || o.run != "reload" {
		t.Errorf("%+v, %v", o, err)
	}
	for _, args := range []string{"-release jessie", "-unit none.service", "-bogus"} {
		if _, err := parseSystemdArgs(strings.Fields(args)); err == nil {
			t.Errorf("%s is no error", args)
		}
	}
}

package fibtrace

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The files of testdata are those of Linux 6.18 on x86-64: the formats, and a page of
// trace_pipe_raw after "ip route get" for 10.9.0.1, 10.7.0.1 and 2001:db8:1::9 with the rule
// "to 10.9.0.0/16 lookup 20".
func readTestdata(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func testLayouts(t testing.TB) (pageLayout, []*layout) {
	t.Helper()
	p, err := parseHeaderPage(readTestdata(t, "header_page"))
	if err != nil {
		t.Fatal(err)
	}
	l4, err := parseFormat(4, readTestdata(t, "fib.format"))
	if err != nil {
		t.Fatal(err)
	}
	l6, err := parseFormat(6, readTestdata(t, "fib6.format"))
	if err != nil {
		t.Fatal(err)
	}
	return p, []*layout{l4, l6}
}

// text returns the events of a page in lines.
func text(p pageLayout, layouts []*layout, page []byte) (string, error) {
	var b strings.Builder
	err := p.parse(page, func(_ time.Duration, record []byte) {
		var e Event
		for _, l := range layouts {
			if l.decode(record, &e) {
				fmt.Fprintln(&b, e)
			}
		}
	})
	return b.String(), err
}

func TestPage(t *testing.T) {
	if !littleEndian {
		t.Log("the page is that of a little-endian machine")
		return
	}
	p, layouts := testLayouts(t)
	got, err := text(p, layouts, []byte(readTestdata(t, "page")))
	if err != nil {
		t.Fatal(err)
	}
	if want := readTestdata(t, "page.txt"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A name that is a dynamic array, as in older kernels, is found.
func TestDynamicName(t *testing.T) {
	old := strings.Replace(readTestdata(t, "fib.format"), "field:char name[16];\toffset:60;\tsize:16;",
		"field:__data_loc char[] name;\toffset:60;\tsize:4;", 1)
	l, err := parseFormat(4, old)
	if err != nil {
		t.Fatal(err)
	}
	record := make([]byte, 70)
	put := func(f field, b ...byte) { copy(record[f.offset:], b) }
	put(field{offset: 0}, native16(l.id)...)
	put(l.dev, append(native16(64), native16(5)...)...)
	if !littleEndian {
		put(l.dev, append(native16(5), native16(64)...)...)
	}
	copy(record[64:], "eth1\x00")
	var e Event
	if !l.decode(record, &e) || e.Dev != "eth1" {
		t.Errorf("%q", e.Dev)
	}
}

func native16(n uint16) []byte {
	if littleEndian {
		return []byte{byte(n), byte(n >> 8)}
	}
	return []byte{byte(n >> 8), byte(n)}
}

// A kernel whose tracepoint lacks a field is an error that names it.
func TestMissingField(t *testing.T) {
	_, err := parseFormat(4, strings.Replace(readTestdata(t, "fib.format"), "tb_id", "table", 1))
	if err == nil || !strings.Contains(err.Error(), "tb_id") {
		t.Error(err)
	}
}

func TestStats(t *testing.T) {
	stats := "entries: 3\noverrun: 5\ncommit overrun: 1\nbytes: 8\noldest event ts:  1.2\nnow ts:  3.4\ndropped events: 2\nread events: 0\n"
	if n, err := parseStats(stats); n != 8 || err != nil {
		t.Error(n, err)
	}
	if _, err := parseStats("entries: 3\n"); err == nil {
		t.Error("no error without numbers")
	}
}

// FuzzPage reads any page, with any format: nothing panics, and no event is longer than what
// there is.
func FuzzPage(f *testing.F) {
	p, _ := testLayouts(f)
	for _, name := range []string{"fib.format", "fib6.format"} {
		f.Add([]byte(readTestdata(f, "page")), readTestdata(f, name), name == "fib6.format")
	}
	f.Add(make([]byte, 16), "ID: 1", false)
	f.Fuzz(func(t *testing.T, page []byte, format string, six bool) {
		family := 4
		if six {
			family = 6
		}
		l, err := parseFormat(family, format)
		if err != nil {
			l = nil
		}
		copied := bytes.Clone(page)
		for _, p := range []pageLayout{p, {word: 4, size: p.size}} {
			_ = p.parse(page, func(_ time.Duration, record []byte) {
				if len(record) > len(page) {
					t.Fatal("a record is longer than its page")
				}
				var e Event
				if l != nil && l.decode(record, &e) {
					_ = e.String()
				}
			})
		}
		if !bytes.Equal(page, copied) {
			t.Fatal("the page is changed")
		}
	})
}

// FuzzFormat reads any text.
func FuzzFormat(f *testing.F) {
	f.Add(readTestdata(f, "fib.format"))
	f.Add(readTestdata(f, "header_page"))
	f.Fuzz(func(_ *testing.T, text string) {
		_, _ = parseFormat(4, text)
		_, _ = parseFormat(6, text)
		_, _ = parseHeaderPage(text)
		_, _ = parseStats(text)
	})
}

package rttables

import (
	"encoding"
	"encoding/json"
	"errors"
	"strconv"
	"testing"

	"github.com/policyroute/policyroute/internal/testrun"
)

var (
	_ encoding.TextMarshaler   = ID(0)
	_ encoding.TextAppender    = ID(0)
	_ encoding.TextUnmarshaler = (*ID)(nil)
)

func TestIDString(t *testing.T) {
	report := testrun.Limit(t)
	tests := map[ID]string{
		Unspec: "0", 1: "1", 20: "20", Compat: "252", Default: "default", Main: "main",
		Local: "local", 256: "256", 1<<32 - 1: "4294967295",
	}
	for id, want := range tests {
		if got := id.String(); got != want {
			report.Errorf("ID(%d).String() = %q, want %q", uint32(id), got, want)
		}
		back, err := ParseID(want)
		if err != nil || back != id {
			report.Errorf("ParseID(%q) = %d, %v, want %d", want, uint32(back), err, uint32(id))
		}
		if b, err := id.AppendText([]byte("table ")); err != nil || string(b) != "table "+want {
			report.Errorf("ID(%d).AppendText: %q, %v", uint32(id), b, err)
		}
	}
}

func TestParseID(t *testing.T) {
	report := testrun.Limit(t)
	tests := []struct {
		in   string
		want ID
		err  error
	}{
		{in: "0", want: 0},
		{in: "0x14", want: 20},
		{in: "0XfF", want: 255},
		{in: "4294967295", want: 1<<32 - 1},
		{in: "0xffffffff", want: 1<<32 - 1},
		{in: "0x0014", want: 20},
		{in: "main", want: Main},
		{in: "4294967296", err: strconv.ErrRange},
		{in: "0x100000000", err: strconv.ErrRange},
		{in: "", err: strconv.ErrSyntax},
		{in: "0x", err: strconv.ErrSyntax},
		{in: "010", err: strconv.ErrSyntax}, // ip(8) takes it for 8
		{in: "00", err: strconv.ErrSyntax},
		{in: "+1", err: strconv.ErrSyntax},
		{in: "-1", err: strconv.ErrSyntax},
		{in: "1_0", err: strconv.ErrSyntax},
		{in: "0x1_0", err: strconv.ErrSyntax},
		{in: "0b1", err: strconv.ErrSyntax},
		{in: " 1", err: strconv.ErrSyntax},
		{in: "1\n", err: strconv.ErrSyntax},
		{in: "Main", err: strconv.ErrSyntax},
		{in: "unspec", err: strconv.ErrSyntax},
		{in: "compat", err: strconv.ErrSyntax},
	}
	for _, tt := range tests {
		got, err := ParseID(tt.in)
		if got != tt.want || !errors.Is(err, tt.err) {
			report.Errorf("ParseID(%q) = %d, %v, want %d, %v", tt.in, uint32(got), err, uint32(tt.want), tt.err)
		}
	}
}

func TestIDJSON(t *testing.T) {
	type config struct {
		Table ID `json:"table"`
	}
	var c config
	if err := json.Unmarshal([]byte(`{"table":"0x14"}`), &c); err != nil || c.Table != 20 {
		t.Errorf("got %v, %v", c, err)
	}
	if b, err := json.Marshal(config{Main}); err != nil || string(b) != `{"table":"main"}` {
		t.Errorf("got %s, %v", b, err)
	}
	c.Table = 7
	if err := json.Unmarshal([]byte(`{"table":"lan2"}`), &c); err == nil || c.Table != 7 {
		t.Errorf("after an error: %d, %v, want 7 and an error", uint32(c.Table), err)
	}
}

func FuzzParseID(f *testing.F) {
	for _, s := range []string{"", "0", "main", "local", "default", "0x14", "010", "4294967295", "4294967296", "-1", "٣"} {
		f.Add(s)
	}
	var seeds testrun.Seeds
	f.Fuzz(func(t *testing.T, s string) {
		seeds.Next(t)
		id, err := ParseID(s)
		if err != nil {
			if id != 0 {
				t.Errorf("ParseID(%q) = %d with error %v", s, uint32(id), err)
			}
			return
		}
		back, err := ParseID(id.String())
		if err != nil || back != id {
			t.Errorf("ParseID(%q) = %d, which prints as %q, which gives %d, %v", s, uint32(id), id, uint32(back), err)
		}
		// Whatever ParseID accepts, ip(8) reads as the same number.
		if n, err := (*Names)(nil).Parse(s); err != nil || n != id {
			t.Errorf("ParseID(%q) = %d, but ip reads %d, %v", s, uint32(id), uint32(n), err)
		}
	})
}

package route

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/policyroute/policyroute/rttables"
)

// showNames are names with what iproute2 ships in its files, of which only this
// is in the cases.
func showNames(t testing.TB) *Names {
	t.Helper()
	files, err := rttables.Load(fstest.MapFS{
		"etc/iproute2/rt_protos": {Data: []byte("99 openr\n")},
		"etc/iproute2/rt_realms": {Data: []byte("0 cosmos\n")},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &Names{Files: files, Links: names.Links}
}

// What the kernel reports is shown as iproute2 showed it, as it came and in the
// form of List.
func TestCorpusShow(t *testing.T) {
	if !littleEndian {
		return // the payloads are of a little-endian machine; TestShow is of any
	}
	names := showNames(t)
	count := map[string]int{}
	for _, c := range readCorpus(t) {
		var routes []Route
		for _, payload := range c.Kernel {
			var r Route
			if err := r.UnmarshalBinary(payload); err != nil {
				t.Fatalf("%s: %v", c.Words(), err)
			}
			routes = append(routes, r)
		}
		if len(routes) == 0 {
			continue
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, c.JSON); err != nil {
			t.Fatal(err)
		}
		for _, form := range []struct {
			option string
			style  Style
			want   string
		}{
			{"show", Style{}, strings.Join(c.Show, "\n")},
			{"show -d", Style{Details: true}, strings.Join(c.ShowD, "\n")},
			{"show -o", Style{OneLine: true}, strings.ReplaceAll(strings.Join(c.Show, "\n"), "\n\t", "\\\t")},
			{"json", Style{JSON: true}, compact.String()},
		} {
			form.style.Names = names
			if got := ShowList(routes, form.style); got != form.want+"\n" {
				t.Errorf("%s: %s\n got %q\nwant %q", c.Words(), form.option, got, form.want)
				continue
			}
			count[form.option]++
		}
	}
	t.Logf("cases shown: %v", count)
	for _, n := range []string{"show", "show -d", "json"} {
		if count[n] < 256 {
			t.Errorf("%s: %d cases", n, count[n])
		}
	}
}

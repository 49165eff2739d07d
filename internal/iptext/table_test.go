package iptext

import (
	"errors"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/internal/testrun"
)

// A thing has two words, one of them with two names, and one that is only read.
type thing struct {
	not bool
	to  string
}

var things = Table[thing]{
	{Names: []string{"not"},
		Parse: func(_ *Words, v *thing) error { v.not = true; return nil },
		Print: func(p *Printer, v *thing) {
			if v.not {
				p.Put("not")
			}
		}},
	{Names: []string{"to", "towards"},
		Parse: func(w *Words, v *thing) (err error) { v.to, err = w.Arg("a place"); return err },
		Print: func(p *Printer, v *thing) {
			if v.to != "" {
				p.Put("to", v.to)
			}
		}},
	{Names: []string{"nowhere"},
		Parse: func(_ *Words, v *thing) error { v.to = ""; return nil }},
}

func parseThing(s string) (v thing, err error) {
	for w := Split("thing", s); w.More() && err == nil; {
		err = things.Parse(w, &v, "a word of things")
	}
	return v, err
}

func TestTable(t *testing.T) {
	report := testrun.Limit(t)
	for text, want := range map[string]string{
		"": "", "not": "not", "to sea": "to sea", "towards sea not": "not to sea",
		"to sea nowhere": "", "to sea to hill": "to hill", "to not": "to not",
	} {
		v, err := parseThing(text)
		if err != nil {
			report.Errorf("%q: %v", text, err)
			continue
		}
		var p Printer
		if things.Print(&p, &v); p.String() != want {
			report.Errorf("%q prints as %q, want %q", text, p.String(), want)
		}
	}
	for text, want := range map[string]string{
		"not to":         `thing: word 3: a place is missing after "to"`,
		"not far":        `thing: word 2 "far": not a word of things`,
		"tоwards":        `thing: word 1 "tоwards": not a word of things; did you mean towards?`, // a Cyrillic o
		"not twoards":    `thing: word 2 "twoards": not a word of things; did you mean towards?`,
		"to sea nowhree": `thing: word 3 "nowhree": not a word of things; did you mean nowhere?`,
	} {
		if v, err := parseThing(text); err == nil || err.Error() != want {
			report.Errorf("%q:\ngot  %+v, %v\nwant %s", text, v, err, want)
		}
	}
}

func TestFind(t *testing.T) {
	report := testrun.Limit(t)
	for name, want := range map[string]string{"not": "not", "towards": "to", "nowhere": "nowhere", "": "", "no": ""} {
		word, ok := things.Find(name)
		if ok != (want != "") || ok && word.Names[0] != want {
			report.Errorf("Find(%q): got %v, %t, want %q", name, word, ok, want)
		}
	}
}

func TestSuggest(t *testing.T) {
	report := testrun.Limit(t)
	names := []string{"from", "to", "iif", "oif", "sport", "dport", "suppress_prefixlength", "table", "tos"}
	for word, want := range map[string]string{
		"dprot":                  "dport", // swapped
		"form":                   "from",
		"tabel":                  "table",
		"tble":                   "table", // missing
		"taable":                 "table", // one too many
		"port":                   "sport", // the first of two that are as near
		"eif":                    "iif",
		"suppress_prefixlenght":  "suppress_prefixlength",
		"suppres_prefixlenth":    "suppress_prefixlength",
		"xx":                     "", // as far as "to" is long
		"lookup":                 "",
		"tablexyz":               "", // three too many
		"":                       "",
		strings.Repeat("a", 33):  "",
		strings.Repeat("a", 1e6): "",
	} {
		if want != "" {
			want = "; did you mean " + want + "?"
		}
		if got := Suggest(word, names); got != want {
			report.Errorf("Suggest(%.30q): got %q, want %q", word, got, want)
		}
	}
	if got := Suggest("from", nil); got != "" {
		report.Errorf("Suggest without names: got %q", got)
	}
}

func TestDistance(t *testing.T) {
	report := testrun.Limit(t)
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "abc", 0}, {"abc", "abd", 1}, {"abc", "acb", 1}, {"abc", "bc", 1},
		{"kitten", "sitting", 3}, {"ca", "abc", 3}, {"abcd", "badc", 2},
		{strings.Repeat("a", 32), strings.Repeat("b", 32), 32},
	} {
		if got, back := distance(tt.a, tt.b), distance(tt.b, tt.a); got != tt.want || back != tt.want {
			report.Errorf("distance(%q, %q): got %d, and back %d, want %d", tt.a, tt.b, got, back, tt.want)
		}
	}
}

func TestPrinter(t *testing.T) {
	var p Printer
	if p.String() != "" {
		t.Errorf("nothing prints as %q", p.String())
	}
	p.Put()
	p.Put("from", "all")
	p.Put("lookup")
	if got, want := p.String(), "from all lookup"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A word that may be abbreviated is its beginning, the first one that fits; one
// that is written out is that, and the parser sees the full form.
func TestTableShort(t *testing.T) {
	report := testrun.Limit(t)
	var seen []string
	word := func(names ...string) Word[thing] {
		return Word[thing]{Names: names, Parse: func(w *Words, _ *thing) error {
			seen = append(seen, w.Last())
			return nil
		}}
	}
	table := Table[thing]{
		word("table", "lookup"), word("tun_id"), word("to"), word("pref", "preference", "priority"),
		{Short: []string{"tun_id", "table", "preference", "priority"}},
	}
	w := Split("thing", "t ta to tab lookup pre pref pri prio")
	for w.More() {
		if err := table.Parse(w, new(thing), "a word"); err != nil {
			report.Error(err)
		}
	}
	want := "tun_id table to table lookup preference pref priority priority"
	if got := strings.Join(seen, " "); got != want {
		report.Errorf("got %s, want %s", got, want)
	}
	for _, s := range []string{"look", "tables", "toto"} {
		if err := table.Parse(Split("thing", s), new(thing), "a word"); err == nil {
			report.Errorf("%q is a word", s)
		}
	}
	if _, ok := Expand("", []string{"table"}); ok {
		report.Error("nothing is the beginning of a name")
	}
}

// An error says whose argument it is about, of words within words the innermost.
func TestErrorKeyword(t *testing.T) {
	report := testrun.Limit(t)
	inner := Table[thing]{{Names: []string{"via"}, Parse: func(w *Words, v *thing) (err error) {
		v.to, err = w.Arg("a place")
		return err
	}}}
	outer := Table[thing]{
		{Names: []string{"hop"}, Parse: func(w *Words, v *thing) error { return inner.Parse(w, v, "a word of hops") }},
		{Names: []string{"weight"}, Parse: func(w *Words, _ *thing) error { return w.Errorf("too heavy") }},
		{Short: []string{"weight"}},
	}
	for text, want := range map[string]string{"we": "weight", "hop via": "via", "hop x": "hop", "x": ""} {
		err := outer.Parse(Split("thing", text), new(thing), "a word")
		var e *Error
		if !errors.As(err, &e) || e.Keyword != want {
			report.Errorf("%q: %v is about %q, want %q", text, err, e.Keyword, want)
		}
	}
}

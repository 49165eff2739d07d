package picture_test

import (
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table/explain"
	"github.com/policyroute/policyroute/table/explain/picture"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

var update = flag.Bool("update", false, "write the pictures in testdata anew")

// packetMark begins a line of a world in testdata of package explain with a packet.
const packetMark = "#> "

// The pictures of the worlds of package explain, and of the packets in them, are those of
// testdata. Where there are files of the other forms, these are the same too.
func TestGolden(t *testing.T) {
	names, err := filepath.Glob("../testdata/*.txt")
	if err != nil || len(names) == 0 {
		t.Fatalf("no worlds: %v", err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f := fib(t, string(b))
		base := filepath.Join("testdata", strings.TrimSuffix(filepath.Base(name), ".txt"))
		whole := picture.Make(f, nil)
		var text strings.Builder
		text.WriteString(whole.String())
		var first *explain.Packet
		for line := range strings.Lines(string(b)) {
			words, ok := strings.CutPrefix(line, packetMark)
			if !ok {
				continue
			}
			p := packet(t, strings.TrimSpace(words))
			if first == nil {
				first = &p
			}
			fmt.Fprintf(&text, "\n%s%s\n%s", packetMark, strings.TrimSpace(words), picture.Make(f, &picture.Config{Packet: &p}))
		}
		wantFile(t, base+".golden", text.String())
		marked := picture.Make(f, &picture.Config{Packet: first})
		for _, form := range []struct{ ext, text string }{
			{".dot", marked.DOT()}, {".mermaid", marked.Mermaid()}, {".svg", marked.SVG()},
		} {
			if _, err := os.Stat(base + form.ext); err == nil {
				wantFile(t, base+form.ext, form.text)
			}
		}
		checkForms(t, f, first)
	}
}

// wantFile holds a text against a file, or writes the file.
func wantFile(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	tabletest.WantText(t, name, string(want), got)
}

func fib(t testing.TB, text string) *explain.FIB {
	t.Helper()
	w, err := explain.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return explain.NewFIB(w)
}

func packet(t testing.TB, words string) explain.Packet {
	t.Helper()
	p, err := explain.ParsePacket(words)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// checkForms checks what holds for the pictures of all worlds.
func checkForms(t *testing.T, f *explain.FIB, p *explain.Packet) {
	t.Helper()
	for _, config := range []*picture.Config{nil, {Packet: p}} {
		a, b := picture.Make(f, config), picture.Make(f, config)
		forms := []string{a.String(), a.DOT(), a.Mermaid(), a.SVG()}
		for i, again := range []string{b.String(), b.DOT(), b.Mermaid(), b.SVG()} {
			if forms[i] != again {
				t.Errorf("two pictures of one world differ:\n%s\n%s", forms[i], again)
			}
			if !utf8.ValidString(again) || strings.ContainsFunc(again, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' }) {
				t.Errorf("the picture has control characters: %q", again)
			}
		}
		d := xml.NewDecoder(strings.NewReader(a.SVG()))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%v in\n%s", err, a.SVG())
			}
		}
		if n := strings.Count(strings.ReplaceAll(strings.ReplaceAll(a.DOT(), `\\`, ""), `\"`, ""), `"`); n%2 != 0 {
			t.Errorf("%d quotation marks in\n%s", n, a.DOT())
		}
	}
}

// No line is wider than 80 columns, even with the longest words that routes and rules
// have.
func TestWidth(t *testing.T) {
	f := fib(t, `
address add 2001:db8:1111:2222:3333:4444:5555:6666/64 dev interface-name1
-6 route add default nexthop via 2001:db8:1111:2222:3333:4444:5555:7777 dev interface-name1 weight 200 nexthop via 2001:db8:1111:2222:3333:4444:5555:8888 dev interface-name1 weight 100
-6 route add 2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff/127 from 2001:db8:1111:2222:3333:4444:5555:6666 via 2001:db8:1111:2222:3333:4444:5555:7777 dev interface-name1 table 1234567890
link add interface-name1 index 2
-6 rule add from 2001:db8:1111:2222:3333:4444:5555:6666 to 2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff/127 iif interface-name1 fwmark 0x11111111/0xffffffff lookup 1234567890 suppress_prefixlength 100 pref 4294967295
-6 rule add not from 2001:db8:1111:2222:3333:4444:5555:6666 uidrange 1000000000-2000000000 ipproto tcp dport 10000-20000 prohibit pref 4294967294
address add 198.51.100.222/32 dev interface-name1
route add 203.0.113.128/25 via 198.51.100.100 dev interface-name1 onlink metric 4000000000
link add interface-name2 index 3 down
route add unreachable 203.0.113.128/25
`)
	p := packet(t, "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff from 2001:db8:1111:2222:3333:4444:5555:6666 iif interface-name1 mark 0x11111111 ipproto tcp dport 10001")
	for _, config := range []*picture.Config{nil, {Packet: &p}} {
		for _, l := range picture.Make(f, config).Lines(80) {
			if n := utf8.RuneCountInString(l.String()); n > 80 {
				t.Errorf("a line of %d columns:\n%s", n, l)
			}
		}
	}
	checkForms(t, f, &p)
}

// Names with characters that mean something in a form are escaped there.
func TestEscapes(t *testing.T) {
	f := fib(t, `
link add 'x"]-->y;<&' index 2
link add 'a\n|b' index 3
address add 192.0.2.2/24 dev 'x"]-->y;<&'
route add default via 192.0.2.1 dev 'x"]-->y;<&'
route add 198.51.100.0/24 dev 'a\n|b' table 7
rule add iif 'x"]-->y;<&' lookup 7 pref 5
`)
	names := new(rttables.Names).With(7, "<\x1b[31m\"&")
	p := packet(t, "198.51.100.1 from 192.0.2.2")
	checkForms(t, f, &p)
	a := picture.Make(f, &picture.Config{Names: names})
	for _, x := range []struct{ form, text, want, refused string }{
		{"text", a.String(), `7 <\x1b[31m"&`, "\x1b"},
		{"SVG", a.SVG(), `x&#34;]--&gt;y;&lt;&amp;`, "x\""},
		{"SVG", a.SVG(), `7 &lt;\x1b[31m&#34;&amp;`, "\x1b"},
		{"DOT", a.DOT(), `x\"]-->y;<&`, `"x"]`},
		{"DOT", a.DOT(), `a\\n|b`, `"a\n|b"`},
		{"Mermaid", a.Mermaid(), `x#34;#93;--#62;y#59;#60;#38;`, `]-->y`},
	} {
		if !strings.Contains(x.text, x.want) || strings.Contains(x.text, x.refused) {
			t.Errorf("%s has no %s, or has %q:\n%s", x.form, x.want, x.refused, x.text)
		}
	}
}

// A table with many routes is drawn in few lines, and the route of the packet is one of
// them.
func TestManyRoutes(t *testing.T) {
	var b strings.Builder
	b.WriteString("address add 192.0.2.2/24 dev eth0\nsysctl -w net.ipv4.fib_has_custom_rules=1\n")
	for i := range 3000 {
		fmt.Fprintf(&b, "route add 10.%d.%d.0/24 via 192.0.2.%d dev eth0\n", i/250, i%250, 3+i%60)
	}
	f := fib(t, b.String())
	if n := strings.Count(picture.Make(f, nil).String(), "\n"); n > 120 {
		t.Errorf("%d lines", n)
	}
	p := packet(t, "10.11.249.1")
	got := picture.Make(f, &picture.Config{Packet: &p}).String()
	if !strings.Contains(got, "├ 10.11.249.0/24,") && !strings.Contains(got, "└ 10.11.249.0/24,") || !strings.Contains(got, "━▶ 192.0.2.62 ━▶ eth0") {
		t.Errorf("the route of %s is not in\n%s", &p, got)
	}
}

// The path of a packet is marked wherever rules, tables and next hops decide about it.
func TestPath(t *testing.T) {
	const world = `
address add 192.0.2.2/24 dev eth0
address add 198.51.100.2/24 dev eth1
route add default table 7 nexthop via 192.0.2.1 dev eth0 weight 1 nexthop via 198.51.100.1 dev eth1 weight 3
nexthop add id 1 via 192.0.2.9 dev eth0
nexthop add id 2 via 198.51.100.9 dev eth1
nexthop add id 3 group 1/2
nexthop add id 4 blackhole
route add 203.0.113.0/24 nhid 3 table 8
route add 203.0.114.0/24 nhid 4 table 8
rule add from 192.0.2.2 goto 500 pref 100
rule add lookup 9 pref 200
rule add nop pref 500
rule add lookup 8 pref 600
rule add lookup 7 suppress_prefixlength 0 pref 700
rule add to 203.0.115.0/24 prohibit pref 800
rule add lookup 7 pref 900
sysctl -w net.ipv4.fib_has_custom_rules=1
`
	f := fib(t, world)
	for _, x := range []struct {
		packet string
		want   []string
	}{
		{"203.0.113.9 from 192.0.2.2", []string{"○   100  from 192.0.2.2", "●   600", "━▶ 192.0.2.9", "━▶ 198.51.100.9"}},
		{"203.0.116.9", []string{"○   600  from all", "○   700", "suppress", "●   900", "━▶ 192.0.2.1 weight 1 ━", "━▶ 198.51.100.1 weight 3 ━"}},
		{"203.0.115.9", []string{"●   800", "━▶ prohibit"}},
		{"203.0.114.9", []string{"●   600", "━▶ blackhole"}},
	} {
		p := packet(t, x.packet)
		got := picture.Make(f, &picture.Config{Packet: &p}).String()
		for _, want := range x.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %q in\n%s", x.packet, want, got)
			}
		}
		checkForms(t, f, &p)
	}
}

// Make draws whatever Parse reads.
func FuzzMake(f *testing.F) {
	f.Add("rule add from 192.0.2.2 lookup 7 pref 5\nroute add default via 192.0.2.1 dev a\"b table 7", "198.51.100.1 from 192.0.2.2")
	f.Add("-6 rule add not from 2001:db8::/32 goto 9 pref 5\n-6 route add unreachable default table 7 metric 5\nrule flush", "2001:db8::1 iif lo")
	f.Add("nexthop add id 1 blackhole\nnexthop add id 2 group 1\nroute add 192.0.2.0/24 nhid 2", "192.0.2.1")
	f.Fuzz(func(t *testing.T, world, words string) {
		w, err := explain.Parse(world)
		if err != nil || len(world) > 2000 {
			return
		}
		p, err := explain.ParsePacket(words)
		if err != nil {
			return
		}
		checkForms(t, explain.NewFIB(w), &p)
	})
}

// Of many rules, each has its own result.
func TestManyRules(t *testing.T) {
	const count = 5000
	var w strings.Builder
	w.WriteString("link add eth0 index 2\naddress add 192.0.2.2/24 dev eth0\nroute add default via 192.0.2.1 dev eth0\n")
	for i := range count {
		fmt.Fprintf(&w, "rule add fwmark %d lookup 7 pref %d\n", i+1, i+100)
	}
	w.WriteString("rule add from 192.0.2.2 lookup 7 pref 6000\n")
	f := fib(t, w.String())
	p := packet(t, "198.51.100.7 from 192.0.2.2")
	signs := map[string]string{"0": "○", "6000": "○", "32766": "●"}
	rules := 0
	for line := range strings.Lines(picture.Make(f, &picture.Config{Packet: &p}).String()) {
		words, _, isRule := strings.Cut(line, "  from ")
		if !isRule {
			continue
		}
		sign, priority := "", strings.TrimSpace(words)
		if before, after, ok := strings.Cut(priority, " "); ok {
			sign, priority = before, strings.TrimSpace(after)
		}
		if sign != signs[priority] {
			t.Errorf("the rule %s has the sign %q, want %q", priority, sign, signs[priority])
		}
		rules++
	}
	if want := count + 3; rules < want {
		t.Errorf("%d rules, want %d", rules, want)
	}
}

package iptext

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
)

// oddNames are names that an interface, a table or a file may have.
var oddNames = []string{
	"eth0", "eth0.5", "a\u2003b", "lan/2", "a.b", "a;id>x", "o'ne", "a$(id)", "`id`", "a|b", "~", "#a", "a&b", `a\b`, `a\tb`, "a*", "[a]", "{a,b}", "!", `"`, "''", "é", "-n", "a=b", "\x01\xff",
	"\x1b[2J", "-\x1b'%s\\", "\x9b2J", "é\u202e", "\x1b]0;x\a", "\x7f",
}

// shell runs commands in a directory of its own, and returns what they print. The
// ip that they find prints its arguments, one a line.
func shell(t *testing.T, dir, commands string) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "ip")
	if err := os.WriteFile(bin, []byte("#!/bin/sh\nprintf '%s\\n' \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", commands)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "PATH="+filepath.Dir(bin)+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v: %s", commands, err, out)
	}
	return string(out)
}

// A shell hands on each word as it is, and does nothing else.
func TestCommandInShell(t *testing.T) {
	report := testrun.Limit(t)
	sh(t)
	for _, name := range oddNames {
		dir := t.TempDir()
		got := shell(t, dir, Command[uint8](uapi.AF_INET6, "route", "add", "-6 default dev "+name+" table 20"))
		want := strings.Join([]string{"-6", "route", "add", "default", "dev", name, "table", "20"}, "\n") + "\n"
		if got != want {
			report.Errorf("dev %q: ip is called with\n%swant\n%s", name, got, want)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			report.Errorf("dev %q: the shell has written %v, %v", name, left, err)
		}
		words, err := SplitCommand(Command[uint8](uapi.AF_INET, "route", "add", "default dev "+name))
		if err != nil || !slices.Equal(words, []string{"ip", "route", "add", "default", "dev", name}) {
			report.Errorf("dev %q is split into %q, %v", name, words, err)
		}
	}
}

// A word that is printed does nothing to a terminal, and stands for the same word.
func FuzzQuote(f *testing.F) {
	for _, name := range oddNames {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q := Quote(s)
		if q != Printable(q) && !strings.HasSuffix(s, "\n") {
			t.Errorf("%q is quoted as %q", s, q)
		}
		if words, err := SplitCommand("a " + q + " b"); err != nil || !slices.Equal(words, []string{"a", s, "b"}) {
			t.Errorf("%q is quoted as %s, which is split into %q, %v", s, q, words, err)
		}
	})
}

// A line is appended to a file as it is, and is the one that is deleted again.
func TestLinesInShell(t *testing.T) {
	report := testrun.Limit(t)
	sh(t)
	for _, name := range oddNames {
		if strings.ContainsAny(name, "#\x01") {
			continue // not in rt_tables
		}
		dir := t.TempDir()
		file := filepath.Join(dir, strings.ReplaceAll(name, "/", "_")+".d")
		// Lines that are nearly the same stay.
		other := strings.Join([]string{
			"20\tother # ours", "120\t" + name + " # ours", "20\t" + name, "20\t" + name + " # ours too",
			"20\t" + strings.ReplaceAll(name, ".", "x") + "y # ours", "",
		}, "\n")
		if err := os.WriteFile(file, []byte(other), 0o644); err != nil {
			t.Fatal(err)
		}
		read := func() string {
			t.Helper()
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
		for _, line := range []string{"20 " + name + " # ours", "20\t" + name + " # ours"} {
			shell(t, dir, AppendLine(line, file))
			if got := read(); got != other+line+"\n" {
				report.Errorf("%q: the file has\n%s", name, got)
			}
			shell(t, dir, DeleteLine(file, "20", name+" # ours"))
			if got := read(); got != other {
				report.Errorf("%q: afterwards the file has\n%s", name, got)
			}
		}
	}
}

// What an administrator would not quote is not quoted.
func TestPlainCommands(t *testing.T) {
	report := testrun.Limit(t)
	for _, x := range []struct{ got, want string }{
		{Command[uint8](uapi.AF_INET, "rule", "add", "from 192.0.2.1 lookup 20"), "ip rule add from 192.0.2.1 lookup 20"},
		{Command[uint8](uapi.AF_INET, "rule", "add", "from all lookup 20"), "ip rule add from all lookup 20"},
		{
			Command[uint8](uapi.AF_INET, "route", "add", "-4 default via inet6 fe80::1 dev eth0"),
			"ip -4 route add default via inet6 fe80::1 dev eth0",
		},
		{Command[uint8](uapi.AF_INET6, "rule", "del", "-6 from all lookup 20"), "ip -6 rule del from all lookup 20"},
		{Command[uint8](uapi.AF_INET6, "route", "add", "2001:db8::/32 dev eth0.5"), "ip -6 route add 2001:db8::/32 dev eth0.5"},
		{Command[uint8](uapi.AF_MPLS, "route", "add", "-f mpls 100 dev lo"), "ip -f mpls route add 100 dev lo"},
		{Command[uint8](uapi.AF_UNSPEC, "nexthop", "add", "id 3 group 4/5,2"), "ip nexthop add id 3 group 4/5,2"},
		{AppendLine("20 lan2", "/etc/iproute2/rt_tables"), "echo '20 lan2' >>/etc/iproute2/rt_tables"},
		{DeleteLine("/etc/iproute2/rt_tables", "20", "lan2"), `sed -i '/^20[[:blank:]]lan2[[:space:]]*$/d' /etc/iproute2/rt_tables`},
		{InNetNS("", "ip -6 rule add from all"), "ip -6 rule add from all"},
		{InNetNS("a b", "ip -6 rule add from all"), "ip -n 'a b' -6 rule add from all"},
		{InNetNS("/proc/1/ns/net", "ip rule add from all"), "nsenter --net=/proc/1/ns/net ip rule add from all"},
		{InNetNS("a", "echo 20"), "echo 20"},
		{Quote(""), "''"},
		{Quote("-\x1b[2J%'\\"), `"$(printf '\055\033[2J%%'\''\134')"`},
	} {
		if x.got != x.want {
			report.Errorf("got  %s\nwant %s", x.got, x.want)
		}
	}
	for line, want := range map[string]string{
		"ip  rule\tadd": "ip|rule|add", `it\'s`: "it's", "a''b '' c": "ab||c", "": "", "a\r": "a", `a\`: `a\`,
	} {
		if words, err := SplitCommand(line); err != nil || strings.Join(words, "|") != want {
			report.Errorf("%q: %q, %v", line, words, err)
		}
	}
	if _, err := SplitCommand("a 'b"); err == nil {
		report.Error("a quote that is not closed is taken")
	}
}

func sh(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("there is no shell: ", err)
	}
}

// TestSplitCommandLongWord checks that the memory for a word grows in steps, not once for
// each letter: otherwise a line of megabytes takes minutes.
func TestSplitCommandLongWord(t *testing.T) {
	const size = 1 << 12
	letters := strings.Repeat("a", size)
	for _, line := range []string{letters, "'" + letters + "'", strings.Repeat(`\a`, size)} {
		words, err := SplitCommand(line)
		if err != nil || !slices.Equal(words, []string{letters}) {
			t.Fatalf("%.8s...: got %d words, error %v", line, len(words), err)
		}
		if n := testing.AllocsPerRun(1, func() { _, _ = SplitCommand(line) }); n > size/8 {
			t.Errorf("%.8s...: %.0f allocations for a word of %d letters", line, n, size)
		}
	}
}

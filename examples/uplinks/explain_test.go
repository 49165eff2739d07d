package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tutorial is the server of the tutorial, written by hand.
const tutorial = `# two routers
address add 192.168.1.2/24 dev eth0
address add 192.168.2.2/24 dev eth1
route add default via 192.168.1.1 dev eth0
route add default via 192.168.2.1 dev eth1 src 192.168.2.2 table 20
rule add from 192.168.2.2 lookup 20 pref 1000
sysctl -w net.ipv4.conf.all.rp_filter=1
`

// writeTemp writes a file, and returns its path.
func writeTemp(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// expectRun runs a command that needs no host, on any system.
func expectRun(t *testing.T, wantOut, wantErr string, wantStatus int, args ...string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status := run(t.Context(), args, &stdout, &stderr)
	if status != wantStatus || stdout.String() != wantOut || stderr.String() != wantErr {
		t.Errorf("uplinks %s: exit %d, want %d\n%s%s\nwant\n%s%s", strings.Join(args, " "), status, wantStatus, &stdout, &stderr, wantOut, wantErr)
	}
}

// A host that is a file can be explained on every system.
func TestExplainWorld(t *testing.T) {
	world := writeTemp(t, "world", tutorial)
	for _, c := range []struct{ args, want string }{
		{"explain 198.51.100.7 from 192.168.2.2", `1000: from 192.168.2.2 lookup 20  20  default via 192.168.2.1 dev eth1 src 192.168.2.2
198.51.100.7 from 192.168.2.2: unicast via 192.168.2.1 dev eth1
`},
		{"explain 198.51.100.7 192.168.2.9", `32766: from all lookup main  main  default via 192.168.1.1 dev eth0
198.51.100.7: unicast via 192.168.1.1 dev eth0 src 192.168.1.2

32766: from all lookup main  main  192.168.2.0/24 dev eth1 src 192.168.2.2
192.168.2.9: unicast dev eth1 src 192.168.2.2
`},
		// It comes in by the interface that has the address.
		{"explain -input 192.168.2.2 from 198.51.100.7", `0: from all lookup local  local  local 192.168.2.2 dev eth1 src 192.168.2.2
192.168.2.2 from 198.51.100.7 iif eth1: local
the answer leaves by eth1 as well
`},
		// No interface has it, so it may come in by each.
		{"explain -input 192.168.1.9 from 192.168.2.9", `32766: from all lookup main  main  192.168.1.0/24 dev eth0 src 192.168.1.2
192.168.1.9 from 192.168.2.9 iif eth0: none, EHOSTUNREACH: forwarding is off on the interface

32766: from all lookup main  main  192.168.1.0/24 dev eth0 src 192.168.1.2
192.168.1.9 from 192.168.2.9 iif eth1: none, EHOSTUNREACH: forwarding is off on the interface
`},
	} {
		expectRun(t, c.want, "", exitOK, append([]string{"-world", world}, strings.Fields(c.args)...)...)
	}
	var long bytes.Buffer
	run(t.Context(), []string{"-world", world, "-v", "explain", "198.51.100.7"}, &long, &long)
	if !strings.Contains(long.String(), "1000: from 192.168.2.2 lookup 20         no match: from\n") {
		t.Errorf("explain -v:\n%s", &long)
	}
}

// Faults of the command line and of the file.
func TestExplainFaults(t *testing.T) {
	world := writeTemp(t, "world", tutorial)
	bad := writeTemp(t, "bad", "rule add from 192.168.2.2 lookup 20\nroute add default vai 192.168.1.1\n")
	for _, c := range []struct{ args, want string }{
		{"explain", "a packet is missing, such as 198.51.100.7 from 192.0.2.2. See uplinks help explain."},
		{"explain from 192.168.2.2", "the packet has no destination: write its address first. See uplinks help explain."},
		{"explain 198.51.100.7 form 192.168.2.2", `word 2 "form": not an address or a word of a packet; did you mean from? See uplinks help explain.`},
		{"-world - -batch - explain", "-world and -batch cannot both read standard input. See uplinks help explain."},
		{"-batch x explain 198.51.100.7", "-batch and packets on the command line exclude each other. See uplinks help explain."},
		{"-n x -world x explain 198.51.100.7", "-world and -n exclude each other. See uplinks help explain."},
		{"-world " + world + " -input explain 198.51.100.7 oif eth0",
			"-input and oif exclude each other: a packet that comes in has no socket. See uplinks help explain."},
		{"-world " + bad + " explain 198.51.100.7", bad + `:2: route: word 2 "vai": not an attribute of a route; did you mean via?`},
		{"-batch x up", "up has no option -batch; it is an option of explain. See uplinks help up."},
		{"snapshot x", "snapshot takes no names. See uplinks help snapshot."},
	} {
		expectRun(t, "", "uplinks: "+c.want+"\n", exitUsage, strings.Fields(c.args)...)
	}
}

// Each line of a batch that is neither empty nor a comment has one object on one line. A bad
// line does not end the batch.
func TestExplainBatch(t *testing.T) {
	world := writeTemp(t, "world", tutorial)
	packets := writeTemp(t, "packets", "198.51.100.7 from 192.168.2.2 # an answer\r\n\n# comment\nx\n"+
		strings.Repeat("1", 1<<17)+"\n\xff\n198.51.100.7 from 192.168.3.2\n198.51.100.7")
	var stdout, stderr bytes.Buffer
	status := run(t.Context(), []string{"-world", world, "-batch", packets, "explain"}, &stdout, &stderr)
	if want := "uplinks: " + packets + ": 3 lines could not be explained\n"; status != exitUsage || stderr.String() != want {
		t.Errorf("exit %d, %s", status, &stderr)
	}
	want := []string{"via 192.168.2.1", "error word 1 \"x\": not an address or a word of a packet", "error longer than 4096 bytes",
		"error not in UTF-8", "error ENETUNREACH: the source is not an address of this host", "via 192.168.1.1"}
	var got []string
	for line := range strings.Lines(stdout.String()) {
		var o struct{ Via, Error string }
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if o.Error != "" {
			got = append(got, "error "+o.Error)
		} else {
			got = append(got, "via "+o.Via)
		}
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the objects are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	empty := writeTemp(t, "empty", "\n")
	expectRun(t, "", "", exitOK, "-world", world, "-batch", empty, "explain")
}

// The fields of an explanation, in their order.
func TestExplainFields(t *testing.T) {
	world := writeTemp(t, "world", "address add 192.168.1.2/24 dev eth0\nroute add default via 192.168.1.1 dev eth0\nsysctl -w net.ipv4.fib_has_custom_rules=1\n")
	packets := writeTemp(t, "packets", "198.51.100.7\n")
	expectRun(t, `{"packet":"198.51.100.7","verdict":"unicast","rule":{"priority":32766,"text":"32766: from all lookup main"},`+
		`"table":"main","route":"default via 192.168.1.1 dev eth0","dev":"eth0","via":"192.168.1.1","source":"192.168.1.2",`+
		`"tables":["local","main"],"steps":[{"rule":{"priority":0,"text":"0: from all lookup local"},"result":"no route","table":"local"},`+
		`{"rule":{"priority":32766,"text":"32766: from all lookup main"},"result":"decided","table":"main","route":"default via 192.168.1.1 dev eth0"}]}`+"\n",
		"", exitOK, "-world", world, "-batch", packets, "explain")
}

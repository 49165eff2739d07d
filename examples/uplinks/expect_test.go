package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// policy is the expectations about the tutorial's server, of which the last one fails.
const policy = `lan1 table 10 dev eth0 via 192.168.1.1
lan2 table 20 dev eth1 via 192.168.2.1
expect 198.51.100.7 from 192.168.2.2 by lan2 # an answer
expect 198.51.100.7 by lan1
expect 192.168.2.9 by lan2
expect 192.168.2.9 by dev eth1
expect 198.51.100.7 by dev eth0 via 192.168.1.1
expect 198.51.100.7 by via 192.168.1.1
expect 192.168.2.2 from 198.51.100.7 iif eth1 by local
expect 198.51.100.7 from 192.168.3.2 by none
expect 203.0.113.1 by unreachable
expect 198.51.100.7 from 192.168.1.2 by lan2
`

const failure = "198.51.100.7 from 192.168.1.2: expected by lan2, but it is unicast via 192.168.1.1 dev eth0, by the rule 32766: from all lookup main"

func TestTestCommand(t *testing.T) {
	t.Setenv("GITHUB_ACTIONS", "")
	world := writeTemp(t, "world", tutorial+"route add unreachable 203.0.113.0/24\n")
	file := writeTemp(t, "uplinks.conf", policy)
	var ok strings.Builder
	for i, line := range strings.Split(policy, "\n")[2:11] {
		line, _, _ = strings.Cut(line, " #")
		line = strings.Replace(strings.TrimPrefix(line, "expect "), "dev eth0 via 192.168.1.1", "via 192.168.1.1 dev eth0", 1)
		ok.WriteString(file + ":" + string("3456789"[min(i, 6)]) + ": ok: " + line + "\n")
	}
	lines := strings.ReplaceAll(ok.String(), file+":9: ok: 198.51.100.7 from 192.168.3.2", file+":10: ok: 198.51.100.7 from 192.168.3.2")
	lines = strings.ReplaceAll(lines, file+":9: ok: 203", file+":11: ok: 203")
	expectRun(t, lines+file+":12: FAILED: "+failure+"\n1 of 10 expectations failed\n", "", exitPending, "-f", file, "-world", world, "test")
	expectRun(t, lines+"::error file="+strings.NewReplacer(":", "%3A").Replace(file)+",line=12::"+failure+"\n1 of 10 expectations failed\n", "",
		exitPending, "-f", file, "-world", world, "-github", "test")
	t.Setenv("GITHUB_ACTIONS", "true")
	expectRun(t, lines+"::error file="+strings.NewReplacer(":", "%3A").Replace(file)+",line=12::"+failure+"\n1 of 10 expectations failed\n", "",
		exitPending, "-f", file, "-world", world, "test")

	var stdout, stderr bytes.Buffer
	if status := run(t.Context(), []string{"-f", file, "-world", world, "-json", "test"}, &stdout, &stderr); status != exitPending {
		t.Errorf("exit %d, %s", status, &stderr)
	}
	var r testResult
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil || r.Command != "test" || len(r.Tests) != 10 {
		t.Fatalf("%v\n%s", err, &stdout)
	}
	want := tested{
		File: file, Line: 12, Packet: "198.51.100.7 from 192.168.1.2", By: "lan2",
		Instead: "unicast via 192.168.1.1 dev eth0", Rule: "32766: from all lookup main",
	}
	if got := r.Tests[9]; got != want || !r.Tests[0].Holds {
		t.Errorf("the last test is %+v, want %+v", got, want)
	}
}

// A file of its own has expectations about the uplinks of uplinks.conf.
func TestTestFile(t *testing.T) {
	t.Setenv("GITHUB_ACTIONS", "")
	world := writeTemp(t, "world", tutorial)
	conf := writeTemp(t, "uplinks.conf", "lan2 table 20 dev eth1 via 192.168.2.1\nexpect 198.51.100.7 by lan2\n")
	own := writeTemp(t, "policy.conf", "expect 198.51.100.7 from 192.168.2.2 by lan2\n")
	expectRun(t, own+":1: ok: 198.51.100.7 from 192.168.2.2 by lan2\n1 expectation ok\n", "", exitOK, "-f", conf, "-world", world, "test", own)
	expectRun(t, "", own+":1: \"lan2\" is neither an uplink nor a verdict\n", exitUsage, "-f", own+"x", "-world", world, "test", own)
	none := writeTemp(t, "none.conf", "# nothing\n")
	expectRun(t, "", "uplinks: "+none+" has no line that begins with expect\n", exitUsage, "-f", conf, "-world", world, "test", none)
	for args, want := range map[string]string{
		"-planned -world x test": "-planned and -world exclude each other: the plan is made for this host. See uplinks help test.",
		"-github -json test":     "-github and -json exclude each other. See uplinks help test.",
		"test a b":               "test takes one file. See uplinks help test.",
		"-force down":            "down has no option -force; it is an option of up and adopt. See uplinks help down.",
	} {
		expectRun(t, "", "uplinks: "+want+"\n", exitUsage, strings.Fields(args)...)
	}
}

// Of several next hops, each has to be the expected one, and an uplink that learns its router
// has that of a default route.
func TestExpectHops(t *testing.T) {
	t.Setenv("GITHUB_ACTIONS", "")
	world := writeTemp(t, "world", `address add 192.168.1.2/24 dev eth0
address add 192.168.2.2/24 dev eth1
route add default nexthop via 192.168.1.1 dev eth0 nexthop via 192.168.2.1 dev eth1
route add 203.0.113.0/24 via 192.168.1.1 dev eth0
route add 198.18.0.0/24 via 192.168.1.9 dev eth0
`)
	file := writeTemp(t, "uplinks.conf", `lan1 dev eth0 learn inet
lan2 dev eth1 learn inet
expect 198.51.100.7 by lan1
expect 203.0.113.1 by lan1
expect 198.18.0.1 by lan1
`)
	var stdout, stderr bytes.Buffer
	status := run(t.Context(), []string{"-f", file, "-world", world, "test"}, &stdout, &stderr)
	got := strings.ReplaceAll(stdout.String(), file, "FILE")
	want := "FILE:3: FAILED: 198.51.100.7: expected by lan1, but it is unicast by one of via 192.168.1.1 dev eth0 weight 1, via 192.168.2.1 dev eth1 weight 1, by the rule 32766: from all lookup main\n" +
		"FILE:4: ok: 203.0.113.1 by lan1\n" +
		"FILE:5: FAILED: 198.18.0.1: expected by lan1, but it is unicast via 192.168.1.9 dev eth0 src 192.168.1.2, by the rule 32766: from all lookup main\n" +
		"2 of 3 expectations failed\n"
	if status != exitPending || got != want || stderr.Len() > 0 {
		t.Errorf("exit %d\n%s%s\nwant\n%s", status, got, &stderr, want)
	}
}

func TestExpectFaults(t *testing.T) {
	const uplinks = "lan1 table 10 dev eth0 via 192.168.1.1\n"
	for line, want := range map[string]string{
		"expect":                               "f:2: word 2: the word by is missing, and after it an uplink, dev, via or a verdict such as local",
		"expect 198.51.100.7 lan1":             "f:2: word 4: the word by is missing, and after it an uplink, dev, via or a verdict such as local",
		"expect by lan1":                       "f:2: the packet has no destination: write its address first",
		"expect 198.51.100.7 form x by lan1":   `f:2: word 3 "form": not an address or a word of a packet; did you mean from?`,
		"expect 198.51.100.7 by":               "f:2: word 4: an uplink, dev, via or a verdict such as local is missing",
		"expect 198.51.100.7 by lan2":          `f:2: "lan2" is neither an uplink nor a verdict; did you mean lan1?`,
		"expect 198.51.100.7 by locol":         `f:2: "locol" is neither an uplink nor a verdict; did you mean local?`,
		"expect 198.51.100.7 by dev eth0:1":    `f:2: word 5 "eth0:1": the label of an address, not an interface: write the interface eth0, and the address after src`,
		"expect 198.51.100.7 by via 10.1":      `f:2: word 5 "10.1": an address of fewer than four numbers, which programs read differently: write 10.1.0.0, or the address that you mean`,
		"expect 198.51.100.7 by dev a dev b":   `f:2: word 6 "dev": want one of: an uplink; a verdict; dev and via, each once`,
		"expect 198.51.100.7 by lan1 dev eth0": `f:2: word 5 "dev": want one of: an uplink; a verdict; dev and via, each once`,
	} {
		_, err := parseConfig("f", uplinks+line)
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v\nwant %s", line, err, want)
		}
	}
}

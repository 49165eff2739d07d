//go:build linux

package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/reply"
)

var update = flag.Bool("update", false, "write testdata/output.txt anew")

const golden = "testdata/output.txt"

// programEnv makes the test binary run the demo, or a variant of it that fails.
const programEnv = "POLICYROUTE_DEMO_TEST"

func TestMain(m *testing.M) {
	name := os.Getenv(programEnv)
	if name == "" {
		os.Exit(m.Run())
	}
	if name == "refused" { // a user namespace that cannot have a network namespace
		if err := os.WriteFile("/proc/sys/user/max_net_namespaces", []byte("0"), 0); err != nil {
			log.Fatal(err)
		}
	}
	os.Exit(start(os.Args[1:], programs[name]))
}

func nothing(context.Context, route.Conn, ...table.SourceRoutedUplink) error { return nil }

func noReply(context.Context, route.Conn, reply.Policy, ...reply.Uplink) error { return nil }

func one(ctx context.Context, c route.Conn, u ...table.SourceRoutedUplink) error {
	return table.Install(ctx, c, u[0])
}

// programs are the variants of the demo that the test binary can run. Those that wait for an
// event that does not happen have little patience. Their result does not depend on it.
var programs = map[string]operations{
	"demo":       libraryOperations,
	"refused":    libraryOperations,
	"no install": {nothing, table.Remove, noReply, 2 * time.Second},
	"no lan2":    {one, table.Remove, noReply, 2 * time.Second},
	"no remove":  {table.Install, nothing, reply.Install, 2 * time.Second},
	"no reply":   {table.Install, table.Remove, noReply, 2 * time.Second},
}

// program returns the command for one of the programs, and the directory for its temporary
// files.
func program(t *testing.T, name string, args ...string) (*exec.Cmd, string) {
	t.Helper()
	tmp := t.TempDir()
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), programEnv+"="+name, "TMPDIR="+tmp)
	return cmd, tmp
}

// runProgram runs one of the programs to its end.
func runProgram(t *testing.T, name string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	cmd, tmp := program(t, name, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	empty(t, tmp)
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// empty checks that nothing is left in the directory for temporary files.
func empty(t *testing.T, tmp string) {
	t.Helper()
	entries, err := os.ReadDir(tmp)
	if err != nil || len(entries) > 0 {
		t.Errorf("temporary files left: %v, %v", entries, err)
	}
}

var (
	callLine = regexp.MustCompile(`^(    ok|FAILED)  \S+:\d+ `)
	counts   = regexp.MustCompile(` *\b[1-9]\d*\b`)
	total    = regexp.MustCompile(`\d+ rules and \d+ routes, of all`)
	seconds  = regexp.MustCompile(`\(\d+\.\d s\)`)
)

// The column of the counts in the line of a call.
const countsColumn = 48

// normal replaces what can differ between runs and kernels: the number of packets of a
// connection, unless it is zero, the number of routes that the kernel makes, and the time.
func normal(out string) string {
	var b strings.Builder
	for line := range strings.Lines(out) {
		if callLine.MatchString(line) && len(line) > countsColumn {
			line = line[:countsColumn] + counts.ReplaceAllStringFunc(line[countsColumn:], func(s string) string {
				return fmt.Sprintf("%*s", len(s), "N")
			})
		}
		line = total.ReplaceAllString(line, "N rules and N routes, of all")
		b.WriteString(seconds.ReplaceAllString(line, "(N s)"))
	}
	return b.String()
}

func TestOutput(t *testing.T) {
	t.Parallel()
	status, out, stderr := runProgram(t, "demo")
	if status != 0 || stderr != "" {
		t.Errorf("exit status %d, stderr %q", status, stderr)
	}
	if *update {
		if err := os.WriteFile(golden, []byte(normal(out)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	compare(t, normal(out))
	narrow(t, out)
	inReadme(t, normal(out))
}

// inReadme checks that what the README shows of the demo is a part of its output.
func inReadme(t *testing.T, out string) {
	t.Helper()
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(b), "```text demo\n")
	shown, _, ok := strings.Cut(after, "```")
	if !ok || shown == "" {
		t.Fatal("the README does not show the demo")
	}
	rest := out
	for line := range strings.Lines(normal(shown)) {
		if _, rest, ok = strings.Cut(rest, line); !ok {
			t.Errorf("the README shows a line that the demo does not print: %s", line)
		}
	}
}

// narrow checks that the text fits into 100 columns.
func narrow(t *testing.T, out string) {
	t.Helper()
	for line := range strings.Lines(out) {
		if shown := strings.ReplaceAll(line, "\t", "        "); len(shown) > 101 {
			t.Errorf("wider than 100 columns: %s", line)
		}
	}
}

// compare compares with the golden output, and reports the first difference.
func compare(t *testing.T, got string) {
	t.Helper()
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	g, w := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range max(len(g), len(w)) {
		switch {
		case i >= len(g):
			t.Fatalf("line %d is missing: %s", i+1, w[i])
		case i >= len(w):
			t.Fatalf("line %d is too many: %s", i+1, g[i])
		case g[i] != w[i]:
			t.Fatalf("line %d:\ngot  %s\nwant %s\n\nof\n%s", i+1, g[i], w[i], got)
		}
	}
}

// folded is the end of a line whose request continues in the next line.
const folded = " \\\n         "

// With -v there are more lines, and the other lines are the same.
func TestVerbose(t *testing.T) {
	t.Parallel()
	status, out, stderr := runProgram(t, "demo", "-v")
	if status != 0 || stderr != "" {
		t.Errorf("exit status %d, stderr %q", status, stderr)
	}
	narrow(t, out)
	var requests, rest strings.Builder
	for line := range strings.Lines(strings.ReplaceAll(out, folded, " ")) {
		if request, ok := strings.CutPrefix(line, "     > "); ok {
			requests.WriteString(request)
		} else {
			rest.WriteString(line)
		}
	}
	compare(t, normal(rest.String()))
	for _, want := range []string{
		"client: ip route add 192.168.2.0/24 via 203.0.113.5 src 198.51.100.10\n",
		"router A: ip -6 rule add from all iif lan blackhole pref 101\n",
		"server: ip rule list\n",
		"server: ip route list table 20\n",
		"server: ip route add default via 192.168.2.1 dev eth1 table 20 proto 210 src 192.168.2.2\n",
		"server: ip rule add from 192.168.2.2 lookup 20 proto 210 pref 31001\n",
		"server: nft add table inet policyroute",
		"server: ip -6 rule add from all ipproto tcp dport 25 lookup 20 proto 210 pref 32005\n",
		"server: ip -6 rule del from 2001:db8:1::6 lookup 10 proto 210 pref 31000\n",
		"server: ip -6 route del default via 2001:db8:2::1 dev eth1 table 20 proto 210 src 2001:db8:2::2 metric 1024 pref medium\n",
	} {
		if !strings.Contains(requests.String(), want) {
			t.Errorf("no request %q in\n%s", want, &requests)
		}
	}
}

// The demo fails if the library does not do what it should.
func TestSabotage(t *testing.T) {
	for name, wants := range map[string][]string{
		"no install": {
			"FAILED  0 rules and 0 routes were added",
			"FAILED  a second Install changes nothing",
			"FAILED  rt_tables has the names: table 10 is 10, table 20 is 20",
			"FAILED  192.168.2.2:1194        no answer            0     N       N     0       0",
			"FAILED  198.51.100.10:25        192.168.1.6          N     N       0     0    main",
			"FAILED  [2001:db8:2::2]:1194    no answer            0     N       N     0       0",
			"    ok  N rules and N routes, of all tables",
		},
		"no lan2": {
			"    ok  192.168.1.6:1194        answered             N     N       0     0       N",
			"FAILED  192.168.2.2:1194        no answer            0     N       N     0       0",
			"FAILED  198.51.100.10:25        192.168.1.6          N     N       0     0    main",
			"    ok  198.51.100.10:80        192.168.1.6          N     N       0     0    lan1",
		},
		"no reply": {
			"    ok  192.168.2.2:1194        answered             0     0       N     N       N",
			"FAILED  192.168.2.2:1194        no answer            0     N       N     0       N",
			"FAILED  [2001:db8:2::2]:1194    no answer            0     N       N     0       N",
			"    ok  198.51.100.10:25        192.168.2.2          0     0       N     N    lan2",
		},
		"no remove": {
			"FAILED  N rules and N routes, of all tables",
			"          left: 31001: from 192.168.2.2 lookup 20 proto 210",
			"          left: default via 2001:db8:2::1 dev eth1 table 20 proto 210 src 2001:db8:2::2",
			"FAILED  rt_tables is the same",
			"          has: 20\tlan2",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, out, stderr := runProgram(t, name)
			out = normal(out)
			if status != 1 || stderr != "" {
				t.Errorf("exit status %d, stderr %q", status, stderr)
			}
			for _, want := range append(wants, "\nFAILED: ") {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in\n%s", want, out)
				}
			}
		})
	}
}

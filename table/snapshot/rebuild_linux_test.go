package snapshot_test

import (
	"bytes"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/corpus"
	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/nexthop"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/snapshot"
)

// recordedNS is a namespace like the one in which the cases of the corpus were
// recorded. The indexes of its interfaces begin at first.
func recordedNS(t *testing.T, first uint32) *lab.NS {
	t.Helper()
	l := lab.Test(t)
	ns, far := l.NS("a"), l.NS("b")
	for i, name := range []string{"eth0", "eth1"} {
		// With a hardware address of its own, it has always the same link-local one.
		end := lab.End{NS: ns, Name: name, Index: first + 2*uint32(i), MAC: []byte{2, 0, 0, 0, 0, byte(i)}}
		l.Veth(end, lab.End{NS: far, Name: name})
	}
	ns.Addr("eth0", "192.168.1.6/24", "2001:db8:1::6/64")
	ns.Addr("eth1", "192.168.2.2/24", "2001:db8:2::2/64")
	return ns
}

// load adds all recorded routes, each in a table of its own, and all recorded
// rules, except for those that the kernel refuses.
func load(t *testing.T, ns *lab.NS) (routes, rules int) {
	t.Helper()
	c := dialNS(t, ns)
	for i, x := range readCorpus(t, "../../route/testdata/corpus.jsonl") {
		r, err := route.Parse(x.Words(), recordedNames(t, ns))
		if err != nil || r.Family == route.MPLS {
			continue
		}
		r.Table = rttables.ID(1000 + i)
		if route.Add(t.Context(), c, r) == nil {
			routes++
		}
	}
	for i, x := range readCorpus(t, "../../rule/testdata/corpus.jsonl") {
		r, err := rule.Parse(x.Words(), nil)
		if err != nil {
			continue
		}
		if !r.Priority.IsSet() {
			r.Priority = rule.Priority(uint32(10000 + i))
		}
		if rule.Add(t.Context(), c, r) == nil {
			rules++
		}
	}
	return routes, rules
}

func readCorpus(t *testing.T, file string) []corpus.Case {
	t.Helper()
	cases, err := corpus.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	return cases
}

func recordedNames(t *testing.T, ns *lab.NS) *route.Names {
	return &route.Names{Links: route.MakeLinks(map[uint32]string{
		1: "lo", ns.Index("eth0"): "eth0", ns.Index("eth1"): "eth1",
	})}
}

// The text of everything that was recorded is read back as what it was.
func TestRoundTrip(t *testing.T) {
	ns := recordedNS(t, 3)
	routes, rules := load(t, ns)
	if routes < 150 || rules < 150 {
		t.Errorf("only %d routes and %d rules were added", routes, rules)
	}
	s := take(t, dialNS(t, ns))
	text := s.String()
	back, err := snapshot.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	tabletest.WantText(t, "the text of what was read", text, back.String())
	if !back.Equal(s) {
		t.Error("what was read is not equal to what was written")
	}
	if d := snapshot.Diff(s, back); len(d) > 0 {
		t.Errorf("the difference from itself is\n%s", d)
	}
	// Rules have names of interfaces, so that they can be compared as they are.
	if diff := cmp.Diff(s.Rules, back.Rules, cmp.Comparer(func(a, b rule.Rule) bool { return a == b })); diff != "" {
		t.Errorf("rules (-was +read):\n%s", diff)
	}
	eth0, found := ns.Index("eth0"), false
	for i, r := range back.Routes {
		found = found || s.Routes[i].OIF == eth0
		if s.Links.Name(s.Routes[i].OIF) == back.Links.Name(r.OIF) {
			r.OIF = s.Routes[i].OIF
		}
		for j := range r.Multipath {
			r.Multipath[j].OIF = s.Routes[i].Multipath[j].OIF // the text is the same
		}
		if r.Encap != s.Routes[i].Encap {
			r.Encap = s.Routes[i].Encap // may have an index as well
		}
		if !r.Equal(s.Routes[i]) {
			t.Errorf("was  %+v\nread %+v", s.Routes[i], r)
		}
	}
	if !found {
		t.Error("no route by eth0: the test proves nothing")
	}
	t.Logf("%d routes, %d rules", len(s.Routes), len(s.Rules))
}

// tooNew are words that the ip(8) of Debian 12, 6.1, does not have; unknown, the
// realm 0, is one that it calls cosmos. Routes in the tables of the corpus that
// say they are the kernel's are comments, which are not done.
var tooNew = regexp.MustCompile(` (dscp|flowlabel|attribute|realms \S*unknown\S*) | (sport|dport) \S+/|table 1\d\d\d proto kernel`)

// The commands of a snapshot, done by ip(8) in an empty namespace, make the
// same snapshot there; so do those of the difference.
func TestRebuild(t *testing.T) {
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("ip(8) is not installed: ", err)
	}
	ns := recordedNS(t, 3)
	c := dialNS(t, ns)
	for _, words := range []string{
		// Several at one place, of which the first counts.
		"203.0.113.0/24 via 192.168.1.1 table 50",
		"203.0.113.0/24 via 192.168.2.1 table 50",
		"203.0.113.0/24 dev eth1 table 50",
		// A gateway that another route of the table leads to.
		"172.31.0.0/24 dev eth1 table 51",
		"default via 172.31.0.9 dev eth1 table 51",
	} {
		r, err := route.Parse(words, recordedNames(t, ns))
		if err == nil {
			err = route.Append(t.Context(), c, r)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range []nexthop.Object{
		{ID: 11, Gateway: addr("192.168.1.1"), OIF: ns.Index("eth0")},
		{ID: 12, Gateway: addr("192.168.2.1"), OIF: ns.Index("eth1")},
		{ID: 13, Gateway: addr("fe80::1"), OIF: ns.Index("eth1")},
		{ID: 9, Group: []nexthop.Member{{ID: 11}, {ID: 12, Weight: 3}}}, // a group with a lower number
	} {
		if _, err := nexthop.Add(t.Context(), c, n); err != nil {
			t.Fatal(err)
		}
	}
	for _, words := range []string{"198.51.100.0/24 nhid 9 table 52", "2001:db8:99::/64 nhid 13 table 52"} {
		r, err := route.Parse(words, nil)
		if err == nil {
			err = route.Add(t.Context(), c, r)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	load(t, ns) // its rules lead some gateways astray: last
	want, left := understood(t, take(t, c))
	t.Logf("%d routes and %d rules, %d left out", len(want.Routes), len(want.Rules), left)
	for name, commands := range map[string]func(empty snapshot.Snapshot) string{
		"text": func(snapshot.Snapshot) string { return want.String() },
		"diff": func(empty snapshot.Snapshot) string { return snapshot.Diff(empty, want).String() },
	} {
		t.Run(name, func(t *testing.T) {
			ns := recordedNS(t, 13)
			c := dialNS(t, ns)
			shell(t, ns, commands(take(t, c)))
			got := take(t, c)
			tabletest.WantText(t, "rebuilt", want.String(), got.String())
			// And back again.
			empty := take(t, dialNS(t, recordedNS(t, 3)))
			shell(t, ns, snapshot.Diff(got, empty).String())
			tabletest.WantText(t, "emptied", empty.String(), take(t, c).String())
		})
	}
}

// understood is s without what the installed ip(8) has no words for.
func understood(t *testing.T, s snapshot.Snapshot) (snapshot.Snapshot, int) {
	t.Helper()
	var lines []string
	left := 0
	for line := range strings.Lines(s.String()) {
		if tooNew.MatchString(line) {
			left++
			continue
		}
		lines = append(lines, line)
	}
	some, err := snapshot.Parse(strings.Join(lines, ""))
	if err != nil {
		t.Fatal(err)
	}
	return some, left
}

// shellCommands is how many commands the shell does without -full.
const shellCommands = 20

// shell does commands in a namespace, all of which have to succeed: the first of them,
// and with -full all, as they are, by a shell. The rest are given to ip(8) at once.
func shell(t *testing.T, ns *lab.NS, commands string) {
	t.Helper()
	lines := slices.Collect(strings.Lines(commands))
	first := len(lines)
	if !tabletest.Full() {
		first = min(first, shellCommands)
	}
	runAll(t, ns, strings.Join(lines[:first], ""), "sh")
	lines = slices.DeleteFunc(lines[first:], func(line string) bool { return strings.HasPrefix(line, "#") })
	for len(lines) > 0 {
		// ip(8) has one family for all commands of a batch.
		option := batchFamily(lines[0])
		n := 1
		for n < len(lines) && batchFamily(lines[n]) == option && !numericProto.MatchString(lines[n-1]) {
			n++
		}
		var batch strings.Builder
		for _, line := range lines[:n] {
			batch.WriteString(strings.TrimPrefix(strings.TrimPrefix(line, "ip "), option+" "))
		}
		args := []string{"-batch", "-"}
		if option != "" {
			args = append([]string{option}, args...)
		}
		runAll(t, ns, batch.String(), "ip", args...)
		lines = lines[n:]
	}
}

// numericProto matches a command after which ip(8) reads the name of a protocol that it
// has read before as this number.
var numericProto = regexp.MustCompile(` proto \d`)

// batchFamily returns the option of a command that says its family.
func batchFamily(command string) string {
	if words := strings.Fields(command); len(words) > 1 && strings.HasPrefix(words[1], "-") {
		return words[1]
	}
	return ""
}

// runAll runs a program that reads commands and is not to say anything.
func runAll(t *testing.T, ns *lab.NS, commands, name string, args ...string) {
	t.Helper()
	if commands == "" {
		return
	}
	err := ns.Do(func() error {
		cmd := exec.Command(name, args...)
		cmd.Stdin = strings.NewReader(commands)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		err := cmd.Run()
		if stderr.Len() > 0 {
			t.Errorf("%s says:\n%s", name, stderr.String())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

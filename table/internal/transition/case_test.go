package transition_test

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/draft"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/internal/uplink"
	"github.com/policyroute/policyroute/table/plan"
)

var update = flag.Bool("update", false, "write the steps that come out into the files of testdata")

// A testCase is a file of testdata: what there is, what is wanted, and the steps.
type testCase struct {
	file  string
	name  string // the file's, without .txt
	title string
	// apart says why the packets of a family do not change over in one step, and
	// piecemeal why not even those of one source do. Empty: they do.
	apart, piecemeal string
	have             string // lines that are added to baseWorld
	verb             string // install, adopt, remove, sync or recover
	specs            []uplink.Spec
	want             string // the text of the specs
	steps            string
}

// Sections of a file begin with these words. One of the first two may follow the title.
const (
	apartSection     = "apart: "
	piecemealSection = "piecemeal: "
	haveSection      = "have:\n"
	wantSection      = "want: "
	stepsSection     = "steps:\n"
)

// readCases reads all files of testdata.
func readCases(t *testing.T) []testCase {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 200 {
		t.Errorf("%d cases, want at least 200", len(files))
	}
	var cases []testCase
	for _, file := range files {
		cases = append(cases, readCase(t, file))
	}
	return cases
}

func readCase(t *testing.T, file string) testCase {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c := testCase{file: file, name: strings.TrimSuffix(filepath.Base(file), ".txt")}
	var ok [3]bool
	c.title, c.have, ok[0] = strings.Cut(string(b), haveSection)
	c.have, c.want, ok[1] = strings.Cut(c.have, wantSection)
	c.want, c.steps, ok[2] = strings.Cut(c.want, stepsSection)
	if ok != [3]bool{true, true, true} {
		t.Fatalf("%s: a case has the sections have:, want: and steps:", file)
	}
	_, c.apart, _ = strings.Cut(strings.TrimSpace(c.title), "\n"+apartSection)
	_, c.piecemeal, _ = strings.Cut(strings.TrimSpace(c.title), "\n"+piecemealSection)
	verb, lines, _ := strings.Cut(c.want, "\n")
	c.verb = verb
	for line := range strings.Lines(lines) {
		if strings.TrimSpace(line) != "" {
			c.specs = append(c.specs, parseSpec(t, line))
		}
	}
	return c
}

// parseSpec reads an uplink in the words of uplinks.conf.
func parseSpec(t testing.TB, line string) uplink.Spec {
	t.Helper()
	words := strings.Fields(line)
	u := uplink.Spec{Name: strings.Trim(words[0], "-")}
	words = words[1:]
	next := func() string {
		if len(words) == 0 {
			t.Fatalf("%q: it ends too soon", line)
		}
		word := words[0]
		words = words[1:]
		return word
	}
	number := func() uint32 {
		n, ok := iptext.Uint[uint32](next(), 32)
		if !ok {
			t.Fatalf("%q: not a number", line)
		}
		return n
	}
	for len(words) > 0 {
		switch word := next(); word {
		case "table":
			u.Table = rttables.ID(number())
		case "dev":
			u.Interface = next()
		case "via":
			u.Gateway = netip.MustParseAddr(next())
		case "src":
			u.Sources = append(u.Sources, netip.MustParseAddr(next()))
		case "to":
			u.Routes = append(u.Routes, netip.MustParsePrefix(next()))
		case "pref":
			u.Priority = number()
		case "metric":
			u.Metric = number()
		case "proto":
			u.Protocol = route.Protocol(number())
		case "onlink":
			u.OnLink = true
		case "main-first":
			u.MainFirst = true
		case "unreachable":
			u.Unreachable = true
		case "also":
			text := strings.Join(words, " ")
			text, rest, _ := strings.Cut(text, " also ")
			if words = nil; rest != "" {
				words = append([]string{"also"}, strings.Fields(rest)...)
			}
			r, err := rule.Parse(text, nil)
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			if r.Table == rttables.Main {
				r.Table, r.Action = 0, 0
			}
			if r.From.Addr().IsValid() || r.To.Addr().IsValid() || !strings.HasPrefix(text, "-") {
				r.Family = 0
			}
			u.Also = append(u.Also, r)
		default:
			t.Fatalf("%q: unknown word %q", line, word)
		}
	}
	return u
}

// world returns the host that there is in the case.
func (c *testCase) world(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.add(t, c.have)
	return w
}

// do plans what the case asks for.
func (c *testCase) do(t *testing.T, now *host.State) (plan.Plan, error) {
	ctx := t.Context()
	switch c.verb {
	case "install":
		return draft.Install(ctx, nil, now, c.specs, uplink.Options{})
	case "adopt":
		return draft.Adopt(ctx, nil, now, c.specs, uplink.Options{})
	case "remove":
		return draft.Remove(ctx, nil, now, c.specs)
	case "sync":
		return draft.Sync(ctx, nil, now, c.specs, c.protocols(), nil)
	case "recover":
		return draft.Recover(ctx, nil, now, c.protocols())
	}
	t.Fatalf("no verb %q", c.verb)
	return plan.Plan{}, nil
}

// protocols returns the protocols of the uplinks, or the default one.
func (c *testCase) protocols() []route.Protocol {
	if len(c.specs) == 0 {
		return []route.Protocol{uplink.DefaultProtocol}
	}
	return uplink.Protocols(c.specs)
}

// stepsText returns the steps as the files have them: what packets notice is marked.
func stepsText(p plan.Plan, err error) string {
	if err != nil {
		return "\terror: " + err.Error() + "\n"
	}
	var b strings.Builder
	for i := range p.Steps {
		mark := ""
		if p.Steps[i].Commit {
			mark = "COMMIT "
		}
		fmt.Fprintf(&b, "\t%s%s\n", mark, p.Command(&p.Steps[i]))
	}
	return b.String()
}

func TestCases(t *testing.T) {
	cases := readCases(t)
	failed := 0
	for i, c := range cases {
		if failed == testrun.MostFailures {
			t.Errorf("and %d more cases were not tried", len(cases)-i)
			break
		}
		ok := t.Run(c.name, func(t *testing.T) {
			w := c.world(t)
			p, err := c.do(t, w.state())
			got := stepsText(p, err)
			if *update {
				text := c.title + haveSection + c.have + wantSection + c.want + stepsSection + got
				if err := os.WriteFile(c.file, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != c.steps {
				t.Errorf("%s (-want +got):\n%s", strings.TrimSpace(c.title), tabletest.Diff(c.steps, got))
			}
			if err == nil {
				c.checkWalk(t, w, p)
			}
		})
		if !ok {
			failed++
		}
	}
}

// checkWalk does the steps of a case in the model of the kernel: none is refused, each
// source has its old or its new policy all the time, one step a family changes over,
// a recovery after any step changes no policy, and the same again has nothing to do.
func (c *testCase) checkWalk(t *testing.T, w *world, p plan.Plan) {
	t.Helper()
	now := w.state()
	var states []*host.State
	k := newKernel(now)
	k.waysOnly = c.verb == "adopt" // a script's routes often say no source
	walk, err := k.walkThrough(p, w.sources(), func(_ int, k *kernel) { states = append(states, k.state(now)) })
	if err != nil {
		t.Fatalf("the kernel refuses %v", err)
	}
	for done, killed := range states {
		if err := checkRecovery(t.Context(), killed, c.protocols(), w.sources()); err != nil {
			t.Errorf("killed after step %d: %v", done, err)
		}
	}
	c.checkOneStep(t, walk)
	again, err := c.do(t, w.after(walk.last.state(now), p))
	if err != nil || !again.Empty() {
		t.Errorf("the same again: %v\n%s", err, again)
	}
}

// checkOneStep holds a walk to what the case says of it.
func (c *testCase) checkOneStep(t *testing.T, walk *walk) {
	t.Helper()
	if c.piecemeal == "" {
		for _, x := range walk.faults {
			t.Errorf("after step %d, packets of %s go\n%safter all\n%s", x.step, x.policy.src, x.policy, walk.after[x.policy.src])
		}
	} else if len(walk.faults) == 0 {
		t.Errorf("each source changes over in one step, although %s", c.piecemeal)
	}
	for _, text := range walk.astray {
		t.Error(text)
	}
	apart := false
	for f, n := range walk.changes {
		if apart = apart || n > 1; n > 1 && c.apart+c.piecemeal == "" {
			t.Errorf("%d steps change where packets of %s go", n, form.FamilyName(f))
		}
	}
	if !apart && c.apart != "" {
		t.Errorf("packets change over in one step, although %s", c.apart)
	}
}

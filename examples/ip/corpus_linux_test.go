package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/corpus"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
)

// Each recorded command has the same result as with ip(8): the exit status, standard error,
// and the rules and routes after it.
func TestKernelCorpusRules(t *testing.T) {
	needs(t, uapi.Version{Major: 6, Minor: 15})
	h := newHost(t)
	cases := h.cases("../../rule/testdata/corpus.jsonl")
	for _, c := range cases {
		if strings.Contains(c.Args, "uidrange") && !allUsers(t) {
			continue // recorded as root; the user namespace of an ordinary user has a single user ID
		}
		before := h.listRules()
		h.check(c, "rule", nil)
		for _, r := range missingFrom(before, h.listRules()) {
			if err := rule.Delete(t.Context(), h.conn, r); err != nil {
				t.Fatalf("%s: %v", c.Words(), err)
			}
		}
		if after := h.listRules(); !slices.Equal(before, after) {
			t.Fatalf("%s: left %v", c.Words(), after)
		}
	}
	if len(cases) < 350 {
		t.Errorf("%d cases", len(cases))
	}
}

func TestKernelCorpusRoutes(t *testing.T) {
	needs(t, uapi.Version{Major: 6, Minor: 15})
	h := newHost(t)
	cases := h.cases("../../route/testdata/corpus.jsonl")
	for _, c := range cases {
		before := h.listRoutes()
		h.check(c, "route", []string{"table", "all"})
		for _, r := range h.listRoutes() {
			if slices.ContainsFunc(before, r.Equal) {
				continue
			}
			if err := route.Delete(t.Context(), h.conn, r); err != nil {
				t.Fatalf("%s: %v", c.Words(), err)
			}
		}
		if after := h.listRoutes(); !slices.EqualFunc(before, after, route.Route.Equal) {
			t.Fatalf("%s: left %v", c.Words(), after)
		}
	}
	if len(cases) < 270 {
		t.Errorf("%d cases", len(cases))
	}
}

func (h *host) cases(file string) []corpus.Case {
	h.Helper()
	cases, err := corpus.Read(file)
	if err != nil {
		h.Fatal(err)
	}
	return cases
}

// check runs a case and compares the results.
func (h *host) check(c corpus.Case, object string, selectors []string) {
	h.Helper()
	family := "-" + strconv.Itoa(c.Family)
	show := func(options ...string) string {
		h.Helper()
		got := h.ip(slices.Concat(options, []string{family, object, "show"}, selectors)...)
		if got.status != 0 || got.stderr != "" {
			h.Errorf("%s: %v shows %+v", c.Words(), options, got)
		}
		return got.out
	}
	options := [][]string{nil, {"-d"}, {"-N"}, {"-j"}}
	var before [4]string
	for i, o := range options {
		before[i] = show(o...)
	}
	got := h.ip(slices.Concat([]string{family, object, "add"}, strings.Fields(c.Args))...)
	if got.status == 0 && strings.Contains(c.Stderr, "lwt encapsulation type not supported") {
		return // the recording kernel was built without MPLS, and this one with it
	}
	if stderr := strings.TrimRight(got.stderr, "\n"); got.status != c.Exit || stderr != c.Stderr || got.out != "" {
		h.Errorf("%s: got %+v, want %d, %q", c.Words(), got, c.Exit, c.Stderr)
	}
	for i, want := range [][]string{c.Show, c.ShowD, c.ShowN} {
		if want == nil && c.Show != nil {
			continue // not recorded
		}
		lines := missingFrom(entries(before[i]), entries(show(options[i]...)))
		if diff := cmp.Diff(masked(want), masked(lines)); diff != "" {
			h.Errorf("%s: %v (-ip +got):\n%s", c.Words(), options[i], diff)
		}
	}
	added := missingFrom(jsonObjects(h.T, []byte(before[3])), jsonObjects(h.T, []byte(show("-j"))))
	if diff := cmp.Diff(masked(objectsOf(h.T, c)), masked(added)); diff != "" {
		h.Errorf("%s: JSON (-ip +got):\n%s", c.Words(), diff)
	}
}

// entries returns the objects of an output, each with the lines of its next hops.
func entries(text string) (all []string) {
	for line := range strings.Lines(text) {
		if n := len(all); n > 0 && line[0] == '\t' {
			all[n-1] += "\n" + strings.TrimSuffix(line, "\n")
			continue
		}
		all = append(all, strings.TrimSuffix(line, "\n"))
	}
	return all
}

// jsonObjects returns the objects of a JSON array as text with sorted members.
func jsonObjects(t *testing.T, b []byte) (texts []string) {
	t.Helper()
	var all []any
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
	for _, v := range all {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(b))
	}
	return texts
}

func objectsOf(t *testing.T, c corpus.Case) []string {
	if len(c.JSON) == 0 {
		return nil
	}
	return jsonObjects(t, c.JSON)
}

// remaining matches the remaining lifetime of a route, which changes.
var remaining = regexp.MustCompile(`(expires"?[: ])\d+`)

func masked(lines []string) (out []string) {
	for _, l := range lines {
		out = append(out, remaining.ReplaceAllString(l, "${1}N"))
	}
	return out
}

// missingFrom returns the elements of after that before does not have, or has fewer of.
func missingFrom[T comparable](before, after []T) (more []T) {
	count := map[T]int{}
	for _, x := range before {
		count[x]++
	}
	for _, x := range after {
		if count[x]--; count[x] < 0 {
			more = append(more, x)
		}
	}
	return more
}

func (h *host) listRules() []rule.Rule {
	h.Helper()
	rules, err := rule.List(h.Context(), h.conn, rule.Filter{})
	if err != nil {
		h.Fatal(err)
	}
	return rules
}

// listRoutes lists the routes without their ages.
func (h *host) listRoutes() []route.Route {
	h.Helper()
	routes, err := route.List(h.Context(), h.conn, route.Filter{})
	if err != nil {
		h.Fatal(err)
	}
	for i := range routes {
		routes[i].CacheInfo = route.CacheInfo{Error: routes[i].CacheInfo.Error}
	}
	return routes
}

// allUsers reports whether all user IDs exist in the user namespace of the test.
func allUsers(t *testing.T) bool {
	t.Helper()
	b, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		t.Fatal(err)
	}
	var inside, outside, n uint64
	if _, err := fmt.Sscan(string(b), &inside, &outside, &n); err != nil {
		t.Fatal(err)
	}
	return n >= 1<<32-2
}

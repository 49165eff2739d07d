//go:build linux

package rule

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/corpus"
	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// recordedNS is a namespace like the one in which the cases were recorded.
func recordedNS(t *testing.T) *lab.NS {
	t.Helper()
	l := lab.Test(t)
	ns, far := l.NS("a"), l.NS("b")
	l.Veth(lab.End{NS: ns, Name: "eth0", Index: 3}, lab.End{NS: far, Name: "eth0"})
	l.Veth(lab.End{NS: ns, Name: "eth1", Index: 5}, lab.End{NS: far, Name: "eth1"})
	ns.Addr("eth0", "192.168.1.6/24", "2001:db8:1::6/64")
	ns.Addr("eth1", "192.168.2.2/24", "2001:db8:2::2/64")
	return ns
}

// The kernel makes of the words what it made of them when ip(8) sent them, and
// Delete takes it away.
func TestKernelCorpus(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	ns := recordedNS(t)
	c, err := route.Dial(ns.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	n, refused := 0, 0
	for _, tt := range readCorpus(t) {
		r, err := Parse(tt.Words(), names(t))
		if len(tt.Request) == 0 || err != nil {
			continue // TestCorpusRefused, TestCorpusRequest
		}
		n++
		if tt.Exit != 0 {
			refused++
		}
		if lacks(t, r) != 0 {
			wantUnsupportedOr(t, c, r, kernelSays(tt))
			continue
		}
		before, err := List(t.Context(), c, Filter{Family: r.Family})
		if err != nil {
			t.Fatal(err)
		}
		if !uidsExist(t, r.UIDRange) {
			// Recorded as root; another user has one user only.
			if err := addAnyway(t, c, r); !strings.Contains(errText(err), "Invalid uid range") {
				report.Errorf("%s: %v", tt.Words(), err)
			}
			continue
		}
		err = addAnyway(t, c, r)
		if (tt.Exit == 0) != (err == nil) || err != nil && !strings.Contains(err.Error(), kernelSays(tt)) {
			report.Errorf("%s: %v; ip: %s", tt.Words(), err, tt.Stderr)
			continue
		}
		added := addedSince(t, c, before)
		if diff := cmp.Diff(recordedRules(t, tt), texts(added)); diff != "" {
			report.Errorf("%s: in the kernel (-recorded +now):\n%s", tt.Words(), diff)
		}
		for _, r := range added {
			if err := Delete(t.Context(), c, r); err != nil {
				report.Error(err)
			}
		}
		if after, err := List(t.Context(), c, Filter{Family: r.Family}); err != nil || !slices.Equal(before, after) {
			t.Fatalf("%s: Delete left %v, %v", tt.Words(), texts(after), err)
		}
	}
	t.Logf("request → kernel: %d cases, %d of them refused with the kernel's text", n, refused)
	if n < 330 {
		report.Errorf("%d cases", n)
	}
}

// wantUnsupportedOr also takes what was wrong with r before the kernel came to
// what it lacks, in the words of a kernel that lacks nothing.
func wantUnsupportedOr(t *testing.T, c route.Conn, r Rule, says string) {
	t.Helper()
	if err := Add(t.Context(), c, r); r.check() != nil || says != "" && strings.Contains(errText(err), says) {
		return
	}
	wantUnsupported(t, c, r)
}

// addAnyway adds r, also where Add refuses to because of what the kernel would
// do with it.
func addAnyway(t *testing.T, c route.Conn, r Rule) error {
	if r.check() == nil {
		return Add(t.Context(), c, r)
	}
	if err := Add(t.Context(), c, r); err == nil {
		t.Errorf("%s was added", r)
	}
	return fail("add", r, write(t.Context(), c, uapi.RTM_NEWRULE, netlink.Create|netlink.Excl, r))
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// kernelSays is the kernel's text in what ip(8) answered, which may also be a
// warning of its own.
func kernelSays(c corpus.Case) string {
	if c.Exit == 0 {
		return ""
	}
	s := strings.TrimSuffix(strings.TrimPrefix(c.Stderr, "Error: "), ".")
	if errno, ok := strings.CutPrefix(s, "RTNETLINK answers: "); ok {
		return strings.ToLower(errno)
	}
	return s
}

// addedSince are the rules that were not there before.
func addedSince(t *testing.T, c route.Conn, before []Rule) []Rule {
	t.Helper()
	after, err := List(t.Context(), c, Filter{Family: before[0].Family})
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(after, func(r Rule) bool {
		i := slices.Index(before, r)
		if i >= 0 {
			before = slices.Delete(slices.Clone(before), i, i+1)
		}
		return i >= 0
	})
}

// recordedRules are the rules that the kernel had for a case.
func recordedRules(t *testing.T, c corpus.Case) []string {
	t.Helper()
	var rules []Rule
	for _, payload := range c.Kernel {
		var reported Rule
		if err := reported.read(payload); err != nil {
			t.Fatal(err)
		}
		reported.normalizeListed()
		rules = append(rules, reported)
	}
	return texts(rules)
}

// texts are rules with their flags, which a rule's own text leaves out.
func texts(rules []Rule) []string {
	var s []string
	for _, r := range rules {
		s = append(s, r.String()+" ["+r.Flags.String()+"]")
	}
	return s
}

//go:build linux

package rule

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/mdlayher/netlink"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

// An ipSide is a namespace in which the installed ip(8) works, or this package.
type ipSide struct {
	ns *lab.NS
	c  *route.Socket
}

func newIPSide(t *testing.T, l *lab.Lab, name string) ipSide {
	t.Helper()
	ns := l.NS(name)
	c, err := route.Dial(ns.Config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return ipSide{ns, c}
}

// ip runs the installed ip(8), and returns what it printed.
func (s ipSide) ip(t *testing.T, input string, args ...string) string {
	t.Helper()
	out, err := s.ns.Run(input, "ip", args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// numbers replaces names by numbers. In a batch, iproute2 6.1 confuses a name that
// it has seen before with the number that it has seen last.
var numbers = strings.NewReplacer(" proto static", " proto 4", " lookup local", " lookup 255", "unknown", "0")

// batch runs commands, by the family that they are for.
func (s ipSide) batch(t *testing.T, commands map[route.Family]string) {
	t.Helper()
	for family, lines := range commands {
		s.ip(t, lines, familyOption(family), "-batch", "-")
	}
}

// dump is the kernel's state, byte for byte.
func (s ipSide) dump(t *testing.T) (payloads []string) {
	t.Helper()
	for _, family := range []route.Family{route.IPv4, route.IPv6} {
		req := netlink.Message{Header: netlink.Header{Type: uapi.RTM_GETRULE, Flags: netlink.Request | netlink.Dump},
			Data: make([]byte, uapi.SizeofFibRuleHdr)}
		req.Data[uapi.FibRuleHdrFamily] = uint8(family)
		for m, err := range rtnl.Dump(s.c, req) {
			if err != nil {
				t.Fatal(err)
			}
			var r Rule
			if err := r.UnmarshalBinary(m.Data); err != nil {
				t.Fatal(err)
			}
			payloads = append(payloads, fmt.Sprintf("%s: %x", r, m.Data))
		}
	}
	return payloads
}

// TestKernelDifferential compares this package with the installed ip(8) on 400
// random rules, with -full on 2,000, in both directions: both make the same rules of the same words,
// this package makes the same of what ip(8) shows, and both delete rules that the
// other has added.
// Words that iproute2 6.1 lacks (dscp, flowlabel, masks of ports) are left out.
func TestKernelDifferential(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("ip(8), to compare with, is not installed")
	}
	names, err := rttables.Load(os.DirFS("/"))
	if err != nil {
		t.Fatal(err)
	}
	rounds, each := testrun.Times(20, 4), 100
	g := newGenerator(20)
	l := lab.Test(t)
	ours, theirs, back := newIPSide(t, l, "ours"), newIPSide(t, l, "theirs"), newIPSide(t, l, "back")
	for range rounds {
		var rules []Rule
		add, del := map[route.Family]string{}, map[route.Family]string{}
		for len(rules) < each {
			r := g.rule()
			if !knownToIP(r) || !uidsExist(t, r.UIDRange) {
				continue
			}
			rules = append(rules, r)
			words := numbers.Replace(r.Args(nil))
			add[r.Family] += "rule add " + words + "\n"
			del[r.Family] += "rule del " + words + "\n"
		}
		theirs.batch(t, add)
		for _, r := range rules {
			if err := Add(t.Context(), ours.c, r); err != nil {
				t.Fatal(err)
			}
		}
		compare(t, "added by the same words", theirs.dump(t), ours.dump(t))
		addFromShow(t, theirs, back, names)
		compare(t, "added by what ip showed", theirs.dump(t), back.dump(t))

		ours.batch(t, del)
		for _, side := range []ipSide{theirs, back} {
			for _, r := range rules {
				if err := Delete(t.Context(), side.c, r); err != nil {
					t.Fatal(err)
				}
			}
		}
		compare(t, "deleted by the other side", theirs.dump(t), ours.dump(t))
		if left := theirs.dump(t); len(left) != 5 {
			t.Fatalf("left: %q", left)
		}
	}
	t.Logf("%d rules", rounds*each)
}

func familyOption(f route.Family) string {
	if f == route.IPv6 {
		return "-6"
	}
	return "-4"
}

// knownToIP reports whether iproute2 6.1 has words for all of r. It refuses the
// suppressor that stands for none, and realms above 255.
func knownToIP(r Rule) bool {
	return r.Realms.Dst <= 255 && r.SuppressPrefixLength.Or(0) != unsetU32 && !r.DSCP.IsSet() && !r.FlowLabel.IsSet() && !r.SPort.hasMask && !r.DPort.hasMask
}

func compare(t *testing.T, what string, want, got []string) {
	t.Helper()
	if diff := testrun.Cut(cmp.Diff(want, got)); diff != "" {
		t.Fatalf("%s (-ip +this):\n%s", what, diff)
	}
}

// shownToWords replaces words that ip shows by words that it reads.
var shownToWords = strings.NewReplacer(" lookup [l3mdev-table]", " l3mdev", " ipproto ipproto-", " ipproto ",
	" [detached]", "", " [unresolved]", "")

// addFromShow adds to one side the rules that ip shows on the other.
func addFromShow(t *testing.T, from, to ipSide, names *rttables.Names) {
	t.Helper()
	for _, family := range []route.Family{route.IPv4, route.IPv6} {
		listed, err := List(t.Context(), from.c, Filter{Family: family})
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(from.ip(t, "", familyOption(family), "rule", "show")), "\n")
		if len(lines) != len(listed) {
			t.Fatalf("ip shows %d rules of %d", len(lines), len(listed))
		}
		for i, line := range lines {
			r, err := Parse(familyOption(family)+" "+shownToWords.Replace(line), &route.Names{Files: names})
			if err != nil {
				t.Fatal(err)
			}
			if !ipShowsAll(listed[i]) {
				r = listed[i]
			}
			if prio, _ := r.Priority.Get(); prio == 0 || prio > 32765 {
				continue // those of every namespace
			}
			if err := Add(t.Context(), to.c, r); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// ipShowsAll reports whether ip shows all of r. It leaves out the suppressors of a
// rule without a table, and a mask of all bits.
func ipShowsAll(r Rule) bool {
	suppresses := r.SuppressPrefixLength.IsSet() || r.SuppressIfGroup.IsSet()
	return (r.Table != 0 || !suppresses) && r.FwMark != FwMark(0).Masked(1<<32-1)
}

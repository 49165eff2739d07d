//go:build linux

package route

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/rttables"
)

// An ipSide is a namespace in which the installed ip(8) works, or this package,
// and its routes before.
type ipSide struct {
	ns     *lab.NS
	c      *Socket
	before []string
}

func newIPSide(t *testing.T) *ipSide {
	t.Helper()
	ns, c := kernel(t)
	s := &ipSide{ns: ns, c: c}
	s.before = s.dump(t)
	return s
}

// ip runs the installed ip(8), and returns what it printed.
func (s *ipSide) ip(t *testing.T, args ...string) string {
	t.Helper()
	out, err := s.ns.Run("", "ip", args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// batch runs the commands of each family. A command that fails does not stop the
// others.
func (s *ipSide) batch(t *testing.T, commands map[Family]string) {
	t.Helper()
	for family, lines := range commands {
		_, err := s.ns.Run(lines, "ip", familyOption(family), "-force", "-batch", "-")
		if err != nil && !strings.Contains(err.Error(), "exit status 1:") {
			t.Fatal(err)
		}
	}
}

func familyOption(f Family) string {
	if f == IPv6 {
		return "-6"
	}
	return "-4"
}

// dump returns what was added to the kernel's state, byte for byte, except for times
// and counters.
func (s *ipSide) dump(t *testing.T) (added []string) {
	t.Helper()
	for _, family := range []Family{IPv4, IPv6} {
		for m, err := range rtnl.Dump(s.c, (&Filter{Family: family}).request()) {
			if err != nil {
				t.Fatal(err)
			}
			var r Route
			if err := r.UnmarshalBinary(m.Data); err != nil {
				t.Fatal(err)
			}
			b := slices.Clone(m.Data[:uapi.SizeofRtMsg])
			for num, p := range attr.All(string(m.Data[uapi.SizeofRtMsg:])) {
				if num != uint16(uapi.RTA_CACHEINFO) {
					b = attr.Append(b, num, p)
				}
			}
			if r.CacheInfo.Expires > 0 {
				r.CacheInfo.Expires = 1
			}
			r.CacheInfo = CacheInfo{Error: r.CacheInfo.Error, Expires: r.CacheInfo.Expires}
			line := fmt.Sprintf("%s: %x", r, b)
			if !slices.Contains(s.before, line) {
				added = append(added, line)
			}
		}
	}
	return added
}

// listed returns the routes that were added.
func (s *ipSide) listed(t *testing.T) []Route {
	t.Helper()
	routes, err := List(t.Context(), s.c, Filter{})
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(routes, func(r Route) bool {
		return r.Table == rttables.Local || r.Protocol == ProtoKernel
	})
}

// TestKernelDifferential compares this package with the installed ip(8) on 400
// random routes, with -full on 2,000, in both directions: both make the same of the same words, or
// are refused the same, this package makes the same of what ip(8) shows, and
// both delete what the other has added. Words that iproute2 6.1 lacks are left
// out.
func TestKernelDifferential(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("ip(8), to compare with, is not installed")
	}
	files, err := rttables.Load(os.DirFS("/"))
	if err != nil {
		t.Fatal(err)
	}
	rounds, each := testrun.Times(20, 4), 100
	g := newGenerator(20)
	ours, theirs, back := newIPSide(t), newIPSide(t), newIPSide(t)
	links, err := ListLinks(t.Context(), theirs.c)
	if err != nil {
		t.Fatal(err)
	}
	names := &Names{Files: files, Links: links}
	refused, added := 0, 0
	for range rounds {
		var routes []Route
		add := map[Family]string{}
		for len(routes) < each {
			r := g.route()
			words := wordsForIP(r)
			if unknownToIP.MatchString(words) || r.Realms.Dst > 255 {
				continue
			}
			routes = append(routes, r)
			add[r.Family] += "route add " + words + "\n"
		}
		theirs.batch(t, add)
		for _, r := range routes {
			if err := Add(t.Context(), ours.c, r); err != nil {
				refused++
			}
		}
		state := theirs.dump(t)
		added += len(state)
		compare(t, "added by the same words", state, ours.dump(t))
		theirs.addFromShow(t, back, names)
		compare(t, "added by what ip showed", state, back.dump(t))

		del := map[Family]string{}
		for _, r := range ours.listed(t) {
			r.CacheInfo, r.Flags = CacheInfo{}, r.Flags&sentFlags
			words := wordsForIP(r)
			if unknownToIP.MatchString(words) {
				if err := Delete(t.Context(), ours.c, r); err != nil {
					t.Fatal(err)
				}
				continue
			}
			del[r.Family] += "route del " + words + "\n"
		}
		ours.batch(t, del)
		for _, side := range []*ipSide{theirs, back} {
			for _, r := range side.listed(t) {
				if err := Delete(t.Context(), side.c, r); err != nil {
					t.Fatal(err)
				}
			}
		}
		compare(t, "deleted by the other side", theirs.dump(t), ours.dump(t))
		compare(t, "left", nil, theirs.dump(t))
	}
	t.Logf("%d routes: %d refused, %d added", rounds*each, refused, added)
	if added < rounds*each*3/4 {
		t.Error("most were refused")
	}
}

// wordsForIP returns the words for r in a batch.
func wordsForIP(r Route) string {
	words := r.Text(&Names{Links: names.Links})
	return numbers.Replace(strings.TrimPrefix(words, familyOption(r.Family)))
}

// addFromShow adds to one side the routes that ip shows on the other.
func (s *ipSide) addFromShow(t *testing.T, to *ipSide, n *Names) {
	t.Helper()
	for _, f := range []Family{IPv4, IPv6} {
		listed, err := List(t.Context(), s.c, Filter{Family: f})
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(s.ip(t, familyOption(f), "-d", "-o", "route", "show", "table", "all")), "\n")
		if len(lines) != len(listed) {
			t.Fatalf("ip shows %d routes of %d", len(lines), len(listed))
		}
		for i, line := range lines {
			if listed[i].Table == rttables.Local || listed[i].Protocol == ProtoKernel {
				continue
			}
			r := listed[i]
			if ipShowsAll(r) {
				if r, err = Parse(familyOption(f)+" "+shownToWords(line), n); err != nil {
					t.Fatalf("%s: %v", line, err)
				}
			}
			if err := Add(t.Context(), to.c, r); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		}
	}
}

// ipShowsAll reports whether ip shows all of r in words that it reads. It rounds long
// times and parts of milliseconds, does not read two tos in a line, shows the segment
// that it adds for mode inline, and does not show that packets are counted.
func ipShowsAll(r Route) bool {
	m := deref(r.Metrics)
	for _, x := range []struct{ units, perMillisecond uint32 }{
		{uint32(m.RTT), 8}, {uint32(m.RTTVar), 4}, {uint32(m.RTOMin), 1},
	} {
		if x.units%x.perMillisecond != 0 || x.units/x.perMillisecond >= 1e6 {
			return false
		}
	}
	other := func(e Encap) bool {
		switch e := e.(type) {
		case EncapSeg6:
			return e.Mode == Seg6Inline
		case EncapSeg6Local:
			return e.Counters.IsSet()
		}
		return false
	}
	return (r.Encap == nil || r.TOS == 0) && !other(r.Encap) &&
		!slices.ContainsFunc(r.Multipath, func(nh NextHop) bool { return other(nh.Encap) })
}

// shownToWords replaces words that ip shows by words that it reads.
func shownToWords(line string) string {
	line = onlyShown.ReplaceAllString(line, " ")
	line = decimalTOS.ReplaceAllStringFunc(line, func(s string) string {
		word, number, _ := strings.Cut(s, " ")
		n, _ := strconv.Atoi(number)
		return fmt.Sprintf("%s %#x", word, n)
	})
	return segments.ReplaceAllStringFunc(line, func(s string) string {
		return "segs " + strings.Join(strings.Fields(s)[3:len(strings.Fields(s))-1], ",")
	})
}

// decimalTOS is the DS field of an encapsulation, which is shown in decimal and read
// in hexadecimal.
var decimalTOS = regexp.MustCompile(`\b(tos|tc) \d+\b`)

// segments are the segments of an encapsulation, with their number and in brackets.
var segments = regexp.MustCompile(`segs \d+ \[[^]]*\]`)

// onlyShown are the parts of what ip shows that it does not read: line ends, the error
// of a route, the flag linkdown.
var onlyShown = regexp.MustCompile(`\\|error -?\d+|\blinkdown\b`)

// unknownToIP are words that iproute2 6.1 does not read.
var unknownToIP = regexp.MustCompile(`\b(attribute|cacheinfo|flags|locks|metrics|raw|tcp_usec_ts|unlocked)\b|features 0x`)

// numbers replaces names by numbers. In a batch, iproute2 6.1 confuses a name that it
// has seen before with the number that it has seen last.
var numbers = strings.NewReplacer("proto static", "proto 4", "proto unspec", "proto 0",
	"scope global", "scope 0", "scope site", "scope 200", "scope link", "scope 253", "unknown", "0")

func compare(t *testing.T, what string, want, got []string) {
	t.Helper()
	if diff := testrun.Cut(cmp.Diff(want, got)); diff != "" {
		t.Fatalf("%s (-ip +this):\n%s", what, diff)
	}
}

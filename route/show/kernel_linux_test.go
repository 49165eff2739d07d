//go:build linux

package show_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/nexthop"
	"github.com/policyroute/policyroute/route/show"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
)

func TestMain(m *testing.M) { lab.Main(m) }

// A host is a namespace like the one in which the cases were recorded. The
// installed ip(8) and this package print what is in it.
type host struct {
	ns     *lab.NS
	c      *route.Socket
	files  *rttables.Names
	report *testrun.Reporter
}

func newHost(t *testing.T) *host {
	t.Helper()
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("ip(8), to compare with, is not installed")
	}
	l := lab.Test(t)
	ns, far := l.NS("a"), l.NS("b")
	l.Veth(lab.End{NS: ns, Name: "eth0", Index: eth0}, lab.End{NS: far, Name: "eth0"})
	l.Veth(lab.End{NS: ns, Name: "eth1", Index: eth1}, lab.End{NS: far, Name: "eth1"})
	ns.Addr("eth0", "192.168.1.6/24", "2001:db8:1::6/64")
	ns.Addr("eth1", "192.168.2.2/24", "2001:db8:2::2/64")
	c, err := route.Dial(ns.Config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	files, err := rttables.Load(os.DirFS("/"))
	if err != nil {
		t.Fatal(err)
	}
	return &host{ns, c, files, testrun.Limit(t)}
}

// names are the names of the host at this moment.
func (h *host) names(t *testing.T) *route.Names {
	t.Helper()
	links, err := route.ListLinks(t.Context(), h.c)
	if err != nil {
		t.Fatal(err)
	}
	return &route.Names{Files: h.files, Links: links}
}

// styles are options of ip(8), and the same as a Style.
var styles = []struct {
	options string
	style   show.Style
}{
	{"", show.Style{}}, {"-d", show.Style{Details: true}}, {"-s", show.Style{Statistics: true}}, {"-N", show.Style{Numeric: true}},
	{"-o", show.Style{OneLine: true}}, {"-j", show.Style{JSON: true}},
	{"-d -s -o", show.Style{Details: true, Statistics: true, OneLine: true}},
	{"-j -d -s", show.Style{JSON: true, Details: true, Statistics: true}}, {"-d -N", show.Style{Details: true, Numeric: true}},
}

// routes compares routes with what ip(8) prints for the arguments of "ip route
// show", and returns how many there are.
func (h *host) routes(t *testing.T, options string, style show.Style, f route.Filter, args string) int {
	t.Helper()
	routes, err := route.List(t.Context(), h.c, f)
	if err != nil {
		t.Fatal(err)
	}
	if style.Omit&show.OmitDev != 0 { // of which iproute2 6.1 prints only these
		routes = slices.DeleteFunc(routes, func(r route.Route) bool { return len(r.Multipath) > 0 })
	}
	h.compare(t, options+" -f "+f.Family.String()+" route show "+args, show.Routes(routes, style))
	return len(routes)
}

// rules compares rules with what ip(8) prints, and returns how many there are.
func (h *host) rules(t *testing.T, options string, style show.Style, f route.Family) int {
	t.Helper()
	rules, err := rule.List(t.Context(), h.c, rule.Filter{Family: f})
	if err != nil {
		t.Fatal(err)
	}
	h.compare(t, options+" -f "+f.String()+" rule show", show.Rules(rules, style))
	return len(rules)
}

// nextHops returns the nexthop objects, and compares them with what ip(8)
// prints.
func (h *host) nextHops(t *testing.T, options string, style show.Style) []nexthop.Object {
	t.Helper()
	objects, err := nexthop.List(t.Context(), h.c, nexthop.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	h.compare(t, options+" nexthop show", show.NextHops(objects, style))
	return objects
}

// compare compares got with what ip(8) prints.
func (h *host) compare(t *testing.T, command, got string) {
	t.Helper()
	want, err := h.ns.Run("", "ip", strings.Fields(command)...)
	if err != nil {
		t.Fatal(err)
	}
	// iproute2 6.1 has no members for the masks of ports, which kernels since
	// 6.15 report for every port.
	got = portMask.ReplaceAllString(got, "")
	want, got = lifetime.ReplaceAllString(want, "${1}9"), lifetime.ReplaceAllString(got, "${1}9")
	if want == got {
		return
	}
	if strings.HasPrefix(command, "-j ") && !strings.HasPrefix(command, "-j -p") {
		// Older versions have the members of encap among those of the route.
		if diff := testrun.Cut(cmp.Diff(flattened(t, want), flattened(t, got))); diff != "" {
			h.report.Errorf("ip %s: (-ip +this):\n%s", command, diff)
		}
		return
	}
	if diff := testrun.Cut(cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n"))); diff != "" {
		h.report.Errorf("ip %s: (-ip +this):\n%s", command, diff)
	}
}

// portMask is a member that iproute2 6.1 does not write.
var portMask = regexp.MustCompile(`,"[sd]port_mask":"0xffff"`)

// lifetime is what counts down.
var lifetime = regexp.MustCompile(`("expires": ?|expires )\d+`)

// flattened returns JSON's objects with the members of encap among their own.
func flattened(t *testing.T, s string) (objects []map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(s), &objects); err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		flatten(o)
		if info, ok := o["nh_info"].(map[string]any); ok {
			flatten(info)
		}
		hops, _ := o["nexthops"].([]any)
		for _, hop := range hops {
			if hop, ok := hop.(map[string]any); ok {
				flatten(hop)
			}
		}
	}
	return objects
}

func flatten(o map[string]any) {
	encap, ok := o["encap"].(map[string]any)
	if !ok {
		return
	}
	for name, v := range encap {
		// Of two members of a name the last counts. Only the route's dst comes
		// before encap.
		if _, ok := o[name]; !ok || name == "dst" {
			o[name] = v
		}
	}
	o["encap"] = encap["encap_type"]
	delete(o, "encap_type")
}

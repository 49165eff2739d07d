//go:build linux

package show_test

import (
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/show"
	"github.com/policyroute/policyroute/rttables"
)

// TestKernelRoutes compares what this package prints of routes and nexthop
// objects with what the installed ip(8) does. The routes are those of commands
// that the recorded cases do not have.
func TestKernelRoutes(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.ns.Sysctl("net.ipv4.ip_forward", "1")
	commands, err := os.ReadFile("../testdata/commands.txt")
	if err != nil {
		t.Fatal(err)
	}
	done, refused := h.do(t, string(commands))
	if done < 60 || refused > done/3 {
		t.Errorf("%d of %d commands were refused", refused, done)
	}
	names := h.names(t)
	for _, s := range styles {
		s.style.Names = names
		s.style.NextHops = h.nextHops(t, s.options, s.style)
		for _, f := range []route.Family{route.IPv4, route.IPv6} {
			h.routes(t, s.options, s.style, route.Filter{Family: f}, "table all")
		}
	}
	objects := h.nextHops(t, "", show.Style{Names: names})
	for _, s := range omitted {
		for _, f := range []route.Family{route.IPv4, route.IPv6} {
			style := show.Style{Names: names, NextHops: objects, Omit: s.omit}
			filter := s.filter
			filter.Family = f
			h.routes(t, "", style, filter, s.words)
			style.Details = true
			h.routes(t, "-d", style, filter, s.words)
			style.Details, style.JSON, style.Pretty = false, true, true
			h.routes(t, "-j -p", style, filter, s.words)
		}
	}
	for _, s := range lookups {
		r, err := route.Lookup(t.Context(), h.c, s.query)
		if err != nil {
			t.Fatal(err)
		}
		h.compare(t, "route get "+s.words, show.Route(r, show.Style{Names: names})+"\n")
		h.compare(t, "-j route get "+s.words, show.Route(r, show.Style{Names: names, JSON: true})+"\n")
	}
}

// do does commands, and returns how many there are, and how many were refused.
func (h *host) do(t *testing.T, commands string) (done, refused int) {
	t.Helper()
	var family string // ip(8) has one for all commands of a batch
	var batch strings.Builder
	flush := func() {
		t.Helper()
		args := append(strings.Fields(family), "-force", "-batch", "-")
		if _, err := h.ns.Run(batch.String(), "ip", args...); err != nil {
			t.Log(testrun.Cut(err.Error()))
			refused += strings.Count(err.Error(), "Command failed")
		}
		batch.Reset()
	}
	for command := range strings.Lines(commands) {
		if strings.HasPrefix(command, "#") {
			continue
		}
		done++
		option := ""
		for _, o := range []string{"-6 ", "-f mpls "} {
			if after, ok := strings.CutPrefix(command, o); ok {
				option, command = o, after
			}
		}
		if option != family {
			flush()
			family = option
		}
		batch.WriteString(command)
	}
	flush()
	return done, refused
}

// omitted are what words of "ip route show" leave out.
var omitted = []struct {
	words  string
	filter route.Filter
	omit   show.Omission
}{
	{"", route.Filter{Table: rttables.Main}, show.OmitTable},
	{"table 20", route.Filter{Table: 20}, show.OmitTable},
	{"table main proto kernel", route.Filter{Table: rttables.Main, Protocol: route.ProtoKernel}, show.OmitTable | show.OmitProto},
	{"table main dev eth0", route.Filter{Table: rttables.Main, OIF: eth0}, show.OmitTable | show.OmitDev},
}

// lookups are lookups and the words of "ip route get" for them.
var lookups = []struct {
	words string
	query route.Query
}{
	{"10.1.2.3", route.Query{Dst: netip.MustParseAddr("10.1.2.3")}},
	{"10.44.0.1 mark 16", route.Query{Dst: netip.MustParseAddr("10.44.0.1"), Mark: 16}},
	{"10.44.0.1 mark 5", route.Query{Dst: netip.MustParseAddr("10.44.0.1"), Mark: 5}},
	{"192.168.1.6", route.Query{Dst: netip.MustParseAddr("192.168.1.6")}},
	{"192.168.1.255", route.Query{Dst: netip.MustParseAddr("192.168.1.255")}},
	{"224.0.0.1 oif eth0", route.Query{Dst: netip.MustParseAddr("224.0.0.1"), OIF: eth0}},
	{"192.168.1.9 from 192.168.2.9 iif eth1", route.Query{Dst: netip.MustParseAddr("192.168.1.9"), Src: netip.MustParseAddr("192.168.2.9"), IIF: eth1}},
	{"192.168.1.6 from 192.168.2.9 iif eth1", route.Query{Dst: netip.MustParseAddr("192.168.1.6"), Src: netip.MustParseAddr("192.168.2.9"), IIF: eth1}},
	{"fibmatch 10.11.0.1", route.Query{Dst: netip.MustParseAddr("10.11.0.1"), FibMatch: true}},
	{"2001:db8:5::1", route.Query{Dst: netip.MustParseAddr("2001:db8:5::1")}},
	{"2001:db8:47::1 from 2001:db8:1::6", route.Query{Dst: netip.MustParseAddr("2001:db8:47::1"), Src: netip.MustParseAddr("2001:db8:1::6")}},
	{"fibmatch 2001:db8:48::1", route.Query{Dst: netip.MustParseAddr("2001:db8:48::1"), FibMatch: true}},
}

package show_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/show"
	"github.com/policyroute/policyroute/rule"
)

// Colors are those of ip -c of iproute2 6.1, for both backgrounds; JSON has none.
func TestColors(t *testing.T) {
	r := route.Route{
		Family: route.IPv4, Type: route.TypeUnicast, Dst: netip.MustParsePrefix("10.0.0.0/8"), Protocol: route.ProtoBoot,
		Gateway: netip.MustParseAddr("fe80::1"), OIF: 5, PrefSrc: netip.MustParseAddr("10.0.0.2"),
	}
	style := show.Style{Names: &route.Names{Links: links}, Colors: show.ColorsOnLight}
	want := "{35m10.0.0.0/8 {0mvia inet6 {34mfe80::1 {0mdev {36meth1 {0msrc {35m10.0.0.2 {0m"
	if got := strings.ReplaceAll(show.Route(r, style), "\x1b[", "{"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	style.Colors = show.ColorsOnDark
	want = strings.ReplaceAll(want, "{3", "{1;3")
	if got := strings.ReplaceAll(show.Route(r, style), "\x1b[", "{"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	style.JSON = true
	if got := show.Route(r, style); strings.Contains(got, `\u001b`) || strings.Contains(got, "\x1b") {
		t.Errorf("JSON: %s", got)
	}
	x, err := rule.Parse("32765: from 192.0.2.0/24 to 192.0.2.9 iif eth1 lookup 20", nil)
	if err != nil {
		t.Fatal(err)
	}
	want = "32765:\tfrom {35m192.0.2.0{0m/24 to {35m192.0.2.9{0m iif {36meth1{0m lookup 20"
	if got := strings.ReplaceAll(show.Rule(x, show.Style{Colors: show.ColorsOnLight}), "\x1b[", "{"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, c := range []show.Colors{show.NoColors, show.ColorsOnDark, show.ColorsOnLight} {
		var back show.Colors
		if text, err := c.MarshalText(); err != nil || back.UnmarshalText(text) != nil || back != c {
			t.Errorf("%v: %s, %v, read as %v", c, text, err, back)
		}
	}
}

// An object that was deleted says so.
func TestDeleted(t *testing.T) {
	x := rule.Rule{Family: route.IPv4, Priority: rule.Priority(7), Action: rule.ActionLookup, Table: 20}
	if got, want := show.Rule(x, show.Style{Deleted: true}), "Deleted 7:\tfrom all lookup 20"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	got, want := show.Rule(x, show.Style{Deleted: true, JSON: true}), `[{"deleted":true,"priority":7,"src":"all","table":"20"}]`
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

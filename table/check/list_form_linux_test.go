package check

import (
	"os"
	"testing"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// The state has the routes of uplinks' tables as the kernel lists them: in its order, and
// with what a snapshot leaves out.
func TestRoutesAsListed(t *testing.T) {
	n := tabletest.NewNetwork(t)
	for _, words := range []string{
		"default via 10.2.0.1 table 20 proto 210",
		"203.0.113.0/24 via 10.2.0.9 table 20 proto 210",
		"203.0.113.0/25 via 10.2.0.9 table 20",
		"203.0.0.0/16 table 20 proto 210 metric 7",
		"203.0.0.0/16 via 10.2.0.9 table 20 metric 3",
		"203.0.0.0/16 via 10.2.0.9 table 20 tos 4 metric 9",
		"2001:db8:77::/48 via 2001:db8:2::8 table 20 proto 210 metric 2",
		"blackhole 192.0.2.0/24 table 20 proto 210",
		"default via 2001:db8:2::1 table 20 proto 210",
		"2001:db8:77::/48 via 2001:db8:2::9 table 20 proto 210",
		"2001:db8:77::/64 table 20 proto 210 metric 5",
		"2001:db8:77:8000::/49 table 20",
		"2001:db8::/32 via 2001:db8:2::9 table 20 pref high",
		"unreachable 2001:db8:78::/64 table 20 proto 210",
		"2001:db8:2::/64 table 20",
	} {
		r, err := route.Parse(words, nil)
		if err == nil && !r.Gateway.IsValid() && r.Type == route.TypeUnicast {
			r.OIF = n.Server.Index("u2")
		}
		if err == nil {
			err = route.Add(t.Context(), n.Conn, r)
		}
		if err != nil {
			t.Fatalf("%s: %v", words, err)
		}
	}
	want, err := route.List(t.Context(), n.Conn, route.Filter{Table: 20})
	if err != nil {
		t.Fatal(err)
	}
	f, err := readFacts(t.Context(), n.Conn, os.DirFS("/"), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	text := func(routes []route.Route) (text string) {
		for _, r := range routes {
			text += r.String() + "\n"
		}
		return text
	}
	tabletest.WantText(t, "routes of table 20", text(want), text(f.now.Routes(20)))
}

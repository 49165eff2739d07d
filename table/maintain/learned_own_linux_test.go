package maintain_test

import (
	"strings"
	"testing"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/maintain"
)

// A better default route comes whose gateway is this host's own address. The kernel permits
// it, and an uplink cannot have it: the uplink keeps the other one, and is repaired.
func TestLearnBesideOwnAddress(t *testing.T) {
	n := tabletest.NewNetwork(t)
	addRoutes(n, "default via 10.2.0.1 dev u2 metric 100 proto dhcp")
	u := learner(n, route.IPv4)
	k := newKeeper(n, maintain.Config{}, u)
	const want = "default via 10.2.0.1 dev u2 src 10.2.0.2"
	k.untilText("the route is learned", want, func() string { return defaults(n) })
	addRoutes(n, "default via 10.2.0.2 dev u2 metric 5")
	flushTable(n, tabletest.IPv4, "20")
	k.untilText("it is repaired", want, func() string { return defaults(n) })
	s, err := u.Resolve(t.Context(), n.Conn)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := s.Plan(t.Context(), n.Conn); err != nil || !p.Empty() {
		t.Errorf("Install would do more: %v\n%s", err, p)
	}
	// Where there is no other, the uplink is refused with the reason.
	if out, err := n.Server.Run("", "ip", "route", "del", "default", "via", "10.2.0.1", "dev", "u2", "metric", "100"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	k.await(0, "failed", func(e maintain.Event) bool {
		return e.Kind == maintain.EventFailed && strings.Contains(e.Err.Error(), "10.2.0.2 is an address of this host")
	})
}

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
	flushTable(n, tabletest.IPv4, 20)
	k.untilText("it is repaired", want, func() string { return defaults(n) })
	s, err := u.Resolve(t.Context(), n.Conn)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := s.Plan(t.Context(), n.Conn); err != nil || !p.Empty() {
		t.Errorf("Install would do more: %v\n%s", err, p)
	}
	// Where there is no other any more, the last one stays.
	deleteRoutes(n, "default via 10.2.0.1 dev u2 metric 100 proto dhcp")
	flushTable(n, tabletest.IPv4, 20)
	k.untilText("the last one stays", want, func() string { return defaults(n) })
	// Where there has never been another, the uplink is refused with the reason.
	k.stop()
	n.Remove(s)
	s, err = u.Resolve(t.Context(), n.Conn)
	if err == nil {
		_, err = s.Plan(t.Context(), n.Conn)
	}
	if err == nil || !strings.Contains(err.Error(), "10.2.0.2 is an address of this host") {
		t.Errorf("by this host itself: %v", err)
	}
}

// A default route for a tos alone is no way for all other packets: the uplink waits for
// another one, and then takes both.
func TestLearnTOS(t *testing.T) {
	n := tabletest.NewNetwork(t)
	addRoutes(n, "default tos 0x10 via 10.2.0.1 dev u2")
	u := learner(n, route.IPv4)
	k := newKeeper(n, maintain.Config{}, u)
	k.await(0, "pending", func(e maintain.Event) bool { return strings.Contains(e.Reason, "has no IPv4 default route by u2") })
	if _, err := u.Resolve(t.Context(), n.Conn); err == nil {
		t.Error("a route for a tos is learned")
	}
	addRoutes(n, "default via 10.2.0.9 dev u2 metric 7000")
	k.until("both are learned", func() bool {
		got := defaults(n)
		return strings.Contains(got, "default via 10.2.0.9 dev u2") && strings.Contains(got, "default tos 0x10 via 10.2.0.1 dev u2")
	})
}

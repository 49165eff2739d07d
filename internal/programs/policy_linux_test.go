package programs

import (
	"testing"

	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/reply"
)

// udpOf returns the policy of a UDP server on all addresses.
func udpOf(port int) reply.Policy { return reply.Policy{UDP: []rule.Ports{rule.Port(uint16(port))}} }

// forwarded is the policy of connections that do not end at an address of the server.
var forwarded = reply.Policy{Forwarded: true}

// install installs a policy on the server, for both families.
func (n *network) install(p reply.Policy) (remove func()) {
	n.t.Helper()
	return n.installFor(p, replyUplinks(false))
}

// installFor is install for some uplinks.
func (n *network) installFor(p reply.Policy, uplinks []reply.Uplink) (remove func()) {
	n.t.Helper()
	c := n.dial(n.server)
	if err := reply.Install(n.t.Context(), c, p, uplinks...); err != nil {
		n.t.Fatal(err)
	}
	return func() {
		n.t.Helper()
		if err := reply.Remove(n.t.Context(), c); err != nil {
			n.t.Fatal(err)
		}
	}
}

// replyUplinks returns the uplinks of the server.
func replyUplinks(masquerade bool) []reply.Uplink {
	var all []reply.Uplink
	for _, u := range uplinks() {
		all = append(all, reply.Uplink{SourceRoutedUplink: u, Masquerade: masquerade})
	}
	return all
}

// forEachFamily runs a test in each family, on networks of their own.
func forEachFamily(t *testing.T, test func(t *testing.T, n *network, f family)) {
	t.Parallel()
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			test(t, newNetwork(t), f)
		})
	}
}

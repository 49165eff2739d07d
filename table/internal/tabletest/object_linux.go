package tabletest

import (
	"net"
	"net/netip"

	"github.com/jsimonetti/rtnetlink/v2"

	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
)

// AddRule adds a rule to the server, in the words of ip-rule(8).
func (n *Network) AddRule(words string) error {
	r, err := rule.Parse(words, nil)
	if err != nil {
		return err
	}
	return rule.Add(n.T.Context(), n.Conn, r)
}

// DeleteRule deletes a rule of the server, in the words of ip-rule(8).
func (n *Network) DeleteRule(words string) error {
	r, err := rule.Parse(words, nil)
	if err != nil {
		return err
	}
	return rule.Delete(n.T.Context(), n.Conn, r)
}

// DeleteFirstRule deletes the first rule of the server that has a table and a
// suppress_prefixlength, whatever else it has, as "ip rule del" does.
func (n *Network) DeleteFirstRule(f Family, table, suppress uint32) error {
	c, err := rtnetlink.Dial(n.Server.Config())
	if err != nil {
		n.T.Fatal(err)
	}
	defer c.Close()
	return c.Rule.Delete(&rtnetlink.RuleMessage{
		Family:     uint8(route.FamilyOf(netip.MustParseAddr(f.A1))),
		Attributes: &rtnetlink.RuleAttributes{Table: &table, SuppressPrefixLen: &suppress},
	})
}

// AddRoute adds a route to the server, in the words of ip-route(8).
func (n *Network) AddRoute(words string) error {
	r, err := n.parseRoute(words)
	if err != nil {
		return err
	}
	return route.Add(n.T.Context(), n.Conn, r)
}

// DeleteRoute deletes a route of the server, in the words of ip-route(8).
func (n *Network) DeleteRoute(words string) error {
	r, err := n.parseRoute(words)
	if err != nil {
		return err
	}
	return route.Delete(n.T.Context(), n.Conn, r)
}

// parseRoute parses a route in the words of ip-route(8), with the names of interfaces.
func (n *Network) parseRoute(words string) (route.Route, error) {
	links, err := route.ListLinks(n.T.Context(), n.Conn)
	if err != nil {
		return route.Route{}, err
	}
	return route.Parse(words, &route.Names{Links: links})
}

// HostPrefix returns an address as a prefix.
func HostPrefix(a string) string {
	addr := netip.MustParseAddr(a)
	return netip.PrefixFrom(addr, addr.BitLen()).String()
}

// AddTentative adds an IPv6 address whose duplicate address detection goes on.
func (n *Network) AddTentative(dev, a string) {
	n.T.Helper()
	c, err := rtnetlink.Dial(n.Server.Config())
	if err != nil {
		n.T.Fatal(err)
	}
	defer c.Close()
	ip := net.ParseIP(a)
	if err := c.Address.New(&rtnetlink.AddressMessage{
		Family: uapi.AF_INET6, PrefixLength: 64, Index: n.Server.Index(dev),
		Attributes: &rtnetlink.AddressAttributes{Address: ip, Local: ip},
	}); err != nil {
		n.T.Fatal(err)
	}
}

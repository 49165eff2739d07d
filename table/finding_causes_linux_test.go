package table_test

import (
	"errors"
	"net"
	"time"

	"github.com/jsimonetti/rtnetlink/v2"

	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
)

func (n *network) delRule(words string) error {
	r, err := rule.Parse(words, nil)
	if err != nil {
		return err
	}
	return rule.Delete(n.t.Context(), n.c, r)
}

func (n *network) delRoute(words string) error {
	r, err := route.Parse(words, nil)
	if err != nil {
		return err
	}
	return route.Delete(n.t.Context(), n.c, r)
}

// carrier waits until the kernel says that an interface has one, 1, or none, 0.
func (n *network) carrier(dev, want string) error {
	return n.server.Do(func() error {
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			i, err := net.InterfaceByName(dev)
			if err != nil {
				return err
			}
			if (i.Flags&net.FlagRunning != 0) == (want == "1") {
				return nil
			}
		}
		return errors.New("the carrier stays as it is")
	})
}

// waitForNeighbour sends something by the gateway until the kernel gives up.
func (n *network) waitForNeighbour(u table.SourceRoutedUplink) {
	n.t.Helper()
	// A packet to a neighbour that has failed makes the kernel ask again: it is
	// left in peace until its failure has been seen.
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		c, err := n.server.Dial(n.t.Context(), "udp4", ip4.a2, net.JoinHostPort(ip4.client, "9"))
		if err == nil {
			c.Write([]byte("x"))
			c.Close()
		}
		for range 50 {
			time.Sleep(20 * time.Millisecond)
			for _, f := range n.check(u) {
				if f.Code == table.CodeGatewaySilent {
					return
				}
			}
		}
	}
	n.t.Error("the neighbour does not fail")
}

// addTentative adds an IPv6 address whose duplicate address detection goes on.
func (n *network) addTentative(dev, a string) {
	n.t.Helper()
	c, err := rtnetlink.Dial(n.server.Config())
	if err != nil {
		n.t.Fatal(err)
	}
	defer c.Close()
	ip := net.ParseIP(a)
	if err := c.Address.New(&rtnetlink.AddressMessage{
		Family: uapi.AF_INET6, PrefixLength: 64, Index: n.server.Index(dev),
		Attributes: &rtnetlink.AddressAttributes{Address: ip, Local: ip},
	}); err != nil {
		n.t.Fatal(err)
	}
}
